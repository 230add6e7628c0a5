"""How many requests are under way, and how to end those that are open."""

from __future__ import annotations

import threading
import weakref
from typing import Generic, TypeVar

__all__ = ["InFlight"]

StreamT = TypeVar("StreamT")


class InFlight(Generic[StreamT]):
    """Counts requests and remembers open streams, from any thread.

    A forgotten stream does not count for ever: it is held weakly.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls = 0
        self._streams: weakref.WeakSet[StreamT] = weakref.WeakSet()

    def count(self) -> int:
        """Return how many requests have been sent and not been answered in full."""
        with self._lock:
            return self._calls + len(self._streams)

    def begin(self) -> None:
        """Note that a call begins."""
        with self._lock:
            self._calls += 1

    def end(self) -> None:
        """Note that a call has ended."""
        with self._lock:
            self._calls -= 1

    def opened(self, stream: StreamT) -> None:
        """Note that an answer is being streamed."""
        with self._lock:
            self._streams.add(stream)

    def closed(self, stream: StreamT) -> None:
        """Note that a stream has ended; a second time does nothing."""
        with self._lock:
            self._streams.discard(stream)

    def streams(self) -> list[StreamT]:
        """Return the streams that are open."""
        with self._lock:
            return list(self._streams)
