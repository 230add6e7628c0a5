"""A connection on an event loop; written by hand, as its sync twin is."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
from typing import TYPE_CHECKING, Final, cast

from manager.forks import fork_generation, keep
from manager.transport.exceptions import ConnectionLost, TransferTimedOut
from manager.transport.sockets import wait_for

if TYPE_CHECKING:
    import ssl

    from manager.transport.deadlines import Limit
    from manager.transport.http1 import ResponseParser

__all__ = ["AsyncConnection"]

# One read takes at most so much: the largest that a socket usually has ready.
_READ: Final = 65_536
# The server is held back while so many bytes of an answer wait to be read.
_HIGH_WATER: Final = 262_144
# A request is handed over in pieces of this size: the silence limit is for each.
_PIECE: Final = 65_536

# What arrives is parsed before the next read begins, so one buffer serves all connections of a
# thread. Windows' event loop reads in the background: there each connection has its own.
_buffers = threading.local()


def _buffer() -> memoryview:
    if sys.platform == "win32":
        return memoryview(bytearray(_READ))
    buffer: memoryview | None = getattr(_buffers, "shared", None)
    if buffer is None:
        buffer = _buffers.shared = memoryview(bytearray(_READ))
    return buffer


class AsyncConnection(asyncio.BufferedProtocol):
    """Carries one request and its answer at a time; docs/architecture.md has its states.

    The event loop calls the methods of ``asyncio.BufferedProtocol``.

    Args:
        sock: A connected socket, which the event loop is about to get.
    """

    __slots__ = (
        "__weakref__",
        "_buffer",
        "_deadline",
        "_ending",
        "_error",
        "_fork",
        "_has_ended",
        "_has_news",
        "_is_aborted",
        "_is_congested",
        "_is_paused",
        "_is_secure",
        "_loop",
        "_parser",
        "_socket",
        "_thread",
        "_timer",
        "_timer_due",
        "_transport",
        "_waiter",
        "idle_since",
        "is_sent",
    )

    def __init__(self, sock: socket.socket) -> None:
        self._socket: socket.socket | None = sock  # None once the event loop closes it
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._fork = fork_generation()
        self._buffer = _buffer()
        self._transport: asyncio.Transport | None = None
        self._parser: ResponseParser | None = None
        self._error: BaseException | None = None
        self._waiter: asyncio.Future[bool] | None = None
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0.0
        self._has_ended = False
        self._is_aborted = False
        self._is_congested = False  # what was written waits to be sent
        self._is_paused = False
        self._is_secure = False
        self._has_news = False  # something of the answer has arrived since the last ``receive``
        # An abort must not shut down a descriptor that was closed, and is another socket's by now.
        # Re-entrant: a signal handler may abort what its thread is closing.
        self._ending = threading.RLock()
        self.is_sent: bool = True
        """Whether the server has been sent all of the request, or the event loop is doing it."""
        self.idle_since: float = 0.0
        """When it was last given back, on the monotonic clock."""

    def begin(self, parser: ResponseParser) -> None:
        """Have what arrives from now on parsed as the answer to the next request."""
        self._parser = parser
        self._has_news = False
        self.is_sent = True

    def end(self) -> None:
        """Expect nothing until the next request."""
        self._parser = None
        self._resume()

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._take_over(cast("asyncio.Transport", transport))

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._feed(self._buffer[:nbytes])
        self._wake()

    def eof_received(self) -> None:
        self._has_ended = True
        if self._parser is not None:
            try:
                self._parser.feed_end()
            except ConnectionLost:
                pass  # ``receive`` says so, once what came before has been read
            except BaseException as error:
                self._fail(error)
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None and not self._is_secure:
            self._read_rest()
        with self._ending:
            self._socket = None
        if not self._has_ended:
            self._has_ended = True
            if self._error is None:
                self._error = self._lost(exc)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake()

    def pause_writing(self) -> None:
        self._is_congested = True

    def resume_writing(self) -> None:
        self._is_congested = False
        self._wake()

    # What an exchange calls

    @property
    def is_aborted(self) -> bool:
        """Whether this program has ended it."""
        return self._is_aborted

    async def start_tls(self, context: ssl.SSLContext, server_name: str) -> None:
        """Encrypt everything from here on; nothing may have arrived that was not asked for.

        Raises:
            ConnectionLost: The connection was aborted.
            OSError: The handshake failed.
            ValueError: The name is not one that a certificate can have.
        """
        self._parser = None
        try:
            if self._transport is not None and not self._has_ended:
                secured = await self._loop.start_tls(
                    self._transport, self, context, server_hostname=server_name
                )
                if secured is not None:
                    self._take_over(secured)
        except OSError:
            if not self._is_aborted:
                raise
        if self._is_aborted:
            raise ConnectionLost("the connection was closed by this program")
        if not self._is_secure or self._has_ended:
            raise ConnectionAbortedError("the connection ended")

    async def send(self, data: bytes, limit: Limit) -> None:
        """Send bytes; return early if the server has answered without reading them all.

        Args:
            data: A part of the request.
            limit: How long the server may take to read each piece.

        Raises:
            TransferTimedOut: The server did not read in time.
            ConnectionLost: The connection ended.
            InvalidAnswer: The server sent something else than an answer.
        """
        if len(data) <= _PIECE:
            await self._send_piece(data, limit)
            return
        view = memoryview(data)
        for start in range(0, len(data), _PIECE):
            if self._is_secure and self.has_unread():
                # Writing to a connection that the server has ended would lose its answer: let the
                # event loop look at it, which it does after what is scheduled already.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            if self._has_answer():
                self.is_sent = False
                return
            await self._send_piece(view[start : start + _PIECE], limit)

    async def _send_piece(self, data: bytes | memoryview, limit: Limit) -> None:
        self._check()
        assert self._transport is not None
        self._transport.write(data)
        # where that failed, the event loop says so in a moment
        while self._is_congested or (self._transport.is_closing() and not self._has_ended):
            if self._has_answer():
                self.is_sent = False
                return
            await self._wait(limit.seconds(), "the server did not read the request in time")
            self._check()

    def _has_answer(self) -> bool:
        return self._parser is not None and self._parser.has_head

    async def receive(self, limit: Limit) -> None:
        """Wait until more of the answer has arrived, and parse it.

        Raises:
            TransferTimedOut: Nothing arrived in time.
            ConnectionLost: The connection ended before the answer was complete.
            InvalidAnswer: What arrived is not an answer.
        """
        seconds = limit.seconds()
        if not self._has_news:
            self._check()
            self._resume()
            await self._wait(seconds, "the server sent nothing in time")
        # what came before the end of the connection is read first
        if not self._has_news or self._is_aborted:
            self._check()
        self._has_news = False

    def _check(self) -> None:
        if self._is_aborted or self._transport is None:
            raise ConnectionLost("the connection was closed by this program")
        if self._error is not None:
            raise self._error
        if self._has_ended and not (self._parser is not None and self._parser.is_complete):
            raise ConnectionLost("the server ended the connection")

    async def _wait(self, seconds: float | None, too_late: str) -> None:
        self._arm(seconds)
        self._waiter = waiter = self._loop.create_future()
        try:
            is_in_time = await waiter
        finally:
            # the timer goes on: most waits are short, and it looks at the next one when it is due
            self._waiter = self._deadline = None
        if not is_in_time:
            raise TransferTimedOut(too_late)

    def _arm(self, seconds: float | None) -> None:
        if seconds is None:
            self._deadline = None
            return
        self._deadline = deadline = self._loop.time() + seconds
        if self._timer is not None and self._timer_due <= deadline:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = deadline
        self._timer = self._loop.call_at(deadline, self._look_at_deadline)

    def _look_at_deadline(self) -> None:
        self._timer = None
        deadline, waiter = self._deadline, self._waiter
        if deadline is None or waiter is None:
            return
        if deadline > self._loop.time():
            self._timer_due = deadline
            self._timer = self._loop.call_at(deadline, self._look_at_deadline)
        elif not waiter.done():
            waiter.set_result(False)

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(True)

    def _pause(self) -> None:
        if not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._is_paused and self._transport is not None:
            self._is_paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def _take_over(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._is_secure = transport.get_extra_info("ssl_object") is not None

    def _feed(self, data: bytes | memoryview) -> None:
        parser = self._parser
        if parser is None:
            self._has_ended = True  # nothing was asked
            self._drop()
            return
        try:
            parser.feed(data)
            self._has_news = True
            if len(parser.body) > 1 and sum(map(len, parser.body)) > _HIGH_WATER:
                self._pause()
        except BaseException as error:  # the event loop would only log it
            self._fail(error)

    def _read_rest(self) -> None:
        """Read what had arrived when sending failed; the event loop would drop it."""
        sock = self._socket
        with contextlib.suppress(OSError):
            while sock is not None and self._parser is not None and self._error is None:
                data = sock.recv(_READ)
                if not data:
                    break
                self._feed(data)

    def _fail(self, error: BaseException) -> None:
        self._error = error
        self._drop()

    def has_unread(self) -> bool:
        """Whether something has arrived that was not read, the end of the connection included."""
        parser = self._parser
        if self._has_ended or (parser is not None and (parser.body or parser.is_complete)):
            return True
        # a busy event loop may have more to read than it knows
        sock = self._socket
        try:
            descriptor = -1 if sock is None else sock.fileno()
            return wait_for(descriptor, 0, readable=True, writable=False)
        except (OSError, ValueError):  # it is closed
            return True

    def is_usable(self) -> bool:
        """Whether another request may be sent: the idle connection has neither ended nor spoken."""
        if self._is_aborted or self._has_ended or self._fork != fork_generation():
            return False
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        # The event loop may not have looked since the server ended it. Of TLS there may be more to
        # read that is not an end, such as a session ticket, but rarely at this moment.
        return not self.has_unread()

    def abort(self) -> None:
        """End the connection, from any thread: who waits for it wakes up, the server stops.

        In a forked child nothing happens: the connection is the parent's.
        """
        if self._fork != fork_generation():
            return
        self._is_aborted = True
        is_elsewhere = threading.get_ident() != self._thread or not self._loop.is_running()
        if is_elsewhere or self._transport is None:
            self._shut_down()  # at once, however busy the event loop is
        with contextlib.suppress(RuntimeError):  # the event loop is closed
            # not directly: the garbage collector calls this too, in the middle of anything
            self._loop.call_soon_threadsafe(self._drop)

    def _shut_down(self) -> None:
        with self._ending, contextlib.suppress(OSError):
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the connection and free its descriptor; nobody may be waiting for it."""
        self._is_aborted = True
        self._drop()

    def keep_for_parent(self) -> None:
        """In a forked child: keep the parent's connection; closing it would stop the parent's."""
        keep(self)

    def _drop(self) -> None:
        if self._fork == fork_generation() and self._transport is not None:
            self._shut_down()  # a forked child may hold the descriptor, too
            with contextlib.suppress(RuntimeError):  # the event loop is closed
                self._transport.abort()

    def _lost(self, error: Exception | None) -> ConnectionLost:
        if self._is_aborted:
            return ConnectionLost("the connection was closed by this program")
        if error is None:
            return ConnectionLost("the server ended the connection")
        words = error.strerror if isinstance(error, OSError) else None
        lost = ConnectionLost(words or str(error) or type(error).__name__)
        lost.__cause__ = error
        return lost
