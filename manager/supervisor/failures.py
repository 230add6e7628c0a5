"""The errors of the link: those that the supervisor reports, and those of the managers' side."""

from __future__ import annotations

import errno

from manager import errors
from manager.errors import (
    OllamaManagerError,
    ServerNotOwnedError,
    ServerStartError,
    ServerUnavailableError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = [
    "closed",
    "ends_again",
    "from_dict",
    "link_failed",
    "not_answering",
    "not_owned",
    "not_running",
    "not_stopped",
    "port_in_use",
    "spawn_failed",
    "start_unsupported",
    "stopped",
]

_PLAIN = ("message", "hint", "code", "retryable")


def from_dict(data: Mapping[str, Any]) -> OllamaManagerError:
    """Make the error that ``OllamaManagerError.to_dict`` described.

    Args:
        data: Its class as ``error``, its message, and its details.

    Returns:
        The error, not raised.
    """
    kind = getattr(errors, str(data.get("error")), None)
    if not (isinstance(kind, type) and issubclass(kind, OllamaManagerError)):
        kind = ServerUnavailableError
    known = {key: value for key, value in data.items() if value is not None and key != "error"}
    message = str(known.pop("message", "the supervisor gave no reason"))
    plain = {key: known.pop(key) for key in _PLAIN if key in known}
    return kind(message, **plain, **known)


def stopped() -> ServerUnavailableError:
    """The server was stopped on purpose, so calls do not bring it back."""
    return ServerUnavailableError(
        "the Ollama server was stopped on purpose",
        hint="Call start_server() to start it again.",
        code="server_stopped",
        retryable=False,
    )


def closed() -> ServerUnavailableError:
    """The manager is closed."""
    return ServerUnavailableError(
        "the manager is closed", hint="Make a new one.", code="manager_closed", retryable=False
    )


def link_failed(cause: BaseException) -> ServerUnavailableError:
    """Something unexpected kept the link to the supervisor from doing what was asked.

    Args:
        cause: What was raised; becomes the cause of the error.

    Returns:
        The error, not raised.
    """
    full = isinstance(cause, OSError) and cause.errno in (errno.EMFILE, errno.ENFILE)
    error = ServerUnavailableError(
        f"the link to the supervisor failed: {_described(cause)}",
        hint="Close files or connections, or raise the limit (`ulimit -n`)."
        if full
        else "The next call makes a new link; if that fails as well, look at the cause.",
        code="link_failed",
    )
    error.__cause__ = cause
    return error


def _described(error: BaseException) -> str:
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:  # an error whose text fails must not hide the failure
        return name
    return f"{name}: {text}" if text else name


def not_running(address: str) -> ServerUnavailableError:
    """Nothing answers, and nothing may be started."""
    return ServerUnavailableError(
        f"no Ollama server answers at {address}, and `autostart` is off",
        hint="Start one, call start_server(), or set `autostart` to true.",
        code="server_not_running",
        retryable=False,
    )


def start_unsupported(address: str) -> ServerUnavailableError:
    """Nothing answers, and this platform cannot start it."""
    return ServerUnavailableError(
        f"no Ollama server answers at {address}",
        hint="Starting one is not supported on this platform yet: start it by hand.",
        code="start_unsupported",
        retryable=False,
    )


def ends_again(address: str) -> ServerUnavailableError:
    """One supervisor after the other ended before it had granted what was asked."""
    return ServerUnavailableError(
        f"the supervisor of {address} ends again and again",
        hint="Look at the end of server_log().",
        code="supervisor_failed",
    )


def not_answering(address: str) -> ServerUnavailableError:
    """There is a supervisor that does not answer, and it could not be ended."""
    return ServerUnavailableError(
        f"the supervisor of {address} does not answer",
        hint="End it by hand, or restart the machine or container that it runs in.",
        code="supervisor_hung",
    )


def not_owned(address: str, what: str, *, remote: bool) -> ServerNotOwnedError:
    """The server is none of ours."""
    whose = "runs on another machine" if remote else "was not started by a manager"
    return ServerNotOwnedError(
        f"the Ollama server at {address} {whose}, so it cannot be {what} from here",
        hint="Use what started it (the desktop app, systemctl, a terminal).",
    )


def port_in_use(address: str, *, silent: bool) -> ServerStartError:
    """Something else has the port."""
    what = "does not answer HTTP" if silent else "is not Ollama"
    return ServerStartError(
        f"{address} is taken by a program that {what}",
        hint="Stop that program, or choose another `host`.",
        code="port_in_use",
    )


def spawn_failed(cause: BaseException) -> ServerStartError:
    """A supervisor could not be started, for a reason that nobody expected.

    Args:
        cause: What was raised.

    Returns:
        The error, not raised.
    """
    return ServerStartError(
        f"the supervisor of the Ollama server did not start: {_described(cause)}",
        hint="It needs the Python that runs this program, as a file that can be executed.",
        code="supervisor_failed",
    )


def not_stopped(address: str) -> ServerUnavailableError:
    """The server did not go in time."""
    return ServerUnavailableError(
        f"the server at {address} has not stopped yet", code="stop_timeout"
    )
