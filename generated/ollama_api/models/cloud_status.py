from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field

from ..types import (
    MISSING,
    boolean,
    mapping,
    read,
    text,
)


@define(kw_only=True)
class CloudStatus:
    """Whether cloud features are switched off, and by what.

    Attributes:
        disabled (bool): Whether they are off.
        source (str): What switched them off, `env`, `config`, `both` or `none`.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    disabled: bool
    source: str
    additional_properties: dict[str, Any] = field(factory=dict[str, Any])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Decode a parsed JSON object; SpecError names the field that is missing or wrong."""
        if type(data) is not dict:
            data = mapping(data)
        rest = dict(data)
        pop = rest.pop
        self = cls.__new__(cls)
        self.disabled = value = pop("disabled", MISSING)
        if type(value) is not bool:
            self.disabled = read(boolean, value, "disabled")
        self.source = value = pop("source", MISSING)
        if type(value) is not str:
            self.source = read(text, value, "source")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "disabled": self.disabled,
            "source": self.source,
        }
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
