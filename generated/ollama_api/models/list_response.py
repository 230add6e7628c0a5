from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field

from ..types import (
    MISSING,
    list_of,
    mapping,
    read,
)
from .list_model_response import ListModelResponse


@define(kw_only=True)
class ListResponse:
    """The models on disk.

    Attributes:
        models (list[ListModelResponse]): The models, the most recently changed first.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    models: list[ListModelResponse]
    additional_properties: dict[str, Any] = field(factory=dict[str, Any])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Decode a parsed JSON object; SpecError names the field that is missing or wrong."""
        if type(data) is not dict:
            data = mapping(data)
        rest = dict(data)
        pop = rest.pop
        self = cls.__new__(cls)
        value = pop("models", MISSING)
        self.models = (
            [] if value is None else read(list_of(ListModelResponse.from_dict), value, "models")
        )
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "models": [item.to_dict() for item in self.models],
        }
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
