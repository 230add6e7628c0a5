"""Calls functions at their times, all on one thread; ``threading.Timer`` starts one for each."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from functools import partial
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from manager.forks import renew_in_children

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Timers"]

# How long the thread waits at most before it looks whether there is still something to wait for.
_LOOK_INTERVAL = 1.0
_FEW = 64


class Timers:
    """Functions to be called later, each of which takes but a moment.

    The thread begins with the first and ends, at most a second late, with the last. A forked
    child begins with none: what is waited for there is its parent's.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._begin()
        renew_in_children(self)

    def _begin(self) -> None:
        # re-entrant: the garbage collector may call one off at any moment
        self._changed = threading.Condition(threading.RLock())
        # when, a number that tells those of the same time apart, and the function unless called off
        self._waiting: list[tuple[float, int, list[Callable[[], object]]]] = []
        self._called_off = 0
        self._runs = False

    def after_fork(self) -> None:
        """In a forked child: forget what the parent waits for."""
        self._begin()

    def call_later(self, seconds: float, function: Callable[[], object]) -> Callable[[], None]:
        """Call ``function`` after ``seconds``, unless what is returned is called first."""
        entry = [function]
        with self._changed:
            heappush(self._waiting, (time.monotonic() + seconds, next(self._numbers), entry))
            if not self._runs:
                threading.Thread(target=self._run, name="manager-timers", daemon=True).start()
                self._runs = True  # else, without room for a thread, the next one tries again
            elif self._waiting[0][2] is entry:
                self._changed.notify()
        return partial(self._call_off, entry)

    def _call_off(self, entry: list[Callable[[], object]]) -> None:
        with self._changed:
            if not entry:
                return
            entry.clear()
            self._called_off += 1
            if self._called_off > max(_FEW, len(self._waiting) // 2):
                self._waiting = [waiting for waiting in self._waiting if waiting[2]]
                heapify(self._waiting)
                self._called_off = 0

    def _run(self) -> None:
        while (due := self._next()) is not None:
            for function in due:
                try:
                    function()
                except Exception as error:  # the others are to be called all the same
                    sys.excepthook(type(error), error, error.__traceback__)

    def _next(self) -> list[Callable[[], object]] | None:
        """Wait for a while; return what is due, or None once nothing is waited for."""
        with self._changed:
            while self._waiting and not self._waiting[0][2]:
                heappop(self._waiting)
                self._called_off = max(0, self._called_off - 1)
            if not self._waiting:
                self._runs = False
                return None
            left = self._waiting[0][0] - time.monotonic()
            if left > 0:
                self._changed.wait(min(left, _LOOK_INTERVAL))
                return []
            entry = heappop(self._waiting)[2]
            due, entry[:] = entry[:], []
            return due
