from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field

from ..types import (
    MISSING,
    mapping,
    read,
    text,
)


@define(kw_only=True)
class DeleteRequest:
    """A model to delete.

    Attributes:
        model (str): Name of the model.
        name (str | None): Old name of `model`. Deprecated.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    model: str
    name: str | None = None
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
            self.name = None
            self.additional_properties = rest
            return self
        self.name = value = pop("name", None)
        if value is not None and type(value) is not str:
            self.name = read(text, value, "name")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "model": self.model,
        }
        if self.name is not None:
            data["name"] = self.name
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
