from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field

from ..types import (
    MISSING,
    list_of,
    mapping,
    read,
)
from .web_search_result import WebSearchResult


@define(kw_only=True)
class WebSearchResponse:
    """The hits of a web search.

    Attributes:
        results (list[WebSearchResult]): The hits, best first.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    results: list[WebSearchResult]
    additional_properties: dict[str, Any] = field(factory=dict[str, Any])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Decode a parsed JSON object; SpecError names the field that is missing or wrong."""
        if type(data) is not dict:
            data = mapping(data)
        rest = dict(data)
        pop = rest.pop
        self = cls.__new__(cls)
        value = pop("results", MISSING)
        self.results = (
            [] if value is None else read(list_of(WebSearchResult.from_dict), value, "results")
        )
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "results": [item.to_dict() for item in self.results],
        }
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
