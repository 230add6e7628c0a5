"""Whether a prompt was too long for its context: Ollama cuts it without a word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["explain_full_context"]

# Whole messages are dropped until the rest fits, so what is left does not fill it exactly.
_FULL = 0.95


def explain_full_context(
    asked: Mapping[str, Any] | None, answer: object, context_length: int | None = None
) -> str | None:
    """Return a warning when a prompt filled its context, so that some of it was probably cut.

    Where the request gives no ``num_ctx``, it is compared with the server's ``context_length``,
    unless it is longer: then the model has a context of its own.

    Args:
        asked: The JSON body of the request.
        answer: The decoded answer, of a stream the last line.
        context_length: What the server takes by default, if that is known.

    Source: ``prompt_eval_count`` of Ollama ``POST /api/chat`` and ``POST /api/generate``.
    """
    tokens = getattr(answer, "prompt_eval_count", None)
    # texts to embed have a context each, and are counted together
    if asked is None or "input" in asked or not isinstance(tokens, int):
        return None
    name = "num_ctx"
    context: object = _num_ctx(asked.get("options"))
    if context is None:
        if context_length is None or tokens > context_length:
            return None
        name, context = "context_length", context_length
    if not isinstance(context, int) or context <= 0 or tokens < context * _FULL:
        return None
    return (
        f"the prompt fills {tokens} of {name}={context} tokens: its older parts were probably cut;"
        " raise num_ctx, or shorten the conversation"
    )


def _num_ctx(options: object) -> object:
    return cast("dict[str, Any]", options).get("num_ctx") if isinstance(options, dict) else None
