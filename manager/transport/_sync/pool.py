# generated from manager/transport/_async/pool.py by codegen.sh - do not edit
"""The idle connections of one server, and all that are open."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final

from manager.weak import WeakBag

if TYPE_CHECKING:
    from manager.transport._sync.connection import Connection

__all__ = ["Pool"]

# Load balancers commonly drop idle connections after 60 s, some without a word.
_MAX_IDLE: Final = 50.0


class Pool:
    """Keeps connections between requests. Does not limit how many there are: the slots do.

    Args:
        max_idle: How many idle connections are kept; None for any number.
    """

    def __init__(self, max_idle: int | None) -> None:
        self._max_idle = max_idle
        # the last one given back is used first, so that the others may grow old
        self._idle: deque[Connection] = deque()
        self._open: WeakBag[Connection] = WeakBag()
        self._is_closed = False

    @property
    def idle_count(self) -> int:
        """How many connections wait for a request."""
        return len(self._idle)

    @property
    def open_count(self) -> int:
        """How many connections there are, idle ones included."""
        return len(self._open)

    def take(self) -> Connection | None:
        """Return an idle connection that can be used, None if there is none."""
        oldest = time.monotonic() - _MAX_IDLE
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread was quicker
                break
            if connection.idle_since >= oldest and connection.is_usable():
                return connection
            connection.close()
        return None

    def add(self, connection: Connection) -> None:
        """Note a connection that was made; a closed pool aborts it."""
        self._open.add(connection)
        if self._is_closed:
            connection.abort()

    def put(self, connection: Connection) -> None:
        """Keep a connection for the next request; or close one that is too many."""
        connection.end()
        connection.idle_since = time.monotonic()
        self._idle.append(connection)
        while self._is_closed or (self._max_idle is not None and len(self._idle) > self._max_idle):
            try:
                surplus = self._idle.popleft()
            except IndexError:  # another thread was quicker
                break
            surplus.close()

    def abort_all(self) -> None:
        """End every connection, from any thread: who waits for one wakes up."""
        self._is_closed = True
        for connection in self._open:
            connection.abort()

    def close(self) -> None:
        """Close the idle connections, and from now on each that is given back."""
        self._is_closed = True
        while self._idle:
            try:
                self._idle.pop().close()
            except IndexError:  # another thread was quicker
                break

    def keep_for_parent(self) -> None:
        """In a forked child: let go of the parent's connections without ending them."""
        for connection in self._open:
            connection.keep_for_parent()
