"""A connection on a blocking socket; written by hand, as its async twin is."""

from __future__ import annotations

import contextlib
import select
import socket
import sys
from typing import TYPE_CHECKING, Any, Final

from manager.forks import fork_generation
from manager.transport.exceptions import ConnectionLost, TransferTimedOut

if TYPE_CHECKING:
    from manager.transport.deadlines import Limit
    from manager.transport.http1 import ResponseParser

__all__ = ["Connection"]

# One read takes at most so much: the largest that a socket usually has ready.
_READ: Final = 65_536
# A request of this size fits into the socket's buffer: it is sent without looking for an answer.
_SMALL: Final = 65_536
# Shutting a socket down wakes a blocked reader on Linux; elsewhere that has not been shown.
_SLICE: Final = None if sys.platform == "linux" else 1.0


class Connection:
    """Carries one request and its answer at a time; docs/architecture.md has its states.

    Args:
        sock: A connected socket, TLS included.
        secure: Whether it is an ``ssl.SSLSocket``.
    """

    __slots__ = (
        "__weakref__",
        "_fork",
        "_is_aborted",
        "_is_secure",
        "_parser",
        "_poll",
        "_socket",
        "_timeout",
        "idle_since",
    )

    def __init__(self, sock: socket.socket, *, secure: bool) -> None:
        self._socket = sock
        self._is_secure = secure
        self._fork = fork_generation()
        self._parser: ResponseParser | None = None
        self._timeout: float | None = sock.gettimeout()
        self._is_aborted = False
        self._poll: Any = None
        self.idle_since: float = 0.0
        """When it was last given back, on the monotonic clock."""

    def begin(self, parser: ResponseParser) -> None:
        """Have what arrives from now on parsed as the answer to the next request."""
        self._parser = parser

    def end(self) -> None:
        """Expect nothing until the next request."""
        self._parser = None

    def send(self, data: bytes, limit: Limit) -> None:
        """Send bytes; return early if the server has answered without reading them all.

        Raises:
            TransferTimedOut: The server did not read in time.
            ConnectionLost: The connection ended.
            InvalidAnswer: The server sent something else than an answer.
        """
        try:
            if len(data) <= _SMALL:
                self._set_timeout(limit.seconds())
                self._socket.sendall(data)
            else:
                self._send_and_listen(memoryview(data), limit)
        except TimeoutError:
            raise TransferTimedOut("the server did not read the request in time") from None
        except OSError as error:
            raise self._lost(error) from error

    def _send_and_listen(self, data: memoryview, limit: Limit) -> None:
        self._set_timeout(0)
        while data and not self._has_answer():
            try:
                data = data[self._socket.send(data[:_READ]) :]
            except OSError as error:
                if not _would_block(error):
                    raise
                if not self._wait(limit.seconds(), select.POLLIN | select.POLLOUT):
                    raise TimeoutError from None
            if self.has_unread():
                self._take_what_is_there()

    def _has_answer(self) -> bool:
        return self._parser is not None and self._parser.has_head

    def _take_what_is_there(self) -> None:
        try:
            data = self._socket.recv(_READ)
        except OSError as error:
            if not _would_block(error):
                raise
        else:
            self._feed(data)

    def receive(self, limit: Limit) -> None:
        """Wait until more of the answer has arrived, and parse it.

        Raises:
            TransferTimedOut: Nothing arrived in time.
            ConnectionLost: The connection ended before the answer was complete.
            InvalidAnswer: What arrived is not an answer.
        """
        while True:
            seconds = limit.seconds()
            is_slice = _SLICE is not None and (seconds is None or seconds > _SLICE)
            self._set_timeout(_SLICE if is_slice else seconds)
            try:
                data = self._socket.recv(_READ)
            except TimeoutError:
                if is_slice and not self._is_aborted:
                    continue
                raise TransferTimedOut("the server sent nothing in time") from None
            except OSError as error:
                raise self._lost(error) from error
            self._feed(data)
            return

    def _feed(self, data: bytes) -> None:
        parser = self._parser
        if self._is_aborted or parser is None:
            raise ConnectionLost("the connection was closed by this program")
        if data:
            parser.feed(data)
        else:
            parser.feed_end()

    def _set_timeout(self, seconds: float | None) -> None:
        if seconds != self._timeout:  # each change is a system call
            self._socket.settimeout(seconds)
            self._timeout = seconds

    def _wait(self, seconds: float | None, events: int) -> bool:
        poll = select.poll()
        poll.register(self._socket, events)
        return bool(poll.poll(None if seconds is None else seconds * 1000))

    def has_unread(self) -> bool:
        """Whether something has arrived that was not read, the end of the connection included."""
        try:
            if self._poll is None:
                self._poll = select.poll()
                self._poll.register(self._socket, select.POLLIN)
            return bool(self._poll.poll(0))
        except (OSError, ValueError):  # it is closed
            return True

    def is_usable(self) -> bool:
        """Whether another request may be sent: the idle connection has neither ended nor spoken."""
        if self._is_aborted or self._fork != fork_generation():
            return False
        if not self.has_unread():
            return True
        if not self._is_secure:
            return False
        try:  # a session ticket of TLS 1.3, perhaps
            self._set_timeout(0)
            self._socket.recv(1)
        except OSError as error:
            return _would_block(error)
        return False

    def abort(self) -> None:
        """End the connection, from any thread: who waits for it wakes up, the server stops.

        In a forked child nothing happens: the connection is the parent's.
        """
        self._is_aborted = True
        if self._fork == fork_generation():
            with contextlib.suppress(OSError):
                # SSLSocket's own method would drop the TLS layer under a blocked reader, which
                # would then receive the raw records
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """End the connection and free its descriptor; nobody may be waiting for it."""
        self.abort()
        self._parser = None
        self._socket.close()

    def keep_for_parent(self) -> None:
        """In a forked child: let go of the parent's connection without ending it."""
        self._socket.close()

    def __del__(self) -> None:
        sock: socket.socket | None = getattr(self, "_socket", None)
        if sock is not None:
            sock.close()  # of a stream that was forgotten

    def _lost(self, error: OSError) -> ConnectionLost:
        if self._is_aborted:
            return ConnectionLost("the connection was closed by this program")
        return ConnectionLost(str(error.strerror or error) or type(error).__name__)


def _would_block(error: OSError) -> bool:
    if isinstance(error, BlockingIOError):
        return True
    ssl = sys.modules.get("ssl")  # loaded only where it is used
    return ssl is not None and isinstance(error, ssl.SSLWantReadError | ssl.SSLWantWriteError)
