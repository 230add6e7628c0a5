"""Text to tokens and back: words of at most twelve letters, marks and blanks."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_TOKEN = re.compile(r" ?\w{1,12}|\s|[^\w\s]")
_VOCABULARY = 32_000


def split(text: str) -> list[str]:
    """Split a text into tokens; joined again they are the text."""
    return _TOKEN.findall(text)


def count(text: str) -> int:
    """How many tokens a text has."""
    return len(_TOKEN.findall(text))


def identifiers(text: str) -> list[int]:
    """A stable number for each token of a text, as the ``context`` of an answer has them."""
    return [zlib.crc32(token.encode("utf-8", "replace")) % _VOCABULARY for token in split(text)]


def cut_at_stop(text: str, stops: Iterable[str]) -> str:
    """The text before the first of the stop sequences."""
    ends = [text.find(stop) for stop in stops if stop]
    return text[: min((end for end in ends if end >= 0), default=len(text))]


def logprob(token: str, position: int, alternatives: int) -> dict[str, Any]:
    """Made-up but stable log probabilities of a token and of those that might have been."""

    def entry(text: str, value: float) -> dict[str, Any]:
        return {"token": text, "logprob": value, "bytes": list(text.encode("utf-8", "replace"))}

    seed = zlib.crc32(f"{position}:{token}".encode("utf-8", "replace"))
    own = -(seed % 1000) / 2500 - 0.001
    result = entry(token, own)
    if alternatives:
        others = (entry(f"{token}{n}", own - n - (seed >> n) % 100 / 100) for n in range(1, 20))
        result["top_logprobs"] = [entry(token, own), *others][:alternatives]
    return result


def prompt_text(messages: Iterable[Mapping[str, Any]]) -> str:
    """The prompt that a chat becomes, one line a message."""
    return "".join(f"{message['role']}: {message['content']}\n" for message in messages)
