"""Which calls may have a connection: so many at a time, the others in the order of arrival."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Slot", "SlotQueue"]


class Slot:
    """The right of one call to a connection, or its place in the queue for one.

    A slot that is dropped without ``SlotQueue.free``, as by an exception of a signal handler at a
    bad moment, frees itself: the queue refers to it weakly.
    """

    __slots__ = ("__weakref__", "_is_granted", "_notify", "_reference", "is_over")

    def __init__(self) -> None:
        self._is_granted = False
        self.is_over: bool = False
        self._notify: Callable[[], object] | None = None
        self._reference: weakref.ref[Slot] | None = None

    def is_granted(self) -> bool:
        """Whether the call may have a connection."""
        return self._is_granted

    def notify(self, function: Callable[[], object]) -> None:
        """Call ``function`` once the slot is granted, on the thread that makes room; or now."""
        self._notify = function
        if self._is_granted:
            function()


class SlotQueue:
    """Grants slots from any thread, first come, first served. Never waits.

    Args:
        most: How many slots may be granted at a time; None for any number.
    """

    def __init__(self, most: int | None) -> None:
        self._most = most
        # Re-entrant: the garbage collector may free a slot at any moment, even this one.
        self._lock = threading.RLock()
        # By weak reference: one that is collected leaves without any code of ours.
        self._granted: set[weakref.ref[Slot]] = set()
        self._waiting: deque[weakref.ref[Slot]] = deque()

    def ask(self) -> Slot:
        """Return a slot: granted where there is room, else at the end of the queue."""
        slot = Slot()
        with self._lock:
            if not self._waiting and self._has_room():
                self._grant(slot)
            else:
                self._waiting.append(weakref.ref(slot))
        return slot

    def free(self, slot: Slot) -> None:
        """End a slot, granted or waiting; a second time does nothing."""
        with self._lock:
            slot.is_over = True
            if slot._reference is not None:
                self._granted.discard(slot._reference)
        self.grant_free_slots()

    def grant_free_slots(self) -> None:
        """Grant what is free to those who wait.

        ``free`` does it by itself; slots that were dropped leave it to whoever waits.
        """
        if not self._waiting:
            return
        granted: list[Slot] = []
        with self._lock:
            while self._waiting and self._has_room():
                slot = self._waiting.popleft()()
                if slot is not None and not slot.is_over:
                    self._grant(slot)
                    granted.append(slot)
        for slot in granted:
            if slot._notify is not None:
                slot._notify()

    def open(self) -> None:
        """Grant a slot to everybody, now and later: each is to find out that all is over."""
        self._most = None
        self.grant_free_slots()

    def _has_room(self) -> bool:
        return self._most is None or len(self._granted) < self._most

    def _grant(self, slot: Slot) -> None:
        slot._reference = reference = weakref.ref(slot, self._granted.discard)
        self._granted.add(reference)
        slot._is_granted = True
