"""Is a runner stuck? Rules over what was seen; no I/O and no clock.

A runner is stuck when it has done nothing for the whole timeout, and for as long somebody waits
for the rest of an answer that it has begun. An answer that has not begun may have to wait for
many things, so there it takes evidence of Ollama's own fault besides: an answer of that model was
left before its end, and Ollama may keep the place of the one who left.

What explains the silence otherwise: a runner that computes, reads from a disk, wants to run or is
debugged; a client that does not read (a runner may wait for it with all that it does); a model
that is being loaded, this one or another; a server that is at work itself.
"""

from __future__ import annotations

from enum import StrEnum

from manager.supervisor.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from manager.supervisor.processes import Process
    from manager.supervisor.runners import Activity

__all__ = ["Case", "Finding", "Stillness", "judge"]

_TICK = 0.01
_IDLE_SHARE = 0.002
"""What an idle runner may use of a core; real ones use less than 0.1 %, one that works 95 %."""
_LATE = 3.0
_JUST_STARTED = 0.05  # a message may take so long


class Finding(StrEnum):
    """What is to be done about a model whose answer is waited for."""

    NOTHING = "nothing"
    REPORT = "report"
    KILL = "kill"


class Case(Record):
    """What is known about one model, its one runner, and those who wait for it. Times in seconds.

    Args:
        begun: How long an answer that has begun has been waited for; 0: none is.
        unbegun: How long an answer that has not begun has been waited for; 0: none is.
        still: How long the runner has done nothing.
        resting: Whether none of its threads does or wants to do anything right now.
        age: How long ago the runner was started.
        left: How long ago an answer of this model that had begun was left before its end; None:
            that is not known to have happened.
        cut_off: How long ago a manager died, and left whatever it was reading; None: never.
        slow_reader: Whether a client of the server does not take in what was sent to it.
        busy: Whether the server itself is at work, or another runner may be loading its model.
    """

    begun: float
    unbegun: float
    still: float
    resting: bool
    age: float
    left: float | None
    cut_off: float | None
    slow_reader: bool
    busy: bool


def judge(case: Case, timeout: float) -> Finding:
    """Decide about a model. The server is managed, and has just answered.

    Args:
        case: What is known.
        timeout: How long a runner may do nothing, in seconds.

    Returns:
        What is to be done; when unsure, as little as possible.
    """
    if case.still < timeout or not case.resting or case.slow_reader:
        return Finding.NOTHING
    if case.begun >= timeout:
        return Finding.KILL
    if case.unbegun < timeout or case.busy:
        return Finding.NOTHING
    if _was_alive(case, case.left):
        return Finding.KILL
    if case.age < case.unbegun + timeout:
        return Finding.NOTHING  # it may be loading for this very answer
    return Finding.KILL if _was_alive(case, case.cut_off) else Finding.REPORT


def _was_alive(case: Case, moment: float | None) -> bool:
    return moment is not None and moment + _JUST_STARTED < case.age


class Stillness:
    """For how long processes have done nothing, by samples of their activity.

    Only time that samples bear witness to counts: after a gap between them (a suspended machine,
    a frozen container) everything begins anew.

    Args:
        window: How far back it matters, in seconds.
        period: The time between samples, in seconds.
    """

    def __init__(self, window: float, period: float) -> None:
        self._window = window
        self._longest_gap = _LATE * period
        self._last: float | None = None
        self._samples: dict[Process, list[tuple[float, Activity]]] = {}

    def add(self, now: float, seen: Mapping[Process, Activity]) -> None:
        """Take a sample of everything there is; what is not in it is forgotten.

        Args:
            now: The monotonic clock, in seconds.
            seen: What each process had done by now.
        """
        late = self._last is not None and now - self._last > self._longest_gap
        self._last = now
        before = {} if late else self._samples
        self._samples = {}
        for process, activity in seen.items():
            samples = [*before.get(process, ()), (now, activity)]
            while len(samples) > 1 and samples[1][0] <= now - self._window:
                del samples[0]
            self._samples[process] = samples

    def still(self, process: Process) -> float:
        """Return for how long a process has done nothing, in seconds.

        Args:
            process: One of the last sample.

        Returns:
            The time since the oldest sample of the window, if nothing was done since; else 0.
        """
        samples = self._samples.get(process)
        if not samples:
            return 0.0
        (begun, first), (now, last) = samples[0], samples[-1]
        spent = last.cpu - first.cpu
        idle = spent <= _TICK + _IDLE_SHARE * (now - begun)
        same = (last.read, last.faults) == (first.read, first.faults)
        return now - begun if idle and same else 0.0

    def share(self, process: Process) -> float:
        """Return what part of a core a process used in the window.

        Args:
            process: One of the last sample.

        Returns:
            1 is a whole core; also when nothing is known.
        """
        samples = self._samples.get(process)
        if not samples or samples[0][0] == samples[-1][0]:
            return 1.0
        (begun, first), (now, last) = samples[0], samples[-1]
        return (last.cpu - first.cpu) / (now - begun)
