from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field

from ..types import (
    MISSING,
    integer,
    mapping,
    read,
    text,
)


@define(kw_only=True)
class ToolCallFunction:
    """The function of a tool call, with the arguments that the model chose.

    Attributes:
        index (int | None): Position among the calls of one answer, from 0. Always in an answer
            since v0.14; older servers leave 0 out, and a request needs none.
        name (str): Name of the function.
        arguments (dict[str, Any]): The arguments by name. Nothing promises that they fit the
            tool's schema.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    index: int | None = None
    name: str
    arguments: dict[str, Any]
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
        value = pop("arguments", MISSING)
        self.arguments = {} if value is None else read(mapping, value, "arguments")
        if not rest:  # Most pieces of a stream hold no more than this.
            self.index = None
            self.additional_properties = rest
            return self
        self.index = value = pop("index", None)
        if value is not None and type(value) is not int:
            self.index = read(integer, value, "index")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {}
        if self.index is not None:
            data["index"] = self.index
        data["name"] = self.name
        data["arguments"] = self.arguments
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
