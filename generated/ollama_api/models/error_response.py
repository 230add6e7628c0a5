from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field

from ..types import (
    MISSING,
    mapping,
    read,
    text,
)


@define(kw_only=True)
class ErrorResponse:
    """What went wrong, in the body of an answer with an error status or as the last line of a
    stream. An error that is relayed from another server may carry that server's fields as well.

    Attributes:
        error (str): What went wrong, written for people.
        signin_url (str | None): Where a person can sign this server in to ollama.com; only with
            status 401. Since Ollama v0.12.1.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    error: str
    signin_url: str | None = None
    additional_properties: dict[str, Any] = field(factory=dict[str, Any])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Decode a parsed JSON object; SpecError names the field that is missing or wrong."""
        if type(data) is not dict:
            data = mapping(data)
        rest = dict(data)
        pop = rest.pop
        self = cls.__new__(cls)
        self.error = value = pop("error", MISSING)
        if type(value) is not str:
            self.error = read(text, value, "error")
        if not rest:  # Most pieces of a stream hold no more than this.
            self.signin_url = None
            self.additional_properties = rest
            return self
        self.signin_url = value = pop("signin_url", None)
        if value is not None and type(value) is not str:
            self.signin_url = read(text, value, "signin_url")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "error": self.error,
        }
        if self.signin_url is not None:
            data["signin_url"] = self.signin_url
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
