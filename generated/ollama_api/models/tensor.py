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
class Tensor:
    """One tensor of a model.

    Attributes:
        name (str): Its name.
        type (str): How its numbers are stored, such as `F16`.
        shape (list[int]): Its dimensions.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    name: str
    type: str
    shape: list[int]
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
        self.type = value = pop("type", MISSING)
        if type(value) is not str:
            self.type = read(text, value, "type")
        value = pop("shape", MISSING)
        self.shape = [] if value is None else read(list_of(integer), value, "shape")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "name": self.name,
            "type": self.type,
            "shape": self.shape,
        }
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
