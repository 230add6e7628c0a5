from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field

from .process_model_response import ProcessModelResponse


@define(kw_only=True)
class ProcessResponse:
    """The models in memory.

    Attributes:
        models (list[ProcessModelResponse]): The loaded models, the one that will stay longest
            first.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    models: list[ProcessModelResponse]
    additional_properties: dict[str, Any] = field(factory=dict[str, Any])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Decode a parsed JSON object; KeyError names a required field that is missing."""
        rest = dict(data)
        pop = rest.pop
        self = cls.__new__(cls)
        self.models = [ProcessModelResponse.from_dict(item) for item in pop("models") or ()]
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
