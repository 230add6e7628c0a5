from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field


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
        """Decode a parsed JSON object; KeyError names a required field that is missing."""
        rest = dict(data)
        pop = rest.pop
        self = cls.__new__(cls)
        self.parent_model = pop("parent_model")
        self.format = pop("format")
        self.family = pop("family")
        self.families = pop("families") or []
        self.parameter_size = pop("parameter_size")
        self.quantization_level = pop("quantization_level")
        if not rest:  # Most pieces of a stream hold no more than this.
            self.context_length = None
            self.embedding_length = None
            self.additional_properties = rest
            return self
        self.context_length = pop("context_length", None)
        self.embedding_length = pop("embedding_length", None)
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
