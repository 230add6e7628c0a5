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
class WebFetchRequest:
    """A web page to fetch.

    Attributes:
        url (str): Where it is.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    url: str
    additional_properties: dict[str, Any] = field(factory=dict[str, Any])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Decode a parsed JSON object; SpecError names the field that is missing or wrong."""
        if type(data) is not dict:
            data = mapping(data)
        rest = dict(data)
        pop = rest.pop
        self = cls.__new__(cls)
        self.url = value = pop("url", MISSING)
        if type(value) is not str:
            self.url = read(text, value, "url")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "url": self.url,
        }
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
