from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field

from ..types import (
    MISSING,
    SpecError,
    boolean,
    integer,
    list_of,
    mapping,
    parse_timestamp,
    read,
    text,
)
from .debug_info import DebugInfo
from .logprob import Logprob
from .message import Message


@define(kw_only=True)
class ChatResponse:
    """The answer to a conversation, or a piece of it.

    Attributes:
        model (str): Name of the model that answered, as it was asked for.
        remote_model (str | None): Name of the model on the server that this one was relayed to.
            Since Ollama v0.12.0.
        remote_host (str | None): URL of the server that this was relayed to. Since Ollama
            v0.12.0.
        created_at (datetime.datetime): When this answer or piece was made.
        message (Message): The message, or what this piece adds to it.
        done (bool): Whether this is the end.
        done_reason (str | None): Why it ended, `stop`, `length`, `load` or `unload`.
        debug_info (DebugInfo | None): The rendered prompt, if only that was asked for. Since
            Ollama v0.12.0.
        logprobs (list[Logprob] | None): How likely the tokens of this answer or piece were, if
            asked for. Since Ollama v0.12.11.
        total_duration (int | None): Nanoseconds from the request to the end. This and the rest
            only when `done`, zeros left out.
        load_duration (int | None): Nanoseconds until the model was loaded.
        prompt_eval_count (int | None): Tokens in the prompt.
        prompt_eval_duration (int | None): Nanoseconds spent on the prompt.
        eval_count (int | None): Tokens in the answer.
        eval_duration (int | None): Nanoseconds spent on the answer.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    model: str
    remote_model: str | None = None
    remote_host: str | None = None
    created_at: datetime.datetime
    message: Message
    done: bool
    done_reason: str | None = None
    debug_info: DebugInfo | None = None
    logprobs: list[Logprob] | None = None
    total_duration: int | None = None
    load_duration: int | None = None
    prompt_eval_count: int | None = None
    prompt_eval_duration: int | None = None
    eval_count: int | None = None
    eval_duration: int | None = None
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
        try:
            self.created_at = parse_timestamp(pop("created_at", MISSING))
        except SpecError as error:
            raise error.inside("created_at")
        try:
            self.message = Message.from_dict(pop("message", MISSING))
        except SpecError as error:
            raise error.inside("message")
        self.done = value = pop("done", MISSING)
        if type(value) is not bool:
            self.done = read(boolean, value, "done")
        if not rest:  # Most pieces of a stream hold no more than this.
            self.remote_model = None
            self.remote_host = None
            self.done_reason = None
            self.debug_info = None
            self.logprobs = None
            self.total_duration = None
            self.load_duration = None
            self.prompt_eval_count = None
            self.prompt_eval_duration = None
            self.eval_count = None
            self.eval_duration = None
            self.additional_properties = rest
            return self
        self.remote_model = value = pop("remote_model", None)
        if value is not None and type(value) is not str:
            self.remote_model = read(text, value, "remote_model")
        self.remote_host = value = pop("remote_host", None)
        if value is not None and type(value) is not str:
            self.remote_host = read(text, value, "remote_host")
        self.done_reason = value = pop("done_reason", None)
        if value is not None and type(value) is not str:
            self.done_reason = read(text, value, "done_reason")
        value = pop("_debug_info", None)
        self.debug_info = None if value is None else read(DebugInfo.from_dict, value, "_debug_info")
        value = pop("logprobs", None)
        self.logprobs = (
            None if value is None else read(list_of(Logprob.from_dict), value, "logprobs")
        )
        self.total_duration = value = pop("total_duration", None)
        if value is not None and type(value) is not int:
            self.total_duration = read(integer, value, "total_duration")
        self.load_duration = value = pop("load_duration", None)
        if value is not None and type(value) is not int:
            self.load_duration = read(integer, value, "load_duration")
        self.prompt_eval_count = value = pop("prompt_eval_count", None)
        if value is not None and type(value) is not int:
            self.prompt_eval_count = read(integer, value, "prompt_eval_count")
        self.prompt_eval_duration = value = pop("prompt_eval_duration", None)
        if value is not None and type(value) is not int:
            self.prompt_eval_duration = read(integer, value, "prompt_eval_duration")
        self.eval_count = value = pop("eval_count", None)
        if value is not None and type(value) is not int:
            self.eval_count = read(integer, value, "eval_count")
        self.eval_duration = value = pop("eval_duration", None)
        if value is not None and type(value) is not int:
            self.eval_duration = read(integer, value, "eval_duration")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "model": self.model,
        }
        if self.remote_model is not None:
            data["remote_model"] = self.remote_model
        if self.remote_host is not None:
            data["remote_host"] = self.remote_host
        data["created_at"] = self.created_at.isoformat()
        data["message"] = self.message.to_dict()
        data["done"] = self.done
        if self.done_reason is not None:
            data["done_reason"] = self.done_reason
        if self.debug_info is not None:
            data["_debug_info"] = self.debug_info.to_dict()
        if self.logprobs is not None:
            data["logprobs"] = [item.to_dict() for item in self.logprobs]
        if self.total_duration is not None:
            data["total_duration"] = self.total_duration
        if self.load_duration is not None:
            data["load_duration"] = self.load_duration
        if self.prompt_eval_count is not None:
            data["prompt_eval_count"] = self.prompt_eval_count
        if self.prompt_eval_duration is not None:
            data["prompt_eval_duration"] = self.prompt_eval_duration
        if self.eval_count is not None:
            data["eval_count"] = self.eval_count
        if self.eval_duration is not None:
            data["eval_duration"] = self.eval_duration
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
