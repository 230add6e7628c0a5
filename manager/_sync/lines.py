# generated from manager/_async/lines.py by codegen.sh - do not edit
"""The lines of a streamed answer, decoded one by one."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from manager._sync.body import Body, give_back
from manager.connections import connection_of, discard_unread, has_unread, let_go, shut_down
from manager.errors import InvalidRequestError, OllamaManagerError, StreamInterruptedError
from manager.failures import as_object, error_from_line
from manager.forks import keep
from manager.in_flight import Waiting
from manager.lean_httpx import httpx
from manager.ndjson import LineSplitter, LineTooLongError
from manager.waiting_sync import check_home_sync, home_sync, later_sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from manager._sync.server import Server
    from manager._sync.transport import Transport
    from manager.calls import Call
    from manager.in_flight import InFlight

__all__ = ["Lines"]

T = TypeVar("T")

# How long the end of a body may take after its last line.
_END_SECONDS = 1.0


def _do_nothing() -> None:
    pass


def _abandon(
    response: httpx.Response, body: object, call: Call[Any], in_flight: InFlight[Any], owner: int
) -> None:
    """End the connection of a stream that was forgotten; the next call gives it back."""
    if owner != os.getpid():
        let_go(connection_of(response))
        keep(response, body)
        return
    shut_down(connection_of(response), owner)
    discard_unread(connection_of(response))
    in_flight.left(call.request.operation_id, call.model)
    in_flight.forgot((response, body, call))  # collected here, they would take httpcore's locks


class Lines(Generic[T]):
    """Iterates over the typed lines of one answer; made by the transport.

    Ends when the body ends. Raises ``APIError`` on an error line, ``ServerUnavailableError`` when
    the connection is lost, ``RequestTimeoutError`` when the server is silent for too long and
    ``ResponseDecodeError`` on a line that cannot be read. What that means for the call is for the
    reader to say: ``call.fail``.
    """

    def __init__(
        self,
        response: httpx.Response,
        call: Call[T],
        in_flight: InFlight[Lines[Any]],
        server: Server,
        transport: Transport,
    ) -> None:
        self.call = call
        self.restarts = False
        """Whether it is sent again, as often as any call, if it is lost before its first line."""
        self._server = server  # also keeps the lease of a manager that nobody holds any more
        self._transport = transport
        self._in_flight = in_flight
        self._owner = os.getpid()
        self._home = home_sync()
        self._waiting_since: float | None = None  # for bytes, on the monotonic clock
        self._waiting: list[bytes] = []  # the next one last; a deque would be four times the size
        self._last: T | None = None
        self._restarting = False
        self._cancelled = False
        self._reading = threading.Lock()
        self._begin(response)

    def _begin(self, response: httpx.Response) -> None:
        """Take up an answer, whose body is unread."""
        call, in_flight = self.call, self._in_flight
        self._response = response
        call.hold.answered()
        call.hold.limit(None)
        self._closed = False
        in_flight.opened(self)
        # looked up when the body is begun
        response.request.extensions["timeout"]["read"] = call.timeouts.chunk
        self._body = Body(response)
        # also where nobody reads: the server is to stop
        left = call.left()
        self._cancel_deadline: Callable[[], None] = (
            _do_nothing if left is None else later_sync(max(left, 0.0), call.hold.hang_up)
        )
        self._splitter = LineSplitter()
        self._waiting.clear()
        self._size = 0
        self._exhausted = False
        # Nobody else holds the connection: whatever becomes of a stream, the server is to stop.
        self._forgotten = weakref.finalize(
            self, _abandon, response, self._body, call, in_flight, self._owner
        )
        self._forgotten.atexit = False

    def __iter__(self) -> Iterator[T]:
        return self

    def take(self) -> T | None:
        """Return the next line if it has come already, without the detour of waiting for it.

        ``None`` says nothing but that ``next`` knows: it waits, or ends, or raises.
        """
        if self._closed or not self._reading.acquire(blocking=False):
            return None
        try:
            if not self._waiting:
                return None
            self._last = item = self._decoded(self._waiting[-1])
            self._waiting.pop()
        except OllamaManagerError:
            return None  # ``next`` meets it again, and cleans up
        except BaseException as error:
            self._abort(error)
            raise
        finally:
            self._reading.release()
        return item

    def __next__(self) -> T:
        check_home_sync(self._home)
        if not self._reading.acquire(blocking=False):
            if self._closed:  # it is being closed, by another thread
                raise StopIteration
            raise InvalidRequestError(
                "this stream is being read already", hint="a stream has one consumer at a time"
            )
        try:
            return self._next()
        finally:
            self._reading.release()

    def _next(self) -> T:
        while True:
            try:
                while not self._waiting and not self._exhausted and not self._closed:
                    self._read()
                if self._closed or not self._waiting:
                    self._dispose()
                    raise StopIteration
                self._last = item = self._decoded(self._waiting.pop())
                return item
            except OllamaManagerError as error:
                self._dispose()
                if self._cancelled:
                    raise StopIteration from None
                if not self.restarts or self._last is not None:
                    raise
                lost = error
            except StopIteration:
                raise
            except BaseException as error:  # a cancelled task, Ctrl-C: the server must stop
                self._abort(error)
                raise
            self._restart(lost)

    def _restart(self, error: OllamaManagerError) -> None:
        """Send the request of a stream again of which nothing has been handed over.

        Raises:
            OllamaManagerError: ``call.outcome`` of what it ended with.
        """
        self._restarting = True
        try:
            self._transport.reopen(self.call, error, self._begin)
        except OllamaManagerError:
            if not self._cancelled:
                raise
        finally:
            self._restarting = False
        if self._cancelled:  # meanwhile
            self._dispose()
            raise StopIteration

    def _abort(self, error: BaseException) -> None:
        self.call.cancel(type(error).__name__)
        self._shut_down()
        self._cancel_deadline()
        self._closed = True
        self.call.end_turn()  # who reads no further may hold it for long, without closing it
        self._forget()

    def _read(self) -> None:
        """Take in the next piece of the body."""
        self.call.remaining()
        self._waiting_since = time.monotonic()
        try:
            self._splitter.check()  # what came before a line that is too long has been read
            data = self._body.read()
            if data is not None:
                self._size += len(data)
                lines = self._splitter.feed(data)
                lines.reverse()
                self._waiting[:0] = lines
                return
        except LineTooLongError as error:
            raise self.call.line_too_long(error) from error
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            if not self._cancelled:
                self._server.suspect()
            raise self.call.lost(error, answering=True) from error
        finally:
            self._waiting_since = None
        self._exhausted = True
        self.call.remaining()  # passed, it looks like the end of the body
        if (rest := self._splitter.finish()) is not None:
            self._waiting.insert(0, rest)

    def _decoded(self, line: bytes) -> T:
        data = self.call.parse(line)
        fields = as_object(data)
        if fields.get("error") is not None:
            raise error_from_line(fields, attempts=self.call.attempts, **self.call.context)
        return self.call.typed(data, line)

    def waiting(self) -> Waiting | None:
        """Return for how long bytes have been waited for, if they are now; from any thread."""
        since = self._waiting_since
        # a busy event loop, or a suspended thread, may have more to read than it knows
        if since is None or has_unread(connection_of(self._response)):
            return None
        call = self.call
        return Waiting(call.request.operation_id, call.model, since, begun=self._size > 0)

    @property
    def closed_by_us(self) -> bool:
        """Whether ``close()`` ended the stream, rather than the server."""
        return self._cancelled

    def complete(self) -> None:
        """Note that the line that says "nothing follows" has been read, and free the connection."""
        self._finish()
        if not self._reading.acquire(blocking=False):
            return  # it is being closed
        try:
            if not self._exhausted:
                end = time.monotonic() + _END_SECONDS
                self.call.hold.limit(lambda: end - time.monotonic())
            with contextlib.suppress(OllamaManagerError):  # the answer is complete all the same
                # the end of the body: without it the connection could not be used again
                while not self._exhausted and not self._closed:
                    self._read()
            self._dispose()
        except BaseException as error:
            self._abort(error)
            raise
        finally:
            self._reading.release()

    def _finish(self) -> None:
        response = self._response
        self.call.finish(response.status_code, self._size, response.headers, self._last)

    def interrupted(self) -> StreamInterruptedError:
        """Return the error for a stream that ended before its last line, and note the failure."""
        error = StreamInterruptedError(
            "the stream was closed before its last line"
            if self._cancelled
            else "the stream ended before its last line",
            hint=None
            if self._cancelled
            else "the server or its runner was lost; send the request again",
            retryable=not self._cancelled,
            attempts=self.call.attempts,
            **self.call.context,
        )
        self.call.fail(error)
        return error

    def close(self) -> None:
        """End the stream: the connection closes, and the server stops generating.

        May come from another thread or task than the one that reads; that one's iteration ends.
        In a forked child of the process that opened it, the parent's stream goes on.
        """
        if self._owner != os.getpid():
            self._dispose()
            return
        if not self._closed or self._restarting:
            self._cancelled = True
            self._closed = True
            self._finish()
        self._shut_down()
        if self._home is not home_sync():
            return  # it has been ended; what is left of it belongs to another event loop
        if self._reading.acquire(blocking=False):
            try:
                self._dispose()
            finally:
                self._reading.release()

    def _shut_down(self) -> None:
        if not self._exhausted:
            self.call.hold.hang_up()

    def _dispose(self) -> None:
        self._closed = True
        if self._owner != os.getpid():
            self._forgotten()
            return
        self._forgotten.detach()
        self._cancel_deadline()
        try:
            give_back(self._response)
        finally:
            self.call.end_turn()
            self._forget()

    def _forget(self) -> None:
        if self._in_flight.closed(self) and self._size and not self._exhausted:
            call = self.call
            self._in_flight.left(call.request.operation_id, call.model)
