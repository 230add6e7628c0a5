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
from .tool_call_function import ToolCallFunction


@define(kw_only=True)
class ToolCall:
    """A tool that the model wants called.

    Attributes:
        id (str | None): Names this call, so that its result can refer to it. Since Ollama
            v0.12.10.
        function (ToolCallFunction): The function and its arguments.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    id: str | None = None
    function: ToolCallFunction
    additional_properties: dict[str, Any] = field(factory=dict[str, Any])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Decode a parsed JSON object; SpecError names the field that is missing or wrong."""
        if type(data) is not dict:
            data = mapping(data)
        rest = dict(data)
        pop = rest.pop
        self = cls.__new__(cls)
        try:
            self.function = ToolCallFunction.from_dict(pop("function", MISSING))
        except SpecError as error:
            raise error.inside("function")
        if not rest:  # Most pieces of a stream hold no more than this.
            self.id = None
            self.additional_properties = rest
            return self
        self.id = value = pop("id", None)
        if value is not None and type(value) is not str:
            self.id = read(text, value, "id")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {}
        if self.id is not None:
            data["id"] = self.id
        data["function"] = self.function.to_dict()
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
