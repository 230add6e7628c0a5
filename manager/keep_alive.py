"""How long a model stays loaded, and how hard it thinks: two small arguments of many calls."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Final

from manager.errors import InvalidRequestError
from manager.spelling import nearest, shown

__all__ = ["THINK_LEVELS", "check_keep_alive", "check_think"]

THINK_LEVELS: Final = ("low", "medium", "high", "max")

_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_LONGEST = 2**63 - 1  # Go counts durations as nanoseconds in an int64.
_MOST_DIGITS = 100
_PIECE = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_NUMBER = re.compile(r"[-+]?[0-9]+(?:\.[0-9]*)?")
_FORMS = (
    'Give seconds as a number, a duration such as "5m" or "1h30m", or a timedelta; '
    "-1 keeps the model loaded for ever, 0 unloads it."
)


def check_keep_alive(value: object, *, argument: str = "keep_alive") -> float | str | None:
    """Return how long a model is to stay loaded, in a form that Ollama reads as it was meant.

    Args:
        value: Seconds (negative: for ever; 0: unload), a duration in Go's form, a timedelta, or
            ``None`` for the server's default.
        argument: The name of the argument, for the error.

    Raises:
        InvalidRequestError: It is none of these, not finite, or longer than 292 years.
    """
    if value is None:
        return None
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, str):
        return _check_duration(value, argument)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong(
            f"{argument} must be a number, a string or a timedelta, got {shown(value)}", argument
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise _wrong(f"{argument} must be finite, got {value}", argument)
    if value * 10**9 > _LONGEST:
        raise _wrong(f"{argument} is longer than Ollama can count: {shown(value)} s", argument)
    # Every negative number means the same, and -1 cannot overflow.
    return -1 if value < 0 else value


def check_think(value: object, *, argument: str = "think") -> bool | str | None:
    """Return whether, or how hard, the model is to think before it answers.

    Raises:
        InvalidRequestError: It is neither a bool nor one of ``THINK_LEVELS``.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str) and value in THINK_LEVELS:
        return str.__str__(value)
    levels = ", ".join(f'"{level}"' for level in THINK_LEVELS)
    match = nearest(value, THINK_LEVELS) if isinstance(value, str) else None
    raise InvalidRequestError(
        f"{argument} must be True, False or one of {levels}, got {shown(value)}",
        argument=argument,
        hint=f'Did you mean "{match}"?' if match else None,
    )


def _check_duration(text: str, argument: str) -> str:
    body = text[1:] if text[:1] in ("+", "-") else text
    if body == "0":
        return text
    from fractions import Fraction

    nanoseconds = Fraction(0)
    position = 0
    while match := _PIECE.match(body, position):
        if len(match[1]) > _MOST_DIGITS:  # Python refuses to read thousands, and Go too
            raise _wrong(f"{argument} has too many digits: {shown(text)}", argument)
        nanoseconds += Fraction(match[1].rstrip(".")) * _NANOSECONDS[match[2]]
        position = match.end()
    if not body or position != len(body):
        if _NUMBER.fullmatch(text):
            raise InvalidRequestError(
                f"{argument} {shown(text)} has no unit",
                argument=argument,
                hint=_add_unit(text),
            )
        raise _wrong(f"{argument} is no duration: {shown(text)}", argument)
    if nanoseconds > _LONGEST:
        raise _wrong(f"{argument} is longer than Ollama can count: {shown(text)}", argument)
    return text


def _add_unit(text: str) -> str:
    if len(text) > _MOST_DIGITS:
        return _FORMS
    return f'Give the number {text} for seconds, or add a unit: "{text}s", "{text}m".'


def _wrong(message: str, argument: str) -> InvalidRequestError:
    return InvalidRequestError(message, argument=argument, hint=_FORMS)
