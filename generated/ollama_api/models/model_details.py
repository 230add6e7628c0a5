from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field

from ..types import (
    MISSING,
    integer,
    list_of,
    mapping,
    read,
    text,
)


@define(kw_only=True)
class ModelDetails:
    """What kind of model it is. Texts are empty where the server does not know.

    Attributes:
        parent_model (str): The model that this one was created from.
        format (str): File format, such as `gguf` or `safetensors`.
        family (str): Architecture, such as `llama`.
        families (list[str]): All architectures that are part of it.
        parameter_size (str): Number of parameters, rounded for people, such as `7.6B`.
        quantization_level (str): How the weights are stored, such as `Q4_K_M`.
        context_length (int | None): Tokens of context that the model was made for. Since Ollama
            v0.30.0.
        embedding_length (int | None): Length of the model's embeddings. Since Ollama v0.30.0.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    parent_model: str
    format: str
    family: str
    families: list[str]
    parameter_size: str
    quantization_level: str
    context_length: int | None = None
    embedding_length: int | None = None
    additional_properties: dict[str, Any] = field(factory=dict[str, Any])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Decode a parsed JSON object; SpecError names the field that is missing or wrong."""
        if type(data) is not dict:
            data = mapping(data)
        rest = dict(data)
        pop = rest.pop
        self = cls.__new__(cls)
        self.parent_model = value = pop("parent_model", MISSING)
        if type(value) is not str:
            self.parent_model = read(text, value, "parent_model")
        self.format = value = pop("format", MISSING)
        if type(value) is not str:
            self.format = read(text, value, "format")
        self.family = value = pop("family", MISSING)
        if type(value) is not str:
            self.family = read(text, value, "family")
        value = pop("families", MISSING)
        self.families = [] if value is None else read(list_of(text), value, "families")
        self.parameter_size = value = pop("parameter_size", MISSING)
        if type(value) is not str:
            self.parameter_size = read(text, value, "parameter_size")
        self.quantization_level = value = pop("quantization_level", MISSING)
        if type(value) is not str:
            self.quantization_level = read(text, value, "quantization_level")
        if not rest:  # Most pieces of a stream hold no more than this.
            self.context_length = None
            self.embedding_length = None
            self.additional_properties = rest
            return self
        self.context_length = value = pop("context_length", None)
        if value is not None and type(value) is not int:
            self.context_length = read(integer, value, "context_length")
        self.embedding_length = value = pop("embedding_length", None)
        if value is not None and type(value) is not int:
            self.embedding_length = read(integer, value, "embedding_length")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "parent_model": self.parent_model,
            "format": self.format,
            "family": self.family,
            "families": self.families,
            "parameter_size": self.parameter_size,
            "quantization_level": self.quantization_level,
        }
        if self.context_length is not None:
            data["context_length"] = self.context_length
        if self.embedding_length is not None:
            data["embedding_length"] = self.embedding_length
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
