from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field

from ..types import (
    MISSING,
    mapping,
    numbers,
    read,
)


@define(kw_only=True)
class EmbeddingResponse:
    """The vector of a text, the old way.

    Attributes:
        embedding (list[float]): The vector, not scaled to unit length.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    embedding: list[float]
    additional_properties: dict[str, Any] = field(factory=dict[str, Any])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Decode a parsed JSON object; SpecError names the field that is missing or wrong."""
        if type(data) is not dict:
            data = mapping(data)
        rest = dict(data)
        pop = rest.pop
        self = cls.__new__(cls)
        value = pop("embedding", MISSING)
        self.embedding = [] if value is None else read(numbers, value, "embedding")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "embedding": self.embedding,
        }
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
