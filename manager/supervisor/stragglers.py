"""What outlives a supervisor that was killed: a server that ignores SIGTERM, or is stopped."""

from __future__ import annotations

import time

from manager.supervisor.processes import kill, survivors_of

__all__ = ["Stragglers"]

_GRACE = 0.25
_LOOKS = 3


class Stragglers:
    """Removes them, for a manager that saw the supervisor die.

    Its death sends SIGTERM to the server, which takes its runners along as a rule; so what is
    left gets a moment first. Servers of other supervisors bear other marks.

    Args:
        address: The server's address, ``host:port``.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._dead = 0
        self._looks = 0
        self._due = 0.0

    def died(self, supervisor: int) -> None:
        """Look for what a supervisor left, in a moment.

        Args:
            supervisor: Its pid; 0: it was in another namespace, and cannot be told.
        """
        self._dead = supervisor
        self._looks = _LOOKS if supervisor > 0 else 0
        self._due = time.monotonic() + _GRACE

    def due(self) -> float | None:
        """Return when to call ``tick``, on the monotonic clock; None: never."""
        return self._due if self._looks else None

    def tick(self) -> None:
        """Kill what is left, if it is time."""
        if self._looks and time.monotonic() >= self._due:
            self._looks = self._looks - 1 if self._kill_all() else 0
            self._due = time.monotonic() + _GRACE

    def finish(self) -> None:
        """Kill what is left now, since there will be no later."""
        if self._looks:
            self._looks = 0
            self._kill_all()

    def _kill_all(self) -> bool:
        found = survivors_of(self._dead, self._address)
        for process in found:
            kill(process)
        return bool(found)
