"""Durations and times in the forms that Go reads and writes."""

from __future__ import annotations

import re
import time

FOREVER = 9_223_372_036.854775807
"""Seconds in Go's longest duration, which is how Ollama keeps "for ever"."""

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
_PIECE = re.compile(r"(\d+\.?\d*|\.\d+)([^\d.]*)")


def quote(text: str) -> str:
    """A text in Go's double quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + '"'


def parse_duration(text: str) -> float:
    """Read a duration such as ``1h30m``; seconds.

    Raises:
        ValueError: With the message that Go gives.
    """
    sign = -1 if text.startswith("-") else 1
    rest = text[1:] if text[:1] in {"+", "-"} else text
    if rest == "0":
        return 0.0
    if not rest:
        raise ValueError(f"time: invalid duration {quote(text)}")
    total, position = 0.0, 0
    while position < len(rest):
        piece = _PIECE.match(rest, position)
        if piece is None:
            raise ValueError(f"time: invalid duration {quote(text)}")
        number, unit = piece.groups()
        if not unit:
            raise ValueError(f"time: missing unit in duration {quote(text)}")
        if unit not in _UNITS:
            raise ValueError(f"time: unknown unit {quote(unit)} in duration {quote(text)}")
        total += float(number) * _UNITS[unit]
        position = piece.end()
    return sign * total


def timestamp(nanoseconds: int | None = None) -> str:
    """A time as RFC 3339 with up to nine digits of fraction; now, unless given."""
    if nanoseconds is None:
        nanoseconds = time.time_ns()
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    base = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    digits = f"{fraction:09d}".rstrip("0")
    return f"{base}.{digits}Z" if digits else f"{base}Z"
