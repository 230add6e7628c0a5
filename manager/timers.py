"""Calls functions at their times, all on one thread; ``threading.Timer`` starts one for each."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from functools import partial
from heapq import heapify, heappop, heappush
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeAlias

from manager.forks import renew_in_children

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Timers"]

# The heap is cleared of entries that were called off once they are so many, and more than half.
_FEW = 64

# How long the thread waits for another entry, and how often it looks for those called off.
_LINGER = 0.5
_LOOK_INTERVAL = 1.0

_Entry: TypeAlias = "tuple[float, int, list[Callable[[], object]]]"


class Timers:
    """Functions to be called later, each of which takes but a moment.

    Callers only put entries into a queue, which is safe where an exception of a signal handler or
    the garbage collector comes in between; all else is the thread's own. It begins with the first
    entry, and ends soon after the last. A forked child begins with none: what is waited for there
    is its parent's.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._begin()
        renew_in_children(self)

    def _begin(self) -> None:
        self._entries: SimpleQueue[_Entry] = SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def after_fork(self) -> None:
        """In a forked child: forget what the parent waits for."""
        self._begin()

    def call_later(self, seconds: float, function: Callable[[], object]) -> Callable[[], None]:
        """Call ``function`` after ``seconds``, unless what is returned is called first."""
        # when, a number that tells those of the same time apart, and the function unless called off
        entry = [function]
        self._entries.put((time.monotonic() + seconds, next(self._numbers), entry))
        if self._thread is None:
            self._start()
        return partial(entry.clear)

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="manager-timers", daemon=True)
                thread.start()
                self._thread = thread  # else, without room for a thread, the next one tries again

    def _run(self) -> None:
        entries, waiting = self._entries, list[_Entry]()  # a heap
        while True:
            while waiting and not waiting[0][2]:  # called off
                heappop(waiting)
            seconds = max(waiting[0][0] - time.monotonic(), 0.0) if waiting else _LINGER
            try:
                heappush(waiting, entries.get(timeout=min(seconds, _LOOK_INTERVAL)))
            except Empty:
                if not waiting and self._is_done():
                    return
            while waiting and waiting[0][0] <= time.monotonic():
                _call(heappop(waiting)[2])
            if len(waiting) > _FEW and sum(not entry[2] for entry in waiting) > len(waiting) // 2:
                waiting = [entry for entry in waiting if entry[2]]
                heapify(waiting)

    def _is_done(self) -> bool:
        """Leave the rest to a new thread, unless an entry has just come."""
        self._thread = None
        return self._entries.empty()


def _call(entry: list[Callable[[], object]]) -> None:
    try:
        entry.pop()()
    except IndexError:
        pass  # it was called off
    except Exception as error:  # the others are to be called all the same
        sys.excepthook(type(error), error, error.__traceback__)
