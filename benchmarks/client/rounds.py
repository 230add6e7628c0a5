"""Two ways of the same work, measured in turn so that a slow moment slows both."""

from __future__ import annotations

import gc
import time
from statistics import median
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Pair", "cpu_of", "in_turn"]


@attrs.define
class Pair:
    """The samples of a row, round by round.

    Attributes:
        ours: Of the manager.
        theirs: Of the reference.
    """

    ours: list[float] = attrs.field(factory=list[float])
    theirs: list[float] = attrs.field(factory=list[float])

    @property
    def ratios(self) -> list[float]:
        """Ours as a share of theirs, smallest first."""
        return sorted(ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True))

    @property
    def ratio(self) -> float:
        """The median of these."""
        return median(self.ratios)


def in_turn(
    rounds: int, ours: Callable[[], float], theirs: Callable[[], float], *, warm: bool = True
) -> Pair:
    """Measure two ways of the same work.

    Args:
        rounds: How many times.
        ours: Does the work once and returns what it cost.
        theirs: Does it the other way.
        warm: Whether to do it once before, unmeasured.
    """
    pair = Pair()
    if warm:
        ours(), theirs()
    for number in range(rounds):
        for measure, samples in ((ours, pair.ours), (theirs, pair.theirs))[:: 1 - 2 * (number % 2)]:
            gc.collect()
            samples.append(measure())
    return pair


def cpu_of(work: Callable[[], int]) -> Callable[[], float]:
    """Return a function that does the work and returns the CPU seconds that a piece of it took.

    Args:
        work: Returns the number of its pieces.
    """

    def measure() -> float:
        began = time.process_time()
        pieces = work()
        return (time.process_time() - began) / pieces

    return measure
