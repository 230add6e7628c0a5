# generated from manager/_async/lines.py by codegen.sh - do not edit
"""The lines of a streamed answer, decoded one by one."""

from __future__ import annotations

import contextlib
import time
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from manager.decoding import line_too_long, parse_json, typed_result
from manager.errors import InvalidRequestError, OllamaManagerError, StreamInterruptedError
from manager.failures import as_object, error_from_line
from manager.forks import fork_generation
from manager.in_flight import Waiting
from manager.ndjson import LineSplitter, LineTooLongError
from manager.transport.deadlines import Limit
from manager.transport.exceptions import TransportError
from manager.waiting_sync import check_home_sync, home_sync, later_sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from manager._sync.attempt import Attempt
    from manager._sync.server import Server
    from manager._sync.transport import Transport
    from manager.in_flight import InFlight
    from manager.transport.call import Call

__all__ = ["Lines"]

T = TypeVar("T")

# How long the end of a body may take after its last line.
_END_SECONDS = 1.0


def _do_nothing() -> None:
    pass


def _abandon(attempt: Attempt, in_flight: InFlight[Any]) -> None:
    """End a stream that was forgotten; the garbage collector may call this at any moment."""
    attempt.abort()
    attempt.free_slot()
    in_flight.left(attempt.call.request.operation_id, attempt.call.model)
    in_flight.forgot(attempt.call)


def _abort(reference: weakref.ref[Attempt]) -> None:
    """End an attempt, unless it has gone together with its stream."""
    if (attempt := reference()) is not None:
        attempt.abort()


