"""What a forked child makes of the objects that it has of its parent."""

from __future__ import annotations

import os
import weakref
from typing import Protocol

__all__ = ["fork_generation", "keep", "renew_in_children"]


class _Renewable(Protocol):
    def after_fork(self) -> None: ...


_renewables: weakref.WeakSet[_Renewable] = weakref.WeakSet()
_kept: list[object] = []
_forks: list[None] = []


def fork_generation() -> int:
    """Return how many forks lie between the first process of the program and this one.

    What was made in another generation belongs to a parent. Cheaper than the process's id.
    """
    return len(_forks)


def renew_in_children(thing: _Renewable) -> None:
    """Have ``thing.after_fork()`` called in every forked child.

    It is to renew the locks, which a thread of the parent may have held, and to forget what is
    under way, which is the parent's.
    """
    _renewables.add(thing)


def keep(*things: object) -> None:
    """Keep what is the parent's from the garbage collector, which would end it."""
    _kept.extend(things)


def _after_fork() -> None:
    _forks.append(None)
    for thing in list(_renewables):
        thing.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
