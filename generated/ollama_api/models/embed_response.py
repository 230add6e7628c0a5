from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field

from ..types import (
    MISSING,
    integer,
    mapping,
    number_lists,
    read,
    text,
)


@define(kw_only=True)
class EmbedResponse:
    """The vectors of the texts.

    Attributes:
        model (str): Name of the model, as it was asked for.
        embeddings (list[list[float]]): One vector of unit length for each text, in their order.
        total_duration (int | None): Nanoseconds from the request to the end.
        load_duration (int | None): Nanoseconds until the model was loaded.
        prompt_eval_count (int | None): Tokens in all texts together.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    model: str
    embeddings: list[list[float]]
    total_duration: int | None = None
    load_duration: int | None = None
    prompt_eval_count: int | None = None
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
        value = pop("embeddings", MISSING)
        self.embeddings = [] if value is None else read(number_lists, value, "embeddings")
        if not rest:  # Most pieces of a stream hold no more than this.
            self.total_duration = None
            self.load_duration = None
            self.prompt_eval_count = None
            self.additional_properties = rest
            return self
        self.total_duration = value = pop("total_duration", None)
        if value is not None and type(value) is not int:
            self.total_duration = read(integer, value, "total_duration")
        self.load_duration = value = pop("load_duration", None)
        if value is not None and type(value) is not int:
            self.load_duration = read(integer, value, "load_duration")
        self.prompt_eval_count = value = pop("prompt_eval_count", None)
        if value is not None and type(value) is not int:
            self.prompt_eval_count = read(integer, value, "prompt_eval_count")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "model": self.model,
            "embeddings": self.embeddings,
        }
        if self.total_duration is not None:
            data["total_duration"] = self.total_duration
        if self.load_duration is not None:
            data["load_duration"] = self.load_duration
        if self.prompt_eval_count is not None:
            data["prompt_eval_count"] = self.prompt_eval_count
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
