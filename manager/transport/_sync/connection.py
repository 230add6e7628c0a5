"""A connection on a blocking socket; written by hand, as its async twin is."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from typing import TYPE_CHECKING, Final

from manager.forks import fork_generation
from manager.transport.exceptions import ConnectionLost, TransferTimedOut
from manager.transport.sockets import wait_for

if TYPE_CHECKING:
    import ssl

    from manager.transport.deadlines import Limit
    from manager.transport.http1 import ResponseParser

__all__ = ["Connection"]

# One read takes at most so much: the largest that a socket usually has ready.
_READ: Final = 65_536
# So much of a request fits into the buffers on its way: it is sent without looking for an answer.
_SMALL: Final = 65_536
# Reads that empty the system's buffer, which has 6 MiB on Linux; the server may send meanwhile.
_MAX_DRAINED: Final = 200
# Shutting a socket down wakes a blocked reader on Linux; elsewhere that has not been shown.
_SLICE: Final = None if sys.platform == "linux" else 1.0


class Connection:
    """Carries one request and its answer at a time; docs/architecture.md has its states.

    Args:
        sock: A connected socket, which is the connection's from now on.
    """

    __slots__ = (
        "__weakref__",
        "_ending",
        "_fork",
        "_has_ended",
        "_is_aborted",
        "_is_secure",
        "_parser",
        "_sent",
        "_socket",
        "_timeout",
        "idle_since",
        "is_sent",
    )

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._is_secure = False
        self._fork = fork_generation()
        self._parser: ResponseParser | None = None
        self._timeout: float | None = sock.gettimeout()
        self._is_aborted = False
        self._has_ended = False  # or spoken, while it was idle
        # An abort must not shut down a descriptor that was closed, and is another socket's by now.
        # Re-entrant: a signal handler may abort what its thread is closing.
        self._ending = threading.RLock()
        self._sent = 0
        self.is_sent: bool = True
        """Whether the server has been sent all of the request."""
        self.idle_since: float = 0.0
        """When it was last given back, on the monotonic clock."""

    @property
    def is_aborted(self) -> bool:
        """Whether this program has ended it."""
        return self._is_aborted

    def start_tls(self, context: ssl.SSLContext, server_name: str, limit: Limit) -> None:
        """Encrypt everything from here on.

        Raises:
            TransferTimedOut: The handshake was not complete in time.
            ConnectionLost: The connection was aborted.
            OSError: The handshake failed.
            ValueError: The name is not one that a certificate can have.
        """
        self._parser = None
        self._set_timeout(limit.seconds())
        try:
            # the handshake comes later, so that the socket is always somebody's who closes it
            self._socket = secured = context.wrap_socket(
                self._socket, server_hostname=server_name, do_handshake_on_connect=False
            )
            self._is_secure = True
            secured.do_handshake()
        except OSError as error:
            if not _is_of_the_socket(error):
                raise
            if isinstance(error, TimeoutError):
                raise TransferTimedOut("the TLS handshake was not complete in time") from None
            if self._is_aborted:
                raise self._lost(error) from error
            raise
        if self._is_aborted:
            raise ConnectionLost("the connection was closed by this program")

    def begin(self, parser: ResponseParser) -> None:
        """Have what arrives from now on parsed as the answer to the next request."""
        self._parser = parser
        self._sent = 0
        self.is_sent = True

    def end(self) -> None:
        """Expect nothing until the next request."""
        self._parser = None

    def send(self, data: bytes, limit: Limit) -> None:
        """Send bytes; return early if the server has answered without reading them all.

        Args:
            data: A part of the request.
            limit: How long the server may take to read.

        Raises:
            TransferTimedOut: The server did not read in time.
            ConnectionLost: The connection ended.
            InvalidAnswer: The server sent something else than an answer.
        """
        self._sent += len(data)
        try:
            if self._sent <= _SMALL:
                self._set_timeout(limit.seconds())
                self._socket.sendall(data)
            else:
                self._send_and_listen(memoryview(data), limit)
        except OSError as error:
            if not _is_of_the_socket(error):
                raise
            if isinstance(error, TimeoutError):
                raise TransferTimedOut("the server did not read the request in time") from None
            raise self._lost(error) from error

    def _send_and_listen(self, data: memoryview, limit: Limit) -> None:
        self._set_timeout(0)
        while data and not self._has_answer():
            try:
                data = data[self._socket.send(data[:_READ]) :]
            except OSError as error:
                if not _would_block(error):
                    raise
                if not wait_for(self._socket, limit.seconds(), readable=True, writable=True):
                    raise TransferTimedOut("the server did not read the request in time") from None
            if self.has_unread():
                self._take_what_is_there()
        if data:
            self.is_sent = False

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
            except OSError as error:
                if not _is_of_the_socket(error):
                    raise
                if isinstance(error, TimeoutError):
                    if is_slice and not self._is_aborted:
                        continue
                    raise TransferTimedOut("the server sent nothing in time") from None
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

    def has_unread(self) -> bool:
        """Whether something has arrived that was not read, the end of the connection included."""
        try:
            return wait_for(self._socket, 0, readable=True, writable=False)
        except (OSError, ValueError):  # it is closed
            return True

    def is_usable(self) -> bool:
        """Whether another request may be sent: the idle connection has neither ended nor spoken."""
        if self._is_aborted or self._has_ended or self._fork != fork_generation():
            return False
        if self.has_unread():
            self._has_ended = not self._is_secure or self._has_body()
        return not self._has_ended

    def _has_body(self) -> bool:
        """Whether what has arrived over TLS is more than a session ticket, or the end."""
        self._set_timeout(0)
        try:
            self._socket.recv(1)
        except OSError as error:
            return not _would_block(error)
        return True

    def abort(self) -> None:
        """End the connection, from any thread: who waits for it wakes up, the server stops.

        In a forked child nothing happens: the connection is the parent's.
        """
        if self._fork == fork_generation():
            self._is_aborted = True
            with self._ending:
                # Room before the end, which the system announces to a server that waits for it;
                # and after it, for the server that has used that up meanwhile, and asks again.
                for step in (self._make_room, self._shut_down, self._make_room):
                    with contextlib.suppress(OSError):
                        step()

    def _make_room(self) -> None:
        """Read what nobody will: a server that waits for room would not find out about the end."""
        # A copy has no timeout of its own, so this never waits. Made upon a socket that is there
        # already: an exception of a signal handler would lose the descriptor that os.dup() returns.
        with socket.socket() as same:
            os.dup2(self._socket.fileno(), same.fileno(), inheritable=False)
            for _ in range(_MAX_DRAINED):
                try:
                    if not same.recv(_READ, socket.MSG_DONTWAIT):
                        break
                except BlockingIOError:
                    break

    def _shut_down(self) -> None:
        # SSLSocket's own method would drop the TLS layer under a blocked reader, which would then
        # receive the raw records
        socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """End the connection and free its descriptor; nobody may be waiting for it."""
        self._parser = None
        if self._fork != fork_generation():
            self.keep_for_parent()
            return
        self._is_aborted = True
        with self._ending:
            with contextlib.suppress(OSError):
                self._shut_down()  # a forked child may hold the descriptor, too
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


def _is_of_the_socket(error: OSError) -> bool:
    """Whether a socket raised it, rather than a signal handler: TimeoutError is popular there."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    where = None if traceback is None else traceback.tb_frame.f_globals.get("__name__")
    # the sockets of green threads have frames of their own
    known = (__name__.partition(".")[0], "ssl", "socket", "eventlet", "gevent")
    return where is not None and where.partition(".")[0] in known


def _would_block(error: OSError) -> bool:
    if isinstance(error, BlockingIOError):
        return True
    ssl = sys.modules.get("ssl")  # loaded only where it is used
    return ssl is not None and isinstance(error, ssl.SSLWantReadError | ssl.SSLWantWriteError)
