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
from .token_logprob import TokenLogprob


@define(kw_only=True)
class Logprob:
    """A token that was chosen, how likely it was, and what else there was to choose.

    Attributes:
        token (str): The token as text.
        logprob (float): Natural logarithm of its probability.
        bytes (list[int] | None): The token as bytes; text alone cannot show half a character.
        top_logprobs (list[TokenLogprob] | None): The likeliest tokens here, likeliest first; as
            many as `top_logprobs` asked for.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[TokenLogprob] | None = None
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
            self.top_logprobs = None
            self.additional_properties = rest
            return self
        self.bytes = value = pop("bytes", None)
        if value is not None and not (type(value) is list and are_integer(map(type, value))):
            self.bytes = read(list_of(integer), value, "bytes")
        value = pop("top_logprobs", None)
        self.top_logprobs = (
            None if value is None else read(list_of(TokenLogprob.from_dict), value, "top_logprobs")
        )
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
        if self.top_logprobs is not None:
            data["top_logprobs"] = [item.to_dict() for item in self.top_logprobs]
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
