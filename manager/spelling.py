"""The nearest right word to a misspelt one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["did_you_mean", "nearest", "shown"]

_CUTOFF = 0.6
_SHOWN_LENGTH = 80


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate most like ``word``, or ``None`` where none is alike."""
    from difflib import get_close_matches

    by_folded = {candidate.casefold(): candidate for candidate in candidates}
    matches = get_close_matches(word.casefold(), by_folded, n=1, cutoff=_CUTOFF)
    return by_folded[matches[0]] if matches else None


def did_you_mean(word: str, candidates: Iterable[str]) -> str | None:
    """Return the hint ``Did you mean "..."?``, or ``None`` where nothing is alike."""
    match = nearest(word, candidates)
    return f'Did you mean "{match}"?' if match is not None else None


def shown(value: object) -> str:
    """Return ``value`` as an error message quotes it: never long, never on several lines."""
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        text = f"{type(value).__name__} that is too long to show"
    return text if len(text) <= _SHOWN_LENGTH else f"{text[: _SHOWN_LENGTH - 3]}..."
