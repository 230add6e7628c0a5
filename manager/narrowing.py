"""Type tests that tell type checkers what is inside: anything, until it is checked in turn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeGuard

__all__ = ["is_array", "is_bytes", "is_dict", "is_iterable", "is_list", "is_mapping", "is_sequence"]


def is_array(value: object) -> TypeGuard[Sequence[object]]:
    """Return whether ``value`` is what JSON writes as an array: a list or a tuple."""
    return isinstance(value, (list, tuple))


def is_bytes(value: object) -> TypeGuard[bytes | bytearray]:
    """Return whether ``value`` is raw data, a memoryview included."""
    return isinstance(value, (bytes, bytearray, memoryview))


def is_dict(value: object) -> TypeGuard[dict[str, Any]]:
    """Return whether a part of decoded JSON is an object."""
    return isinstance(value, dict)


def is_iterable(value: object) -> TypeGuard[Iterable[object]]:
    """Return whether ``value`` is a collection of items rather than one text, blob or mapping."""
    one = isinstance(value, (str, Mapping)) or is_bytes(value)
    return not one and isinstance(value, Iterable)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Return whether a part of decoded JSON is an array."""
    return isinstance(value, list)


def is_mapping(value: object) -> TypeGuard[Mapping[object, object]]:
    """Return whether ``value`` is a mapping, of whatever to whatever."""
    return isinstance(value, Mapping)


def is_sequence(value: object) -> TypeGuard[Sequence[object]]:
    """Return whether ``value`` is a sequence of items rather than one text or blob."""
    one = isinstance(value, str) or is_bytes(value)
    return not one and isinstance(value, Sequence)
