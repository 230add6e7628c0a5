"""The failures of httpx as ours, and ours as httpx's."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import httpx

from manager.transport.exceptions import (
    ConnectFailed,
    ConnectionLost,
    ConnectionsInUse,
    ConnectTimedOut,
    InvalidAnswer,
    InvalidEncoding,
    NeverSent,
    ProxyFailed,
    TransferTimedOut,
    TransportError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["StepEnded", "from_httpx", "to_httpx"]


class StepEnded(Exception):
    """A step of an exchange was ended from outside: by its limit, or by an abort."""


# The first class that fits counts. The words are for exceptions that have none of their own.
_OURS: Final[tuple[tuple[type[Exception], type[TransportError], str], ...]] = (
    (httpx.ConnectTimeout, ConnectTimedOut, "no connection in time"),
    (httpx.ReadTimeout, TransferTimedOut, "the server sent nothing in time"),
    (httpx.WriteTimeout, TransferTimedOut, "the server did not read the request in time"),
    (httpx.PoolTimeout, ConnectionsInUse, "all connections were in use for too long"),
    (httpx.TimeoutException, TransferTimedOut, "the time is up"),
    (httpx.ConnectError, ConnectFailed, "no connection could be made"),
    (httpx.UnsupportedProtocol, NeverSent, "the URL has a scheme that is not supported"),
    (httpx.LocalProtocolError, NeverSent, "the request is not valid HTTP"),
    (httpx.InvalidURL, NeverSent, "the URL is not valid"),
    (httpx.CookieConflict, NeverSent, "two cookies have the same name"),
    (httpx.DecodingError, InvalidEncoding, "the content coding of the answer is damaged"),
    (httpx.TransportError, ConnectionLost, "the connection was lost"),
    (httpx.StreamError, InvalidAnswer, "the body of the answer cannot be read"),
)

_HTTPX: Final[tuple[tuple[type[TransportError], type[httpx.RequestError]], ...]] = (
    (ProxyFailed, httpx.ProxyError),
    (ConnectFailed, httpx.ConnectError),
    (ConnectTimedOut, httpx.ConnectTimeout),
    (InvalidAnswer, httpx.RemoteProtocolError),
    (InvalidEncoding, httpx.DecodingError),
    (ConnectionsInUse, httpx.PoolTimeout),
    (NeverSent, httpx.LocalProtocolError),
)

# Causes that are looked through for the words of the system; each library adds one or two.
_DEEPEST: Final = 8


def from_httpx(error: Exception, *, has_head: bool) -> TransportError:
    """Return what an exception of an httpx transport is to us.

    A transport may raise anything. What is no failure of the network is a defect of the transport,
    and the same request would meet it again: ``NeverSent``, or ``InvalidAnswer`` after the head.

    Args:
        error: What was raised.
        has_head: Whether the head of the answer had arrived.
    """
    if isinstance(error, TransportError):
        return error
    if isinstance(error, httpx.ProxyError):
        return _proxy_failed(str(error))
    for theirs, ours, words in _OURS:
        if isinstance(error, theirs):
            return ours(_words(error) or words)
    if isinstance(error, TimeoutError):
        return TransferTimedOut(str(error) or "the time is up")
    if isinstance(error, OSError):  # those of ssl included
        if has_head or (isinstance(error, ConnectionError) and not _is_refusal(error)):
            return ConnectionLost(_words(error))
        return ConnectFailed(_words(error))
    if _is_of_anyio(error):
        return ConnectionLost("the connection was lost")
    defect = f"the transport raised {type(error).__name__}: {error}"
    return InvalidAnswer(defect) if has_head else NeverSent(defect)


def to_httpx(
    error: TransportError, request: httpx.Request, *, is_sending: bool = False
) -> httpx.RequestError:
    """Return the exception of httpx that says the same.

    Args:
        error: What the engine raised.
        request: The request.
        is_sending: Whether the request was still being sent.
    """
    text = str(error)
    for ours, theirs in _HTTPX:
        if isinstance(error, ours):
            return theirs(text, request=request)
    if isinstance(error, TransferTimedOut):
        timeout = httpx.WriteTimeout if is_sending else httpx.ReadTimeout
        return timeout(text, request=request)
    if is_sending:
        return httpx.WriteError(text, request=request)
    if isinstance(error.__cause__, OSError):
        return httpx.ReadError(text, request=request)
    return httpx.RemoteProtocolError(text, request=request)


def _proxy_failed(text: str) -> ProxyFailed:
    """Return the error; httpx begins its words with the status that the proxy answered with."""
    status = text[:3]
    return ProxyFailed(
        f"the proxy refused to connect to the server{': ' if text else ''}{text}",
        int(status) if status.isdecimal() and len(status) == 3 else 0,
    )


def _is_refusal(error: OSError) -> bool:
    return isinstance(error, ConnectionRefusedError)


def _is_of_anyio(error: Exception) -> bool:
    anyio = sys.modules.get("anyio")  # what has not been loaded has raised nothing
    return anyio is not None and isinstance(
        error,
        (
            anyio.BrokenResourceError,
            anyio.BusyResourceError,
            anyio.ClosedResourceError,
            anyio.EndOfStream,
        ),
    )


def _words(error: BaseException) -> str:
    """Return what the system says of the failure, or what the exception does."""
    deepest = str(error) or type(error).__name__ if isinstance(error, OSError) else str(error)
    for cause in _causes(error):
        if isinstance(cause, OSError):
            words = getattr(cause, "verify_message", None) or cause.strerror
            deepest = str(words) if words else deepest
    return deepest


def _causes(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    for _ in range(_DEEPEST):
        if current is None:
            return
        yield current
        current = current.__cause__ or current.__context__
