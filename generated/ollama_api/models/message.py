from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field

from ..types import (
    MISSING,
    are_text,
    list_of,
    mapping,
    read,
    text,
)
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
        """Decode a parsed JSON object; SpecError names the field that is missing or wrong."""
        if type(data) is not dict:
            data = mapping(data)
        rest = dict(data)
        pop = rest.pop
        self = cls.__new__(cls)
        self.role = value = pop("role", MISSING)
        if type(value) is not str:
            self.role = read(text, value, "role")
        self.content = value = pop("content", MISSING)
        if type(value) is not str:
            self.content = read(text, value, "content")
        if not rest:  # Most pieces of a stream hold no more than this.
            self.thinking = None
            self.images = None
            self.tool_calls = None
            self.tool_name = None
            self.tool_call_id = None
            self.additional_properties = rest
            return self
        self.thinking = value = pop("thinking", None)
        if value is not None and type(value) is not str:
            self.thinking = read(text, value, "thinking")
        self.images = value = pop("images", None)
        if value is not None and not (type(value) is list and are_text(map(type, value))):
            self.images = read(list_of(text), value, "images")
        value = pop("tool_calls", None)
        self.tool_calls = (
            None if value is None else read(list_of(ToolCall.from_dict), value, "tool_calls")
        )
        self.tool_name = value = pop("tool_name", None)
        if value is not None and type(value) is not str:
            self.tool_name = read(text, value, "tool_name")
        self.tool_call_id = value = pop("tool_call_id", None)
        if value is not None and type(value) is not str:
            self.tool_call_id = read(text, value, "tool_call_id")
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
