"""What a fault's rounds come to: counts, times, and whatever went wrong."""

from __future__ import annotations

from collections import Counter, defaultdict
from statistics import median, quantiles
from typing import Any

import attrs

__all__ = ["Figures"]


@attrs.define
class Figures:
    """The figures of one fault.

    Args:
        fault: What was done, for the report.
        promise: What is to hold.
        wanted: How many rounds.
    """

    fault: str
    promise: str
    wanted: int
    rounds: int = 0
    seconds: dict[str, list[float]] = attrs.field(factory=lambda: defaultdict(list))
    counts: Counter[str] = attrs.field(factory=Counter)
    failures: Counter[str] = attrs.field(factory=Counter)

    def took(self, what: str, seconds: float) -> None:
        """Take a time."""
        self.seconds[what].append(seconds)

    def count(self, what: str, number: int = 1) -> None:
        """Count something; what is 0 is told of, too."""
        self.counts[what] += number

    def expect(self, what: str, measure: str, limit: float) -> None:
        """Hold a time to its promise.

        Args:
            what: Which time.
            measure: ``p99`` or ``max``.
            limit: The seconds that were promised.
        """
        seconds = self.to_dict()["seconds"][what][measure]
        if seconds > limit:
            self.wrong(f"{measure} of {what!r} over {limit:g} s")

    def wrong(self, what: str) -> None:
        """Count something that must not be."""
        self.failures[what] += 1

    @property
    def kept(self) -> bool:
        """Whether nothing went wrong."""
        return not self.failures

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-ready data, times as median, p99 and the longest."""
        times = {
            what: {
                "median": median(values),
                "p99": quantiles(values, n=100, method="inclusive")[98]
                if len(values) > 1
                else values[0],
                "max": max(values),
            }
            for what, values in self.seconds.items()
        }
        return {
            "fault": self.fault,
            "promise": self.promise,
            "wanted": self.wanted,
            "rounds": self.rounds,
            "seconds": times,
            "counts": dict(self.counts),
            "failures": dict(self.failures),
        }
