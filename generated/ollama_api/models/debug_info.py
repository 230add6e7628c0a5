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
class DebugInfo:
    """What would have been sent to the model.

    Attributes:
        rendered_template (str): The prompt after the model's template.
        image_count (int | None): Number of images beside it; absent if none.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    rendered_template: str
    image_count: int | None = None
    additional_properties: dict[str, Any] = field(factory=dict[str, Any])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Decode a parsed JSON object; SpecError names the field that is missing or wrong."""
        if type(data) is not dict:
            data = mapping(data)
        rest = dict(data)
        pop = rest.pop
        self = cls.__new__(cls)
        self.rendered_template = value = pop("rendered_template", MISSING)
        if type(value) is not str:
            self.rendered_template = read(text, value, "rendered_template")
        if not rest:  # Most pieces of a stream hold no more than this.
            self.image_count = None
            self.additional_properties = rest
            return self
        self.image_count = value = pop("image_count", None)
        if value is not None and type(value) is not int:
            self.image_count = read(integer, value, "image_count")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "rendered_template": self.rendered_template,
        }
        if self.image_count is not None:
            data["image_count"] = self.image_count
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
