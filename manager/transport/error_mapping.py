"""What a failure on the way to the server means for the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from manager.errors import RequestTimeoutError, ResponseDecodeError, ServerUnavailableError
from manager.transport.exceptions import (
    ConnectFailed,
    ConnectionsInUse,
    ConnectTimedOut,
    InvalidEncoding,
    NeverSent,
    ProxyFailed,
    TransferTimedOut,
)

if TYPE_CHECKING:
    from manager.errors import OllamaManagerError
    from manager.timeouts import ResolvedTimeouts
    from manager.transport.exceptions import TransportError

__all__ = ["error_from_transport", "timeout_error"]


def error_from_transport(
    error: TransportError,
    timeouts: ResolvedTimeouts,
    *,
    answering: bool,
    connections: int | None = None,
    **context: Any,
) -> OllamaManagerError:
    """Return what a failure of the transport means.

    Args:
        error: The failure.
        timeouts: The limits that were in force.
        answering: Whether the stream of the answer had begun.
        connections: How many there may be at once.
        context: What is known of the call.
    """
    if isinstance(error, ConnectionsInUse):
        return _connections_in_use(connections, timeouts, context)
    if isinstance(error, ConnectTimedOut):
        return timeout_error("connect", timeouts, **context)
    if isinstance(error, TransferTimedOut):
        return timeout_error("chunk" if answering else "first_token", timeouts, **context)
    if isinstance(error, ProxyFailed):
        return ServerUnavailableError(
            str(error),
            code="proxy_refused",
            hint="check `proxy` under [client], or HTTPS_PROXY and NO_PROXY",
            retryable=error.status >= 500,
            **context,
        )
    if isinstance(error, ConnectFailed):
        return ServerUnavailableError(
            f"cannot connect to the server: {_reason(error)}",
            code="connection_refused",
            hint="is it running, and is `host` right? `ollama-manager status` tells",
            **context,
        )
    if isinstance(error, InvalidEncoding):
        return ResponseDecodeError(
            f"the server's answer is badly compressed: {_reason(error)}",
            hint="is there a proxy between, and does it work?",
            **context,
        )
    if isinstance(error, NeverSent):
        return ServerUnavailableError(
            f"the request could not be sent: {_reason(error)}",
            code="transport_failed",
            retryable=False,
            **context,
        )
    return ServerUnavailableError(
        f"the connection was lost before the answer was complete: {_reason(error)}",
        code="connection_lost",
        **context,
    )


_TIMEOUT_TEXT = {
    "connect": "no connection to the server within {} s",
    "first_token": "no answer began within {} s",
    "chunk": "the stream was silent for {} s",
    "total": "the call was not complete after {} s",
}


def timeout_error(which: str, timeouts: ResolvedTimeouts, **context: Any) -> RequestTimeoutError:
    """Return the error for a limit that passed; ``which`` is a field of ``Timeouts``."""
    seconds: float | None = getattr(timeouts, which)
    return RequestTimeoutError(
        _TIMEOUT_TEXT[which].format(f"{seconds:g}" if seconds is not None else "?"),
        hint=f"allow more with timeout=Timeouts({which}=...), or {which}_timeout under [client]",
        timeout=which,
        seconds=seconds,
        **context,
    )


def _connections_in_use(
    connections: int | None, timeouts: ResolvedTimeouts, context: dict[str, Any]
) -> RequestTimeoutError:
    limits = {"first_token": timeouts.first_token, "total": timeouts.total}
    which, seconds = min(
        ((name, limit) for name, limit in limits.items() if limit is not None),
        key=lambda entry: entry[1],
        default=("first_token", None),
    )
    count = "" if connections is None else f"{connections} "
    within = "" if seconds is None else f" within {seconds:g} s"
    return RequestTimeoutError(
        f"all {count}connections are in use, and none was free{within}",
        code="connections_in_use",
        hint="raise max_connections under [client], or close the streams that are not read",
        timeout=which,
        seconds=seconds,
        **context,
    )


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
