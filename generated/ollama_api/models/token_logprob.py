from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field

from ..types import (
    MISSING,
    are_integer,
    integer,
    list_of,
    mapping,
    number,
    read,
    text,
)


@define(kw_only=True)
class TokenLogprob:
    """A token and how likely it was.

    Attributes:
        token (str): The token as text.
        logprob (float): Natural logarithm of its probability.
        bytes (list[int] | None): The token as bytes; text alone cannot show half a character.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    token: str
    logprob: float
    bytes: list[int] | None = None
    additional_properties: dict[str, Any] = field(factory=dict[str, Any])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Decode a parsed JSON object; SpecError names the field that is missing or wrong."""
        if type(data) is not dict:
            data = mapping(data)
        rest = dict(data)
        pop = rest.pop
        self = cls.__new__(cls)
        self.token = value = pop("token", MISSING)
        if type(value) is not str:
            self.token = read(text, value, "token")
        self.logprob = value = pop("logprob", MISSING)
        if type(value) is not float:
            self.logprob = read(number, value, "logprob")
        if not rest:  # Most pieces of a stream hold no more than this.
            self.bytes = None
            self.additional_properties = rest
            return self
        self.bytes = value = pop("bytes", None)
        if value is not None and not (type(value) is list and are_integer(map(type, value))):
            self.bytes = read(list_of(integer), value, "bytes")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "token": self.token,
            "logprob": self.logprob,
        }
        if self.bytes is not None:
            data["bytes"] = self.bytes
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
