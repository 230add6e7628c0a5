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
class WebSearchRequest:
    """A web search.

    Attributes:
        query (str): What to search for.
        max_results (int | None): Most hits to return. Default 5.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    query: str
    max_results: int | None = None
    additional_properties: dict[str, Any] = field(factory=dict[str, Any])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Decode a parsed JSON object; SpecError names the field that is missing or wrong."""
        if type(data) is not dict:
            data = mapping(data)
        rest = dict(data)
        pop = rest.pop
        self = cls.__new__(cls)
        self.query = value = pop("query", MISSING)
        if type(value) is not str:
            self.query = read(text, value, "query")
        if not rest:  # Most pieces of a stream hold no more than this.
            self.max_results = None
            self.additional_properties = rest
            return self
        self.max_results = value = pop("max_results", None)
        if value is not None and type(value) is not int:
            self.max_results = read(integer, value, "max_results")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "query": self.query,
        }
        if self.max_results is not None:
            data["max_results"] = self.max_results
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
