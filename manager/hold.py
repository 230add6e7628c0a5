"""The connection that a call was sent on, for as long as it is the call's. No I/O."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Hold"]


class _Wire(Protocol):
    def hang_up(self) -> None: ...
    def read_within(self, left: Callable[[], float | None]) -> None: ...
    def read_freely(self) -> None: ...


class Hold:
    """What a call may do to its connection, from any thread.

    The connection is another call's as soon as it is back in the pool. So it is let go before
    that, under the lock that whoever ends it holds: a limit that passes at the last moment, or a
    ``close()`` that comes too late, meets nothing.
    """

    __slots__ = ("_lock", "_owner", "_wire", "asked_at")

    def __init__(self) -> None:
        # re-entrant: the garbage collector may end a stream at any moment, even this one
        self._lock = threading.RLock()
        self._owner = os.getpid()
        self._wire: _Wire | None = None
        self.asked_at: float | None = None
        """Since when the answer is waited for, on the monotonic clock; None: it is not."""

    def take(self, wire: _Wire) -> None:
        """Note the connection that the request is written to."""
        with self._lock:
            self._wire = wire

    def asked(self) -> None:
        """Note that the request has been sent."""
        self.asked_at = time.monotonic()

    def answered(self) -> None:
        """Note that the answer has come, or is not waited for any longer."""
        with self._lock:
            self.asked_at = None

    def limit(self, left: Callable[[], float | None] | None) -> None:
        """Have what is read from now on come in time.

        Args:
            left: Tells the seconds that are left; None, or its returning None, is no limit.
        """
        with self._lock:
            if self._wire is None:
                return
            if left is None:
                self._wire.read_freely()
            else:
                self._wire.read_within(left)

    def let_go(self) -> None:
        """Note that the connection is about to be given back."""
        with self._lock:
            if self._wire is not None:
                self._wire.read_freely()
                self._wire = None

    def hang_up(self) -> None:
        """End the connection if it is still the call's; in a forked child it is the parent's."""
        if self._owner != os.getpid():
            return
        with self._lock:
            if self._wire is not None:
                self._wire.hang_up()

    def hang_up_unanswered(self, before: Callable[[float], object]) -> None:
        """End the connection if the answer is still waited for.

        Args:
            before: Called first, with the seconds that it has been waited for.
        """
        if self._owner != os.getpid():
            return
        with self._lock:
            if self._wire is not None and self.asked_at is not None:
                before(time.monotonic() - self.asked_at)
                self._wire.hang_up()
