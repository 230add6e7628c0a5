"""Objects that are counted for as long as somebody else holds them."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["WeakBag"]

T = TypeVar("T")


class WeakBag(Generic[T]):
    """Refers weakly to objects, from any thread and without a lock: each step is one of the set's.

    An object that is collected leaves without any code written in Python. ``weakref.WeakSet`` runs
    some: there an exception of a signal handler would be lost, and the object be counted for ever.
    """

    __slots__ = ("_references",)

    def __init__(self) -> None:
        self._references: set[weakref.ref[T]] = set()

    def add(self, item: T) -> None:
        """Count an object; a second time does nothing."""
        self._references.add(weakref.ref(item, self._references.discard))

    def discard(self, item: T) -> None:
        """Count it no more; a second time does nothing."""
        self._references.discard(weakref.ref(item))

    def __len__(self) -> int:
        return len(self._references)

    def __iter__(self) -> Iterator[T]:
        for reference in tuple(self._references):
            item = reference()
            if item is not None:
                yield item
