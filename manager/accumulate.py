"""From the chunks of a stream to the whole answer: pure, and the same for sync and async."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from ollama_api.models import ChatResponse, GenerateResponse, Logprob, Message, ToolCall

__all__ = ["ChatAccumulator", "GenerateAccumulator"]


class ChatAccumulator:
    """Collects the chunks of ``POST /api/chat``; the last value of each plain field holds."""

    __slots__ = (
        "_content",
        "_last",
        "_logprobs",
        "_message",
        "_thinking",
        "_tool_calls",
        "_unknown",
        "_unknown_of_message",
    )

    def __init__(self) -> None:
        self._unknown: dict[str, Any] = {}
        self._unknown_of_message: dict[str, Any] = {}
        self._content: list[str] = []
        self._thinking: list[str] = []
        self._tool_calls: list[ToolCall] = []
        self._logprobs: list[Logprob] = []
        self._message: Message | None = None
        self._last: ChatResponse | None = None

    def add(self, chunk: ChatResponse) -> None:
        """Take in the next chunk."""
        message = chunk.message
        if message.content:
            self._content.append(message.content)
        if message.thinking:
            self._thinking.append(message.thinking)
        if message.tool_calls:
            self._tool_calls.extend(message.tool_calls)
        if chunk.logprobs:
            self._logprobs.extend(chunk.logprobs)
        if message.additional_properties:
            self._unknown_of_message.update(message.additional_properties)
        if chunk.additional_properties:
            self._unknown.update(chunk.additional_properties)
        if self._message is None:
            self._message = message
        self._last = chunk

    @staticmethod
    def text_of(chunk: ChatResponse) -> str:
        """Return what a chunk adds to the text of the answer."""
        return chunk.message.content or ""

    @staticmethod
    def is_last(chunk: ChatResponse) -> bool:
        """Return whether the server says that nothing follows."""
        return chunk.done

    def result(self) -> ChatResponse | None:
        """Return the answer so far, or ``None`` before the first chunk."""
        if self._last is None or self._message is None:
            return None
        message = attrs.evolve(
            self._message,
            content="".join(self._content),
            thinking="".join(self._thinking) or None,
            tool_calls=list(self._tool_calls) or None,
            additional_properties=dict(self._unknown_of_message),
        )
        return attrs.evolve(
            self._last,
            message=message,
            logprobs=list(self._logprobs) or None,
            additional_properties=dict(self._unknown),
        )


class GenerateAccumulator:
    """Collects the chunks of ``POST /api/generate``; the last value of each plain field holds."""

    __slots__ = ("_last", "_logprobs", "_response", "_thinking", "_tool_calls", "_unknown")

    def __init__(self) -> None:
        self._unknown: dict[str, Any] = {}
        self._response: list[str] = []
        self._thinking: list[str] = []
        self._tool_calls: list[ToolCall] = []
        self._logprobs: list[Logprob] = []
        self._last: GenerateResponse | None = None

    def add(self, chunk: GenerateResponse) -> None:
        """Take in the next chunk."""
        if chunk.response:
            self._response.append(chunk.response)
        if chunk.thinking:
            self._thinking.append(chunk.thinking)
        if chunk.tool_calls:
            self._tool_calls.extend(chunk.tool_calls)
        if chunk.logprobs:
            self._logprobs.extend(chunk.logprobs)
        if chunk.additional_properties:
            self._unknown.update(chunk.additional_properties)
        self._last = chunk

    @staticmethod
    def text_of(chunk: GenerateResponse) -> str:
        """Return what a chunk adds to the text of the answer."""
        return chunk.response or ""

    @staticmethod
    def is_last(chunk: GenerateResponse) -> bool:
        """Return whether the server says that nothing follows."""
        return chunk.done

    def result(self) -> GenerateResponse | None:
        """Return the answer so far, or ``None`` before the first chunk."""
        if self._last is None:
            return None
        return attrs.evolve(
            self._last,
            response="".join(self._response),
            thinking="".join(self._thinking) or None,
            tool_calls=list(self._tool_calls) or None,
            logprobs=list(self._logprobs) or None,
            additional_properties=dict(self._unknown),
        )
