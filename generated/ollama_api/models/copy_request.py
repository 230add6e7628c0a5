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
class CopyRequest:
    """A model to copy.

    Attributes:
        source (str): Name of the model that is there.
        destination (str): Name of the copy.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    source: str
    destination: str
    additional_properties: dict[str, Any] = field(factory=dict[str, Any])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Decode a parsed JSON object; SpecError names the field that is missing or wrong."""
        if type(data) is not dict:
            data = mapping(data)
        rest = dict(data)
        pop = rest.pop
        self = cls.__new__(cls)
        self.source = value = pop("source", MISSING)
        if type(value) is not str:
            self.source = read(text, value, "source")
        self.destination = value = pop("destination", MISSING)
        if type(value) is not str:
            self.destination = read(text, value, "destination")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "source": self.source,
            "destination": self.destination,
        }
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