class Lines(Generic[T]):
    """Iterates over the typed lines of one answer; made by the transport.

    Ends when the body ends. Raises ``APIError`` on an error line, ``ServerUnavailableError`` when
    the connection is lost, ``RequestTimeoutError`` when the server is silent for too long and
    ``ResponseDecodeError`` on a line that cannot be read. What that means for the call is for the
    reader to say: ``call.fail``.
    """

    def __init__(
        self,
        attempt: Attempt,
        in_flight: InFlight[Lines[Any]],
        server: Server,
        transport: Transport,
    ) -> None:
        self.call: Call[T] = attempt.call
        self.restarts = False
        """Whether it is sent again, as often as any call, if it is lost before its first line."""
        self._server = server  # also keeps the lease of a manager that nobody holds any more
        self._transport = transport
        self._in_flight = in_flight
        self._fork = fork_generation()
        self._home = home_sync()
        self._waiting_since: float | None = None  # for bytes, on the monotonic clock
        self._waiting: list[bytes] = []  # the next one last; a deque would be four times the size
        self._last: T | None = None
        self._restarting = False
        self._cancelled = False
        # Not a lock: an exception of a signal handler right after it was taken would leave it held.
        self._readers: list[object] = []  # the first one reads, the others are refused
        self._begin(attempt)

    def _begin(self, attempt: Attempt) -> None:
        """Take up an answer, whose body is unread."""
        self._attempt = attempt
        self._limit = attempt.call.deadlines.streaming()
        self._closed = False
        # Nobody else holds the connection: whatever becomes of a stream, the server is to stop.
        self._in_flight.opened(self, partial(_abandon, attempt, self._in_flight))
        # also where nobody reads: the server is to stop
        left = attempt.call.deadlines.left()
        self._cancel_deadline: Callable[[], None] = (
            _do_nothing
            if left is None
            else later_sync(max(left, 0.0), partial(_abort, weakref.ref(attempt)))
        )
        self._splitter = LineSplitter()
        self._waiting.clear()
        self._size = 0

    def __iter__(self) -> Iterator[T]:
        return self

    def take(self) -> T | None:
        """Return the next line if it has come already, without the detour of waiting for it.

        ``None`` says nothing but that ``next`` knows: it waits, or ends, or raises.
        """
        if self._closed or self._readers:
            return None
        try:
            line = self._waiting.pop()
        except IndexError:
            return None
        try:
            self._last = item = self._decoded(line)
        except OllamaManagerError:
            self._waiting.append(line)
            return None  # ``next`` meets it again, and cleans up
        except BaseException as error:
            self._abort(error)
            raise
        return item

    def __next__(self) -> T:
        if self._fork != fork_generation():  # first: there the event loop is another one, too
            raise InvalidRequestError(
                "this stream is the parent process's", hint="a forked child begins its own"
            )
        check_home_sync(self._home)
        reader = object()
        try:
            if not self._is_first(reader):
                if self._closed:  # it is being closed, by another thread
                    raise StopIteration
                raise InvalidRequestError(
                    "this stream is being read already", hint="a stream has one consumer at a time"
                )
            return self._next()
        finally:
            self._leave(reader)

    def _is_first(self, reader: object) -> bool:
        """Whether nobody else reads; until ``_leave``, which an interrupt must not get round."""
        self._readers.append(reader)
        return self._readers[0] is reader

    def _leave(self, reader: object) -> None:
        if reader in self._readers:
            self._readers.remove(reader)

    def _next(self) -> T:
        while True:
            try:
                while not self._waiting and not self._attempt.is_read and not self._closed:
                    self._read(self._limit)
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
            OllamaManagerError: What the caller gets for what it ended with.
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
        self._closed = True
        self._attempt.abort()
        self._attempt.free_slot()  # who reads no further may hold the stream, without closing it
        self._cancel_deadline()
        self._forget()

    def _read(self, limit: Limit) -> None:
        """Take in the next piece of the body."""
        self._waiting_since = time.monotonic()
        try:
            self._splitter.check()  # what came before a line that is too long has been read
            data = self._attempt.read(limit)
            if data is not None:
                self._size += len(data)
                lines = self._splitter.feed(data)
                lines.reverse()
                self._waiting[:0] = lines
                return
        except LineTooLongError as error:
            raise line_too_long(error, attempts=self.call.attempts, **self.call.context) from error
        except TransportError as error:
            if not self._cancelled:
                self._server.suspect()
            raise self.call.lost(error, answering=True) from error
        finally:
            self._waiting_since = None
        if (rest := self._splitter.finish()) is not None:
            self._waiting.insert(0, rest)

    def _decoded(self, line: bytes) -> T:
        call = self.call
        try:
            data: object = msgspec.json.decode(line)
            if as_object(data).get("error") is None:
                return call.request.decode(data)
        except (ValueError, RecursionError):
            pass  # what is wrong is said below
        context = {"attempts": call.attempts, **call.context}
        fields = as_object(parse_json(line, **context))
        if fields.get("error") is not None:
            raise error_from_line(fields, **context)
        return typed_result(call.request, parse_json(line, **context), line, **context)

    def waiting(self) -> Waiting | None:
        """Return for how long bytes have been waited for, if they are now; from any thread."""
        since = self._waiting_since
        # a busy event loop, or a suspended thread, may have more to read than it knows
        if since is None or self._attempt.has_unread():
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
        reader = object()
        try:
            if not self._is_first(reader):
                return  # it is being closed
            limit = Limit(None, time.monotonic() + _END_SECONDS)
            with contextlib.suppress(OllamaManagerError):  # the answer is complete all the same
                # the end of the body: without it the connection could not be used again
                while not self._attempt.is_read and not self._closed:
                    self._read(limit)
            self._dispose()
        except BaseException as error:
            self._abort(error)
            raise
        finally:
            self._leave(reader)

    def _finish(self) -> None:
        attempt = self._attempt
        self.call.finish(attempt.status, self._size, attempt.headers, self._last)

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
        if self._fork != fork_generation():
            self._closed = True
            self._attempt.keep_for_parent()
            return
        if not self._closed or self._restarting:
            self._cancelled = True
            self._closed = True
            self._finish()
        self._in_flight.abort(self.call)  # which may be under way once more
        self._attempt.abort()
        if self._home is not home_sync():
            return  # it has been ended; what is left of it belongs to another event loop
        reader = object()
        try:
            if self._is_first(reader):
                self._dispose()
        finally:
            self._leave(reader)

    def _dispose(self) -> None:
        self._closed = True
        self._cancel_deadline()
        try:
            self._attempt.end()
        finally:
            self._forget()

    def _forget(self) -> None:
        if self._in_flight.closed(self) and self._size and not self._attempt.is_read:
            call = self.call
            self._in_flight.left(call.request.operation_id, call.model)
