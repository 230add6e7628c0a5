from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field

from ..types import (
    MISSING,
    are_text,
    list_of,
    mapping,
    read,
    text,
)


@define(kw_only=True)
class WebFetchResponse:
    """A web page as text.

    Attributes:
        title (str): Title of the page.
        content (str): Its text.
        links (list[str] | None): Where its links lead.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    title: str
    content: str
    links: list[str] | None = None
    additional_properties: dict[str, Any] = field(factory=dict[str, Any])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Decode a parsed JSON object; SpecError names the field that is missing or wrong."""
        if type(data) is not dict:
            data = mapping(data)
        rest = dict(data)
        pop = rest.pop
        self = cls.__new__(cls)
        self.title = value = pop("title", MISSING)
        if type(value) is not str:
            self.title = read(text, value, "title")
        self.content = value = pop("content", MISSING)
        if type(value) is not str:
            self.content = read(text, value, "content")
        if not rest:  # Most pieces of a stream hold no more than this.
            self.links = None
            self.additional_properties = rest
            return self
        self.links = value = pop("links", None)
        if value is not None and not (type(value) is list and are_text(map(type, value))):
            self.links = read(list_of(text), value, "links")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "title": self.title,
            "content": self.content,
        }
        if self.links is not None:
            data["links"] = self.links
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
