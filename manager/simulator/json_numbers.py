"""Numbers within the bounds that a JSON schema sets."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def number(flat: Mapping[str, Any], whole: bool, salt: int) -> int | float | None:
    """Find a number.

    Args:
        flat: A schema without references.
        whole: Whether it must be an integer.
        salt: Different ones give different numbers, as far as there are any.

    Returns:
        The number, or None if none was found in the range.
    """
    low, high = flat.get("minimum", -math.inf), flat.get("maximum", math.inf)
    above, below = flat.get("exclusiveMinimum"), flat.get("exclusiveMaximum")
    # Draft 4 wrote booleans here, which turn the bound beside them into an open one.
    above = low if above is True else (None if above is False else above)
    below = high if below is True else (None if below is False else below)
    step = flat.get("multipleOf") or (1 if whole else None)
    if whole and step is not None and step != int(step):
        step = _whole_step(step)
    for value in _candidates(low, high, above, below, step, salt):
        value = int(value) if whole else value
        open_ends = (above is None or value > above) and (below is None or value < below)
        if low <= value <= high and open_ends:
            return value
    return None


def _whole_step(step: float) -> int:
    """The least whole number that is a multiple of a fraction such as 0.5 or 2.5."""
    return next(n for n in range(1, 1_000_001) if (n / step) == int(n / step))


def _candidates(
    low: float,
    high: float,
    above: float | None,
    below: float | None,
    step: float | None,
    salt: int,
) -> list[float]:
    floor = max(low, -math.inf if above is None else above)
    ceiling = min(high, math.inf if below is None else below)
    start = 0 if floor <= 0 <= ceiling else (floor if math.isfinite(floor) else ceiling)
    if step is None:
        middle = (floor + ceiling) / 2 if math.isfinite(floor + ceiling) else start + 1
        part = (ceiling - floor) / (salt + 2) if math.isfinite(ceiling - floor) else salt + 1
        return [start + salt, floor + part, middle, start, start - salt - 1]
    first = math.ceil(start / step)
    # Rounded, as 101 times 0.1 is a little more than 10.1.
    return [round((first + n) * step, 12) for n in (salt, -salt, 1, -1, 0, -2)]
