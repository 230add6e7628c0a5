from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field


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
        """Decode a parsed JSON object; KeyError names a required field that is missing."""
        rest = dict(data)
        pop = rest.pop
        self = cls.__new__(cls)
        self.model = pop("model")
        if not rest:  # Most pieces of a stream hold no more than this.
            self.prompt = None
            self.keep_alive = None
            self.options = None
            self.additional_properties = rest
            return self
        self.prompt = pop("prompt", None)
        self.keep_alive = pop("keep_alive", None)
        self.options = pop("options", None)
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
