"""The answer to an embed request, read from its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from attrs import evolve
from ollama_api.models import EmbedResponse

if TYPE_CHECKING:
    from ollama_api.types import Request

__all__ = ["decode_lists", "with_lists"]

# What Ollama sends: told so, msgspec checks the numbers as it reads them.
_ORDINARY: Final = msgspec.json.Decoder(
    dict[str, list[list[int | float]] | str | int | float | bool | None]
)


def with_lists(request: Request[EmbedResponse]) -> Request[EmbedResponse]:
    """Return an embed request whose answer is decoded from its bytes, in one pass."""
    return evolve(request, expects="text", decode=decode_lists)


def decode_lists(content: bytes) -> EmbedResponse:
    """Read the body of an answer to an embed request.

    It returns and raises what parsing and ``EmbedResponse.from_dict`` would, but looks at each
    number once where those look twice.

    Raises:
        ValueError: It is not valid JSON, or breaks the spec; then it is a SpecError.
    """
    try:
        document = _ORDINARY.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _read_any(content)
    embeddings = document.get("embeddings")
    if not isinstance(embeddings, list):
        return _read_any(content)
    document["embeddings"] = []
    answer = EmbedResponse.from_dict(document)
    answer.embeddings = embeddings
    return answer


def _read_any(content: bytes) -> EmbedResponse:
    """Read any JSON; an error says what is wrong with it, and where."""
    try:
        document: Any = msgspec.json.decode(content) if content else None
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from error
    return EmbedResponse.from_dict(document)
