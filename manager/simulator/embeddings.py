"""Texts to vectors of length one: a bag of hashed words, so that similar texts are similar."""

from __future__ import annotations

import hashlib
import math
import re
from functools import lru_cache

DIMENSIONS = 384

_WORD = re.compile(r"\w+")
_ENDINGS = ("ing", "ed", "es", "s")
_STEM_WEIGHT = 0.7
_COMMON_WEIGHT = 0.1
_COMMON = frozenset(
    """
    a about an and are as at be by can do does for from has have how i in is it its me my of on or
    our so that the their there these this to was we what when where which who why will with you
    your
    """.split()  # noqa: SIM905
)


@lru_cache(maxsize=4096)
def _direction(feature: str, dimensions: int) -> tuple[float, ...]:
    # Bytes of a hash are as good as random: two features are nearly at right angles.
    data = hashlib.shake_128(feature.encode("utf-8", "replace")).digest(dimensions)
    return tuple(byte - 127.5 for byte in data)


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def normalized(vector: list[float]) -> list[float]:
    """The vector brought to length one."""
    length = math.sqrt(sum(value * value for value in vector))
    return [round(value / length, 8) for value in vector] if length else vector


def embed(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """Embed a text.

    Args:
        text: Any text; the empty one has a vector too.
        dimensions: How many numbers the vector has.

    Returns:
        A vector of length one. Equal texts have equal vectors.
    """
    total = [0.0] * dimensions
    for word in _WORD.findall(text.lower()) or [""]:
        weight = _COMMON_WEIGHT if word in _COMMON else 1.0
        features = ((f"word:{word}", weight), (f"stem:{_stem(word)}", weight * _STEM_WEIGHT))
        for feature, share in features:
            direction = _direction(feature, dimensions)
            total = [sum_ + share * value for sum_, value in zip(total, direction, strict=True)]
    return normalized(total)
