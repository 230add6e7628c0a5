from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field

from ..types import (
    MISSING,
    SpecError,
    mapping,
    read,
    text,
)
from .tool_function import ToolFunction


@define(kw_only=True)
class Tool:
    """A tool that the model may ask to have called.

    Attributes:
        type (str): Kind of tool; `function` is the only one.
        items (Any): Handed to the model's template as it is. Since Ollama v0.6.6.
        function (ToolFunction): The function.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    type: str
    items: Any = None
    function: ToolFunction
    additional_properties: dict[str, Any] = field(factory=dict[str, Any])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Decode a parsed JSON object; SpecError names the field that is missing or wrong."""
        if type(data) is not dict:
            data = mapping(data)
        rest = dict(data)
        pop = rest.pop
        self = cls.__new__(cls)
        self.type = value = pop("type", MISSING)
        if type(value) is not str:
            self.type = read(text, value, "type")
        try:
            self.function = ToolFunction.from_dict(pop("function", MISSING))
        except SpecError as error:
            raise error.inside("function")
        if not rest:  # Most pieces of a stream hold no more than this.
            self.items = None
            self.additional_properties = rest
            return self
        self.items = pop("items", None)
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "type": self.type,
        }
        if self.items is not None:
            data["items"] = self.items
        data["function"] = self.function.to_dict()
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
