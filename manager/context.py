"""Whether a prompt was too long for its context: Ollama cuts it without a word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["explain_full_context"]

# Whole messages are dropped until the rest fits, so what is left does not fill it exactly.
_FULL = 0.95


def explain_full_context(asked: Mapping[str, Any] | None, answer: object) -> str | None:
    """Return a warning when a prompt filled its context, so that some of it was probably cut.

    Only what the request itself says of the context is known here: where it gives no ``num_ctx``,
    there is nothing to compare with.

    Args:
        asked: The JSON body of the request.
        answer: The decoded answer, of a stream the last line.

    Source: ``prompt_eval_count`` of Ollama ``POST /api/chat`` and ``POST /api/generate``.
    """
    tokens = getattr(answer, "prompt_eval_count", None)
    options = (asked or {}).get("options")
    if not isinstance(options, dict) or not isinstance(tokens, int):
        return None
    context = cast("dict[str, Any]", options).get("num_ctx")
    if not isinstance(context, int) or context <= 0 or tokens < context * _FULL:
        return None
    return (
        f"the prompt fills {tokens} of num_ctx={context} tokens: its older parts were probably cut;"
        " raise num_ctx, or shorten the conversation"
    )
