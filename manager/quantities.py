"""Sizes, durations and ages as people say them: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["age", "duration", "file_size"]

_SIZES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
_SPANS = ((86_400.0, "day"), (3_600.0, "hour"), (60.0, "minute"))


def file_size(count: float) -> str:
    """Return a number of bytes in decimal units, as Ollama shows it: ``1.3 GB``."""
    for unit, name in _SIZES:
        if count >= unit:
            return (
                f"{count / unit:.3g} {name}"
                if count < 999.5 * unit
                else f"{count / unit:.0f} {name}"
            )
    return f"{count:.0f} B"


def duration(seconds: float) -> str:
    """Return a span of time with the precision that matters: ``3 ms``, ``2 h 5 min``."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} days"


def age(then: datetime, now: datetime) -> str:
    """Return how long ago a moment was: ``3 days ago``."""
    seconds = (now - then).total_seconds()
    for span, name in _SPANS:
        if seconds >= span:
            count = int(seconds // span)
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"
