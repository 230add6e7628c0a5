"""Whether a server that died is started again, and after how long: a pure decision."""

from __future__ import annotations

from manager.supervisor.records import Record

__all__ = ["Restart", "RestartPolicy", "decide_restart"]


class RestartPolicy(Record):
    """How deaths of the server are answered.

    Args:
        stable_after: Seconds of being ready after which a death is no sign of a crash loop.
        initial_delay: Seconds to wait after the first early death.
        multiplier: How much longer each further wait is.
        max_delay: The longest wait, in seconds.
        jitter: The share of the wait that chance may take away or add.
        max_failures: How many early deaths in a row end in ``failed``.
    """

    stable_after: float = 1.0
    initial_delay: float = 0.1
    multiplier: float = 2.0
    max_delay: float = 5.0
    jitter: float = 0.2
    max_failures: int = 5


class Restart(Record):
    """The answer to a death: start again after ``delay`` seconds, or give up when it is None."""

    delay: float | None
    failures: int


def decide_restart(
    policy: RestartPolicy, *, ready_for: float | None, failures: int, chance: float = 0.5
) -> Restart:
    """Decide what follows a death.

    Args:
        policy: The rules.
        ready_for: For how many seconds the server had been ready; None if it never was.
        failures: How many early deaths came before, in a row.
        chance: A random number from 0 to 1, for the jitter.

    Returns:
        The delay in seconds and the new count of early deaths.
    """
    if ready_for is not None and ready_for >= policy.stable_after:
        return Restart(0.0, 0)
    failures += 1
    if failures >= policy.max_failures:
        return Restart(None, failures)
    delay = min(policy.initial_delay * policy.multiplier ** (failures - 1), policy.max_delay)
    return Restart(delay * (1 + policy.jitter * (2 * chance - 1)), failures)
