from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field

from ..types import (
    MISSING,
    integer,
    mapping,
    read,
    text,
)


@define(kw_only=True)
class ModelRecommendation:
    """A model worth trying.

    Attributes:
        model (str): Name of the model, ready to be pulled or asked.
        description (str): What it is good at.
        context_length (int | None): Tokens of context that it takes.
        max_output_tokens (int | None): Most tokens that it gives.
        vram_bytes (int | None): GPU memory that it needs, in bytes.
        required_plan (str | None): Subscription that it needs. Since Ollama v0.23.2.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    model: str
    description: str
    context_length: int | None = None
    max_output_tokens: int | None = None
    vram_bytes: int | None = None
    required_plan: str | None = None
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
        self.description = value = pop("description", MISSING)
        if type(value) is not str:
            self.description = read(text, value, "description")
        if not rest:  # Most pieces of a stream hold no more than this.
            self.context_length = None
            self.max_output_tokens = None
            self.vram_bytes = None
            self.required_plan = None
            self.additional_properties = rest
            return self
        self.context_length = value = pop("context_length", None)
        if value is not None and type(value) is not int:
            self.context_length = read(integer, value, "context_length")
        self.max_output_tokens = value = pop("max_output_tokens", None)
        if value is not None and type(value) is not int:
            self.max_output_tokens = read(integer, value, "max_output_tokens")
        self.vram_bytes = value = pop("vram_bytes", None)
        if value is not None and type(value) is not int:
            self.vram_bytes = read(integer, value, "vram_bytes")
        self.required_plan = value = pop("required_plan", None)
        if value is not None and type(value) is not str:
            self.required_plan = read(text, value, "required_plan")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "model": self.model,
            "description": self.description,
        }
        if self.context_length is not None:
            data["context_length"] = self.context_length
        if self.max_output_tokens is not None:
            data["max_output_tokens"] = self.max_output_tokens
        if self.vram_bytes is not None:
            data["vram_bytes"] = self.vram_bytes
        if self.required_plan is not None:
            data["required_plan"] = self.required_plan
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
