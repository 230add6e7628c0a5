from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field

from ..types import (
    MISSING,
    mapping,
    number,
    one_of,
    read,
    text,
)


@define(kw_only=True)
class EmbeddingRequest:
    """A text to embed, the old way.

    Attributes:
        model (str): Name of the model.
        prompt (str | None): The text. Empty or absent only loads the model.
        keep_alive (float | str | None): How long the model stays in memory after this request.
            Default OLLAMA_KEEP_ALIVE, 5 minutes.
        options (dict[str, Any] | None): Model options for this request.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    model: str
    prompt: str | None = None
    keep_alive: float | str | None = None
    options: dict[str, Any] | None = None
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
            self.prompt = None
            self.keep_alive = None
            self.options = None
            self.additional_properties = rest
            return self
        self.prompt = value = pop("prompt", None)
        if value is not None and type(value) is not str:
            self.prompt = read(text, value, "prompt")
        value = pop("keep_alive", None)
        self.keep_alive = None if value is None else read(one_of(number, text), value, "keep_alive")
        self.options = value = pop("options", None)
        if value is not None and type(value) is not dict:
            self.options = read(mapping, value, "options")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "model": self.model,
        }
        if self.prompt is not None:
            data["prompt"] = self.prompt
        if self.keep_alive is not None:
            data["keep_alive"] = self.keep_alive
        if self.options is not None:
            data["options"] = self.options
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
