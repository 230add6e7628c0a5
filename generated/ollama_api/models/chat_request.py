from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field

from ..types import (
    MISSING,
    boolean,
    integer,
    list_of,
    mapping,
    number,
    one_of,
    read,
    text,
)
from .format_name import FormatName
from .message import Message
from .think_level import ThinkLevel
from .tool import Tool


@define(kw_only=True)
class ChatRequest:
    """A conversation to answer.

    Attributes:
        model (str): Name of the model.
        messages (list[Message] | None): The conversation so far, oldest first. Empty or absent
            only loads the model.
        stream (bool | None): Answer token by token; on unless `false` is sent.
        format (FormatName | str | dict[str, Any] | None): Hold the answer to JSON or to a JSON
            Schema.
        keep_alive (float | str | None): How long the model stays in memory after this request.
            Default OLLAMA_KEEP_ALIVE, 5 minutes.
        tools (list[Tool] | None): Tools that the model may ask to have called.
        options (dict[str, Any] | None): Model options for this request.
        think (bool | ThinkLevel | str | None): Think before answering. A model that can thinks
            by default; one that cannot refuses. Since Ollama v0.9.0.
        truncate (bool | None): Drop the oldest messages if the conversation does not fit the
            context. Default true. Since Ollama v0.12.6.
        shift (bool | None): Move the context along when it is full, rather than stop. Default
            true. Since Ollama v0.12.6.
        debug_render_only (bool | None): Answer with the rendered prompt and do not run the
            model. For debugging templates. Since Ollama v0.11.5.
        logprobs (bool | None): Say how likely each token of the answer was. Since Ollama
            v0.12.11.
        top_logprobs (int | None): With `logprobs`, how many of the likeliest tokens to list at
            each position. Since Ollama v0.12.11.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    model: str
    messages: list[Message] | None = None
    stream: bool | None = None
    format: FormatName | str | dict[str, Any] | None = None
    keep_alive: float | str | None = None
    tools: list[Tool] | None = None
    options: dict[str, Any] | None = None
    think: bool | ThinkLevel | str | None = None
    truncate: bool | None = None
    shift: bool | None = None
    debug_render_only: bool | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    additional_properties: dict[str, Any] = field(factory=dict[str, Any])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Decode a parsed JSON object; SpecError names the field that is missing or wrong."""
        if type(data) is not dict:
            data = mapping(data)
        rest = dict(data)
        pop = rest.pop
        self = cls.__new__(cls)
        self.model = value = pop("model", MISSING)
        if type(value) is not str:
            self.model = read(text, value, "model")
        if not rest:  # Most pieces of a stream hold no more than this.
            self.messages = None
            self.stream = None
            self.format = None
            self.keep_alive = None
            self.tools = None
            self.options = None
            self.think = None
            self.truncate = None
            self.shift = None
            self.debug_render_only = None
            self.logprobs = None
            self.top_logprobs = None
            self.additional_properties = rest
            return self
        value = pop("messages", None)
        self.messages = (
            None if value is None else read(list_of(Message.from_dict), value, "messages")
        )
        self.stream = value = pop("stream", None)
        if value is not None and type(value) is not bool:
            self.stream = read(boolean, value, "stream")
        value = pop("format", None)
        self.format = None if value is None else read(one_of(text, mapping), value, "format")
        value = pop("keep_alive", None)
        self.keep_alive = None if value is None else read(one_of(number, text), value, "keep_alive")
        value = pop("tools", None)
        self.tools = None if value is None else read(list_of(Tool.from_dict), value, "tools")
        self.options = value = pop("options", None)
        if value is not None and type(value) is not dict:
            self.options = read(mapping, value, "options")
        value = pop("think", None)
        self.think = None if value is None else read(one_of(boolean, text), value, "think")
        self.truncate = value = pop("truncate", None)
        if value is not None and type(value) is not bool:
            self.truncate = read(boolean, value, "truncate")
        self.shift = value = pop("shift", None)
        if value is not None and type(value) is not bool:
            self.shift = read(boolean, value, "shift")
        self.debug_render_only = value = pop("_debug_render_only", None)
        if value is not None and type(value) is not bool:
            self.debug_render_only = read(boolean, value, "_debug_render_only")
        self.logprobs = value = pop("logprobs", None)
        if value is not None and type(value) is not bool:
            self.logprobs = read(boolean, value, "logprobs")
        self.top_logprobs = value = pop("top_logprobs", None)
        if value is not None and type(value) is not int:
            self.top_logprobs = read(integer, value, "top_logprobs")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "model": self.model,
        }
        if self.messages is not None:
            data["messages"] = [item.to_dict() for item in self.messages]
        if self.stream is not None:
            data["stream"] = self.stream
        if self.format is not None:
            data["format"] = self.format
        if self.keep_alive is not None:
            data["keep_alive"] = self.keep_alive
        if self.tools is not None:
            data["tools"] = [item.to_dict() for item in self.tools]
        if self.options is not None:
            data["options"] = self.options
        if self.think is not None:
            data["think"] = self.think
        if self.truncate is not None:
            data["truncate"] = self.truncate
        if self.shift is not None:
            data["shift"] = self.shift
        if self.debug_render_only is not None:
            data["_debug_render_only"] = self.debug_render_only
        if self.logprobs is not None:
            data["logprobs"] = self.logprobs
        if self.top_logprobs is not None:
            data["top_logprobs"] = self.top_logprobs
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
