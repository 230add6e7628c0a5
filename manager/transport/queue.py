"""Which calls may have a connection: so many at a time, the others in the order of arrival."""

from __future__ import annotations

import contextlib
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
    bad moment, frees itself: the queue refers to it weakly. Such an exception can also cost a
    notice; so a waiter calls ``SlotQueue.grant_free_slots`` now and then, and looks.

    Attributes:
        is_granted: Whether the call may have a connection.
        is_over: Whether the slot was freed.
    """

    __slots__ = ("__weakref__", "_functions", "is_granted", "is_over")

    def __init__(self) -> None:
        self.is_granted: bool = False
        self.is_over: bool = False
        self._functions: list[Callable[[], object]] = []

    def notify(self, function: Callable[[], object]) -> None:
        """Call ``function`` once the slot is granted, on the thread that makes room; or now."""
        self._functions.append(function)
        if self.is_granted:
            self.announce()

    def announce(self) -> None:
        """Call each function that waits for the grant; for the queue."""
        while self._functions:
            # two threads may get here; only one of them gets the function
            with contextlib.suppress(IndexError):
                function = self._functions.pop()
                function()


class SlotQueue:
    """Grants slots from any thread, first come, first served. Never waits.

    Whatever is interrupted halfway, by an exception of a signal handler or by a finalizer that
    uses the queue too, is completed by the next call: each step may be repeated.

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
        reference = weakref.ref(slot, self._granted.discard)
        hash(reference)  # it is kept, for when there is no slot left to hash
        with self._lock:
            if not self._waiting and self._grant(slot, reference):
                return slot
            self._waiting.append(reference)
        self.grant_free_slots()
        return slot

    def free(self, slot: Slot) -> None:
        """End a slot, granted or waiting; a second time does nothing."""
        reference = weakref.ref(slot)
        slot.is_over = True
        with self._lock:
            self._granted.discard(reference)
            if not slot.is_granted:
                with contextlib.suppress(ValueError):
                    self._waiting.remove(reference)
        self.grant_free_slots()

    def grant_free_slots(self) -> None:
        """Grant what is free to those who wait.

        ``ask`` and ``free`` do it by themselves; for slots that were dropped, waiters do.
        """
        while self._waiting:
            slot = self._grant_next()
            if slot is None:
                return
            slot.announce()

    def open(self) -> None:
        """Grant a slot to everybody, now and later: each is to find out that all is over."""
        self._most = None
        self.grant_free_slots()

    def _grant_next(self) -> Slot | None:
        waiting = self._waiting
        with self._lock:
            while waiting:
                reference = waiting[0]
                slot = reference()
                if slot is not None and not slot.is_over and not self._grant(slot, reference):
                    return None
                if waiting and waiting[0] is reference:
                    waiting.popleft()
                if slot is not None and not slot.is_over:
                    return slot
        return None

    def _grant(self, slot: Slot, reference: weakref.ref[Slot]) -> bool:
        # counted first: what runs in between must not take the same place
        self._granted.add(reference)
        if self._most is not None and len(self._granted) > self._most:
            self._granted.discard(reference)
            return False
        slot.is_granted = True
        return True
