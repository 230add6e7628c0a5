"""Texts that match a regular expression, for the ``pattern`` of a JSON schema."""

from __future__ import annotations

import re
import warnings
from typing import Any

_FEW = 2
_MANY = 64
_BY_CATEGORY = {
    "CATEGORY_DIGIT": "0",
    "CATEGORY_NOT_DIGIT": "a",
    "CATEGORY_SPACE": " ",
    "CATEGORY_NOT_SPACE": "a",
    "CATEGORY_WORD": "a",
    "CATEGORY_NOT_WORD": "-",
}
_CANDIDATES = "a0A-_ .,:/@\n" + "".join(map(chr, range(33, 127)))


def matching(pattern: str, minimum: int = 0, maximum: int | None = None) -> str | None:
    """Make up a text that a pattern finds a match in.

    Args:
        pattern: A regular expression; not anchored, as in JSON schema.
        minimum: The least number of characters.
        maximum: The greatest number of characters.

    Returns:
        Such a text, or None if none was found: look-arounds are beyond this.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = _parse(pattern)
            compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return None
    for repeats in (0, 1, _FEW, minimum, minimum + 1, _MANY):
        text = _Maker(repeats).make(tree)
        text += "a" * (minimum - len(text))
        fits = maximum is None or len(text) <= maximum
        if fits and len(text) >= minimum and compiled.search(text):
            return text
    return None


def _parse(pattern: str) -> Any:
    # The parser of the standard library; private, but steady since Python 3.11.
    from re import _parser  # type: ignore[attr-defined]  # pyright: ignore

    return _parser.parse(pattern)  # pyright: ignore


class _Maker:
    """Walks a parsed pattern, taking the first branch and a given number of repeats."""

    def __init__(self, repeats: int) -> None:
        self.repeats = repeats
        self.groups: dict[int, str] = {}

    def make(self, tree: Any) -> str:
        return "".join(self._node(str(operation), argument) for operation, argument in tree)

    def _node(self, operation: str, argument: Any) -> str:
        match operation:
            case "LITERAL":
                return chr(argument)
            case "NOT_LITERAL":
                return "a" if argument != ord("a") else "b"
            case "ANY":
                return "a"
            case "IN":
                return _member(argument)
            case "BRANCH":
                return self.make(argument[1][0])
            case "SUBPATTERN":
                number, _, _, inner = argument
                text = self.make(inner)
                if number is not None:
                    self.groups[number] = text
                return text
            case "ATOMIC_GROUP":
                return self.make(argument)
            case "GROUPREF":
                return self.groups.get(argument, "")
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                least, most, inner = argument
                times = max(int(least), min(int(most), self.repeats))
                return "".join(self.make(inner) for _ in range(times))
            case _:
                return ""


def _member(items: Any) -> str:
    """A character of a set such as ``[a-z_]`` or ``[^/]``."""
    negated = bool(items) and str(items[0][0]) == "NEGATE"
    if not negated:
        operation, argument = items[0]
        match str(operation):
            case "LITERAL":
                return chr(argument)
            case "RANGE":
                return chr(argument[0])
            case _:
                return _BY_CATEGORY.get(str(argument), "a")
    excluded = [item for item in items if str(item[0]) != "NEGATE"]
    return next((c for c in _CANDIDATES if not any(_holds(item, c) for item in excluded)), "")


def _holds(item: Any, character: str) -> bool:
    operation, argument = str(item[0]), item[1]
    match operation:
        case "LITERAL":
            return bool(ord(character) == argument)
        case "RANGE":
            return bool(argument[0] <= ord(character) <= argument[1])
        case _:
            classes = {
                "CATEGORY_DIGIT": r"\d",
                "CATEGORY_NOT_DIGIT": r"\D",
                "CATEGORY_SPACE": r"\s",
                "CATEGORY_NOT_SPACE": r"\S",
                "CATEGORY_WORD": r"\w",
                "CATEGORY_NOT_WORD": r"\W",
            }
            expression: str = classes.get(str(argument), ".")
            return re.match(expression, character) is not None
