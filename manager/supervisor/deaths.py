"""The deaths of a server since somebody last asked for one: does it come back, and when?"""

from __future__ import annotations

from manager.supervisor.restarts import decide_restart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from manager.supervisor.causes import Cause
    from manager.supervisor.restarts import RestartPolicy

__all__ = ["Deaths"]


class Deaths:
    """What is remembered of them.

    Args:
        clock: A monotonic clock, in seconds.
        chance: Random numbers from 0 to 1, for the jitter of waits.
    """

    def __init__(self, clock: Callable[[], float], chance: Callable[[], float]) -> None:
        self.was_ready: bool = False
        self._clock = clock
        self._chance = chance
        self._early = 0
        self._ready_at: float | None = None

    @property
    def again(self) -> bool:
        """Whether a server that is started now comes back by itself, after a death or a hang."""
        return self.was_ready or self._early > 0

    def forget(self) -> None:
        """Somebody asks for a server: what fails now fails to start."""
        self.was_ready = False
        self._early = 0

    def spawned(self) -> None:
        """There is a new process."""
        self._ready_at = None

    def ready(self) -> None:
        """It has answered for the first time."""
        self.was_ready = True
        self._ready_at = self._clock()

    def died(self, policy: RestartPolicy, exit_code: int, cause: Cause) -> float | None:
        """Decide what follows the end of the process.

        Args:
            policy: The rules.
            exit_code: How it ended; negative: by that signal.
            cause: Why.

        Returns:
            Seconds until it is started again; None: it is given up.
        """
        delay = self._count(policy)
        # A program that says no at its first start would say so again; a port is checked again.
        says_no = not self.was_ready and exit_code >= 0 and cause.code != "port_in_use"
        hopeless = self._ready_at is None and (cause.permanent or says_no)
        return None if hopeless else delay

    def not_spawned(self, policy: RestartPolicy) -> float | None:
        """Decide what follows when the program could not be executed.

        Args:
            policy: The rules.

        Returns:
            Seconds until it is tried again; None: it is given up.
        """
        self._ready_at = None
        # One that has run before may just be being replaced by a newer one.
        return self._count(policy) if self.was_ready else None

    def _count(self, policy: RestartPolicy) -> float | None:
        ready_for = None if self._ready_at is None else self._clock() - self._ready_at
        decision = decide_restart(
            policy, ready_for=ready_for, failures=self._early, chance=self._chance()
        )
        self._early = decision.failures
        return decision.delay
