"""Text and JSON as they go over the wire: what cannot be sent is refused, with its place named."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

from manager.errors import InvalidRequestError
from manager.narrowing import is_array, is_mapping
from manager.spelling import shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeGuard

    from manager.types import JSON

__all__ = ["are_plain_texts", "check_json", "validate_text"]

_DEEPEST = 200  # Far beyond any real schema; a value that holds itself ends here.


def validate_text(value: object, argument: str) -> str:
    """Return ``value`` if it is a string that can be sent as UTF-8.

    Control characters, NUL included, are text to a model and pass.

    Args:
        value: What the caller gave.
        argument: The name of the argument, for the error.

    Raises:
        InvalidRequestError: It is no string, or holds half of a surrogate pair.
    """
    if not isinstance(value, str):
        hint = "Decode it first: .decode()" if isinstance(value, (bytes, bytearray)) else None
        raise InvalidRequestError(
            f"{argument} must be a string, got {type(value).__name__}", argument=argument, hint=hint
        )
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequestError(
            f"{argument} holds the lone surrogate U+{ord(value[error.start]):04X} "
            f"at position {error.start}, which cannot be sent",
            argument=argument,
            hint='Read the text with the right encoding, or use errors="replace".',
        ) from None
    # A member of a string enum counts as its value.
    return value if type(value) is str else str.__str__(value)


def are_plain_texts(values: Sequence[object]) -> TypeGuard[list[str]]:
    """Whether these are plain strings that can be sent: all at once, where most often all are."""
    if set(map(type, values)) != {str}:
        return False
    try:
        "".join(cast("Sequence[str]", values)).encode()
    except UnicodeEncodeError:
        return False
    return True


def check_json(value: object, argument: str, *, depth: int = 0) -> JSON:
    """Return a copy of ``value`` that is made of plain JSON types alone.

    Args:
        value: Mappings with string keys, lists, tuples, strings, finite numbers, bools, ``None``.
        argument: Where it stands, such as ``tools[0].function``, for the error.
        depth: How deep it lies; callers leave it out.

    Raises:
        InvalidRequestError: A part is no JSON; the message says which.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return validate_text(value, argument)
    if isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            raise InvalidRequestError(
                f"{argument} does not fit 64 bits: {shown(value)}", argument=argument
            )
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidRequestError(
                f"{argument} is {value}, which JSON does not have",
                argument=argument,
                hint="Use a finite number or None.",
            )
        return float(value)
    if depth > _DEEPEST:
        raise InvalidRequestError(
            f"{argument} is nested deeper than {_DEEPEST} levels, or holds itself",
            argument=argument,
        )
    if is_mapping(value):
        return {
            _check_key(key, argument): check_json(item, f"{argument}.{key}", depth=depth + 1)
            for key, item in value.items()
        }
    if is_array(value):
        return [
            check_json(item, f"{argument}[{index}]", depth=depth + 1)
            for index, item in enumerate(value)
        ]
    raise InvalidRequestError(
        f"{argument} is a {type(value).__name__}, which is not JSON: {shown(value)}",
        argument=argument,
        hint="Use dicts, lists, strings, numbers, bools and None.",
    )


def _check_key(key: object, argument: str) -> str:
    if not isinstance(key, str):
        raise InvalidRequestError(
            f"{argument} has the key {shown(key)}; keys must be strings", argument=argument
        )
    return validate_text(key, f"a key of {argument}")
