"""Who may have a connection next: in the order in which they asked."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future

__all__ = ["Turn", "Turns"]


class Turn:
    """A request's place in the order.

    Attributes:
        granted: Done once it may have a connection; None when that was at once.
    """

    __slots__ = ("_turns", "granted")

    def __init__(self, turns: Turns, granted: Future[None] | None) -> None:
        self._turns = turns
        self.granted: Future[None] | None = granted

    def end(self) -> None:
        """Let the next one have its turn, or leave the queue; a second time does nothing."""
        self._turns.end(self)


class Turns:
    """Lets so many requests have a connection at a time, from any thread.

    httpcore's pool wakes everybody who waits as soon as a connection is free, and serves whoever
    is quickest: one that has waited for long may wait for ever.

    Args:
        most: How many at a time; None for any number.
    """

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._having: set[Turn] = set()
        self._waiting: deque[Turn] = deque()

    def ask(self) -> Turn:
        """Return a place at the end of the queue, or the turn itself where there is none."""
        with self._lock:
            if self._has_room():
                turn = Turn(self, None)
                self._having.add(turn)
            else:
                turn = Turn(self, Future())
                self._waiting.append(turn)
        return turn

    def end(self, turn: Turn) -> None:
        """Note that a turn has ended, or is not waited for any longer."""
        with self._lock:
            if turn in self._having:
                self._having.remove(turn)
            elif turn in self._waiting:
                self._waiting.remove(turn)
            next_ones = self._next_ones()
        _grant(next_ones)

    def open(self) -> None:
        """Let everybody have a turn, now and later: each is to find out that all is over."""
        with self._lock:
            self._most = None
            next_ones = self._next_ones()
        _grant(next_ones)

    def _has_room(self) -> bool:
        return self._most is None or len(self._having) < self._most

    def _next_ones(self) -> list[Turn]:
        found: list[Turn] = []
        while self._waiting and self._has_room():
            turn = self._waiting.popleft()
            self._having.add(turn)
            found.append(turn)
        return found


def _grant(turns: list[Turn]) -> None:
    for turn in turns:
        if turn.granted is not None:
            turn.granted.set_result(None)
