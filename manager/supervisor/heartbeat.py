"""Whether the supervisor still answers somebody who waits for it."""

from __future__ import annotations

import time

__all__ = ["INTERVAL", "Heartbeat"]

INTERVAL = 2.0
"""Seconds between two looks. A supervisor answers within milliseconds, whatever it is doing."""
_PATIENCE = 4
"""Looks without a sign of life, after the first, that mean that it hangs: 10 s in all."""


class Heartbeat:
    """Counts how often the supervisor was found silent while something was wanted of it.

    Looks are counted, not seconds: a suspended machine or a stopped process takes no looks, so
    whatever time passed there is one look at most.
    """

    def __init__(self) -> None:
        self._silent = 0
        self._next: float | None = None

    @property
    def hangs(self) -> bool:
        """Whether it was silent for too long."""
        return self._silent > _PATIENCE

    def due(self) -> float:
        """Return when to look next, on the monotonic clock."""
        if self._next is None:
            self._next = time.monotonic() + INTERVAL
        return self._next

    def look(self) -> bool:
        """Count a look, if it is time for one.

        Returns:
            Whether to ask the supervisor for a sign of life.
        """
        due = self.due()
        if time.monotonic() < due:
            return False
        self._next = None
        self._silent += 1
        return True

    def heard(self) -> None:
        """It gave a sign of life."""
        self._silent = 0

    def rest(self) -> None:
        """Nothing is wanted of it."""
        self._silent = 0
        self._next = None
