"""Which requests are under way, who waits for the next bytes of which, and how to end them."""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

from manager.forks import renew_in_children
from manager.weak import WeakBag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["InFlight", "Waiting"]

StreamT = TypeVar("StreamT", bound="_Waiter")

# Answers that a runner makes; the others say nothing about it.
_MADE_BY_RUNNERS = frozenset({"chat", "generate", "embed", "embeddings"})
_MAX_LEFT = 64


class Waiting(NamedTuple):
    """Somebody who waits for the server at this moment."""

    operation: str
    model: str | None
    since: float
    """On the monotonic clock, in seconds."""
    begun: bool
    """Whether a part of the answer has come."""


class _Waiter(Protocol):
    def waiting(self) -> Waiting | None: ...


class _Asked(_Waiter, Protocol):
    @property
    def call(self) -> object: ...
    def resend(self) -> None: ...
    def abort(self) -> None: ...


class _OpenStream(weakref.ref[StreamT]):
    """Refers to an open stream, and knows what to do once nobody holds it any more."""

    __slots__ = ("abandon", "at_once")

    abandon: Callable[[], object]
    at_once: weakref.ref[StreamT]


class InFlight(Generic[StreamT]):
    """Counts requests and remembers open streams, from any thread.

    In a forked child the books are empty: what is under way is its parent's.
    """

    def __init__(self) -> None:
        self._forgotten: deque[Any] = deque()
        self._dropped: deque[_OpenStream[StreamT]] = deque()
        self._begin_books()
        renew_in_children(self)

    def _begin_books(self) -> None:
        # of `_left` alone; a stream may be forgotten at any moment, even this one
        self._lock = threading.RLock()
        # Weakly: what is dropped, as by an interrupt at a bad moment, does not count for ever.
        self._calls: WeakBag[object] = WeakBag()
        self._asked: WeakBag[_Asked] = WeakBag()
        self._streams: set[_OpenStream[StreamT]] = set()
        self._left: dict[str, float] = {}

    def after_fork(self) -> None:
        """In a forked child: begin new books, with a lock that nobody holds."""
        self._forgotten = deque()
        self._dropped = deque()
        self._begin_books()

    def count(self) -> int:
        """Return how many requests have been sent and not been answered in full."""
        self._abandon_dropped()
        return len(self._calls) + len(self._streams)

    def begin(self, call: object) -> None:
        """Note that a call is under way."""
        self._calls.add(call)

    def end(self, call: object) -> None:
        """Note that it is not any more; a second time does nothing."""
        self._calls.discard(call)

    def asked(self, call: _Asked) -> None:
        """Note that a request has been sent, and its answer is waited for."""
        self._asked.add(call)

    def answered(self, call: _Asked) -> None:
        """Note that the answer to a request has come, or is not waited for any longer."""
        self._asked.discard(call)

    def opened(self, stream: StreamT, abandon: Callable[[], object]) -> None:
        """Note that an answer is being streamed.

        Args:
            stream: The stream, which is referred to weakly.
            abandon: Called once nobody holds the stream any more, unless it was closed before;
                in the middle of anything, from any thread, and perhaps twice.
        """
        at_once = weakref.ref(stream, self._abandon_dropped)
        # An exception of a signal handler would be lost in code written in Python that the garbage
        # collector calls, and the rest of it not be done. So what is called first, being made last,
        # is not; and what is noted is done later, if not at once.
        entry = _OpenStream(stream, self._dropped.append)
        entry.abandon, entry.at_once = abandon, at_once
        self._streams.discard(entry)  # of an attempt before
        self._streams.add(entry)

    def closed(self, stream: StreamT) -> bool:
        """Note that a stream has ended; a second time does nothing, and returns False."""
        try:
            self._streams.remove(_OpenStream(stream))
        except KeyError:
            return False
        return True

    def streams(self) -> list[StreamT]:
        """Return the streams that are open."""
        entries = tuple(self._streams)
        return [stream for entry in entries if (stream := entry()) is not None]

    def _abandon_dropped(self, _: object = None) -> None:
        """Do what is to be done about streams that nobody holds any more."""
        for entry in tuple(self._dropped):
            entry.abandon()
            self._streams.discard(entry)
            with contextlib.suppress(ValueError):  # another thread was quicker
                self._dropped.remove(entry)

    def forgot(self, call: Any) -> None:
        """Note a call whose stream nobody holds any more; called by the garbage collector."""
        self._forgotten.append(call)

    def take_forgotten(self) -> Iterator[Any]:
        """Yield such calls, each once: the garbage collector is no place to report their end."""
        self._abandon_dropped()
        while True:
            try:
                yield self._forgotten.popleft()
            except IndexError:
                return

    def left(self, operation: str, model: str | None) -> None:
        """Note that an answer that had begun was not read to its end."""
        if model is None or operation not in _MADE_BY_RUNNERS:
            return
        with self._lock:
            self._left.pop(model, None)  # the newest comes last
            self._left[model] = time.monotonic()
            if len(self._left) > _MAX_LEFT:
                del self._left[next(iter(self._left))]

    def resend(self, model: str) -> None:
        """Have the requests of a model sent again whose answer has not begun."""
        for call in self._asked:
            waiting = call.waiting()
            if waiting and waiting.model == model and waiting.operation in _MADE_BY_RUNNERS:
                call.resend()

    def abort(self, call: object) -> None:
        """End the attempts of a call whose answer has not begun; from any thread."""
        for attempt in self._asked:
            if attempt.call is call:
                attempt.abort()

    def report(self) -> dict[str, Any]:
        """Return who waits for a runner, and which models' answers were left, both for how long.

        One who has something to read, or does not read at all, does not wait.
        """
        self._abandon_dropped()
        waiters: Iterable[_Waiter] = [*self._asked, *self.streams()]
        with self._lock:
            left = dict(self._left)
        found = [waiting for waiter in waiters if (waiting := waiter.waiting()) is not None]
        now = time.monotonic()  # after they were asked: they may have begun to wait meanwhile
        return {
            "waiting": [
                {
                    "model": waiting.model,
                    "seconds": round(now - waiting.since, 3),
                    "begun": waiting.begun,
                }
                for waiting in found
                if waiting.model is not None and waiting.operation in _MADE_BY_RUNNERS
            ],
            "left": {model: round(now - when, 3) for model, when in left.items()},
        }
