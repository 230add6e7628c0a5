"""What a model is told of an answer that did not fit, when it is asked for another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from ollama_api.models import Message

if TYPE_CHECKING:
    from ollama_api.models import ChatRequest

    from manager.errors import OutputParseError

__all__ = ["ask_again"]


def ask_again(body: ChatRequest, error: OutputParseError) -> ChatRequest:
    """Return the request for another answer, in the same conversation.

    Args:
        body: The request that was answered.
        error: What is wrong with the answer; ``text`` holds it.
    """
    place = error.details.get("location")
    where = f" at {place}" if place else ""
    complaint = (
        f"That is not what was asked for{where}: {error.message}."
        " Answer again, with the complete and corrected JSON and nothing else."
    )
    answered = Message(role="assistant", content=str(error.details.get("text", "")))
    asked = Message(role="user", content=complaint)
    return attrs.evolve(body, messages=[*(body.messages or []), answered, asked])
