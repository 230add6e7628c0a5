"""What may stand in a message: checked before anything is done with it.

Messages come from programs of the same user, perhaps with another version of this package. One
that makes no sense must cost its sender the connection, and never everybody the server.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

__all__ = [
    "BadMessageError",
    "anything",
    "entries",
    "flag",
    "known",
    "mapping",
    "number",
    "optional",
    "seconds",
    "text",
    "words",
]

_LONGEST = 1e12


class BadMessageError(ValueError):
    """A message, or a part of it, is not what the protocol promises."""


def text(value: Any) -> str:
    """Return a value that has to be a string."""
    if not isinstance(value, str):
        raise BadMessageError(f"expected a string, got {value!r:.80}")
    return value


def flag(value: Any) -> bool:
    """Return a value that has to be true or false."""
    if not isinstance(value, bool):
        raise BadMessageError(f"expected a boolean, got {value!r:.80}")
    return value


def number(value: Any) -> float:
    """Return a value that has to be a number which one can reckon with."""
    # NaN is not smaller than anything.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _LONGEST:
        raise BadMessageError(f"expected a number, got {value!r:.80}")
    return value


def seconds(value: Any) -> float:
    """Return a value that has to be a time from 0."""
    if number(value) < 0:
        raise BadMessageError(f"expected seconds, got {value!r:.80}")
    return number(value)


def entries(value: Any) -> Iterable[Any]:
    """Return a value that has to be a list."""
    if not (_is_a(value, list) or _is_a(value, tuple)):
        raise BadMessageError(f"expected a list, got {value!r:.80}")
    given: Iterable[Any] = value
    return given


def words(value: Any) -> tuple[str, ...]:
    """Return a value that has to be a list of strings."""
    return tuple(text(word) for word in entries(value))


def mapping(value: Any, of: Callable[[Any], Any]) -> dict[str, Any]:
    """Return a value that has to be an object, each value of it checked by ``of``."""
    if not _is_a(value, dict):
        raise BadMessageError(f"expected an object, got {value!r:.80}")
    return {text(name): of(entry) for name, entry in value.items()}


def anything(value: Any) -> Any:
    """Return a value that may be whatever it is."""
    return value


def optional(of: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a check that lets null through."""
    return lambda value: None if value is None else of(value)


def known(data: Mapping[str, Any], checks: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    """Return what is known of an object, checked; keys of a newer version are left out."""
    return {name: check(data[name]) for name, check in checks.items() if name in data}


def _is_a(value: Any, kind: type) -> bool:
    # Not a guard for type checkers: what is inside stays anything, not unknown.
    return isinstance(value, kind)
