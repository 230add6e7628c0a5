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
class ToolFunction:
    """A function as it is described to the model.

    Attributes:
        name (str): Name of the function.
        description (str | None): What it does and when to use it.
        parameters (dict[str, Any] | None): JSON Schema of the arguments, an object with
            `properties` and `required`. The server passes on `type`, `properties`, `required`,
            `items` and `$defs`, and of a property `type`, `description`, `enum`, `items`,
            `properties`, `required` and `anyOf`; it drops the rest.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    additional_properties: dict[str, Any] = field(factory=dict[str, Any])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Decode a parsed JSON object; SpecError names the field that is missing or wrong."""
        if type(data) is not dict:
            data = mapping(data)
        rest = dict(data)
        pop = rest.pop
        self = cls.__new__(cls)
        self.name = value = pop("name", MISSING)
        if type(value) is not str:
            self.name = read(text, value, "name")
        if not rest:  # Most pieces of a stream hold no more than this.
            self.description = None
            self.parameters = None
            self.additional_properties = rest
            return self
        self.description = value = pop("description", None)
        if value is not None and type(value) is not str:
            self.description = read(text, value, "description")
        self.parameters = value = pop("parameters", None)
        if value is not None and type(value) is not dict:
            self.parameters = read(mapping, value, "parameters")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "name": self.name,
        }
        if self.description is not None:
            data["description"] = self.description
        if self.parameters is not None:
            data["parameters"] = self.parameters
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
