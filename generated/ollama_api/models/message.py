from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field

from .tool_call import ToolCall


@define(kw_only=True)
class Message:
    """One message of a conversation.

    Attributes:
        role (str): Who speaks, `system`, `user`, `assistant` or `tool`.
        content (str): The text. Empty where there is only thinking, tool calls or images.
        thinking (str | None): What the model thought before it answered, when `think` is on.
            Since Ollama v0.9.0.
        images (list[str] | None): Images for a model that can see, each the file's bytes in
            base64.
        tool_calls (list[ToolCall] | None): The tools that the model wants called.
        tool_name (str | None): In a message of the role `tool`, the tool that this is the
            result of. Since Ollama v0.9.6.
        tool_call_id (str | None): In a message of the role `tool`, the `id` of the call that
            this is the result of. Since Ollama v0.12.10.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    role: str
    content: str
    thinking: str | None = None
    images: list[str] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None
    additional_properties: dict[str, Any] = field(factory=dict[str, Any])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Decode a parsed JSON object; KeyError names a required field that is missing."""
        rest = dict(data)
        pop = rest.pop
        self = cls.__new__(cls)
        self.role = pop("role")
        self.content = pop("content")
        if not rest:  # Most pieces of a stream hold no more than this.
            self.thinking = None
            self.images = None
            self.tool_calls = None
            self.tool_name = None
            self.tool_call_id = None
            self.additional_properties = rest
            return self
        self.thinking = pop("thinking", None)
        self.images = pop("images", None)
        value = pop("tool_calls", None)
        self.tool_calls = None if value is None else [ToolCall.from_dict(item) for item in value]
        self.tool_name = pop("tool_name", None)
        self.tool_call_id = pop("tool_call_id", None)
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "role": self.role,
            "content": self.content,
        }
        if self.thinking is not None:
            data["thinking"] = self.thinking
        if self.images is not None:
            data["images"] = self.images
        if self.tool_calls is not None:
            data["tool_calls"] = [item.to_dict() for item in self.tool_calls]
        if self.tool_name is not None:
            data["tool_name"] = self.tool_name
        if self.tool_call_id is not None:
            data["tool_call_id"] = self.tool_call_id
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
