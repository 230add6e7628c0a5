from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field

from ..types import (
    MISSING,
    SpecError,
    integer,
    mapping,
    parse_timestamp,
    read,
    text,
)
from .model_details import ModelDetails


@define(kw_only=True)
class ProcessModelResponse:
    """A model in memory.

    Attributes:
        name (str): Name with tag, such as `llama3.2:latest`.
        model (str): The same as `name`.
        size (int): Memory that it takes in all, in bytes.
        digest (str): SHA-256 of the manifest in hexadecimal digits, without `sha256:`.
        details (ModelDetails): What kind of model it is.
        expires_at (datetime.datetime): When it will be unloaded if nothing more is asked of it.
            Centuries ahead means never.
        size_vram (int): Part of `size` that is on GPUs, in bytes.
        context_length (int): Tokens of context that it is loaded with. Since Ollama v0.10.0.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    name: str
    model: str
    size: int
    digest: str
    details: ModelDetails
    expires_at: datetime.datetime
    size_vram: int
    context_length: int
    additional_properties: dict[str, Any] = field(factory=dict[str, Any])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Decode a parsed JSON object; SpecError names the field that is missing or wrong."""
        if type(data) is not dict:
            data = mapping(data)
        rest = dict(data)
        pop = rest.pop
        self = cls.__new__(cls)
        self.name = value = pop("name", MISSING)
        if type(value) is not str:
            self.name = read(text, value, "name")
        self.model = value = pop("model", MISSING)
        if type(value) is not str:
            self.model = read(text, value, "model")
        self.size = value = pop("size", MISSING)
        if type(value) is not int:
            self.size = read(integer, value, "size")
        self.digest = value = pop("digest", MISSING)
        if type(value) is not str:
            self.digest = read(text, value, "digest")
        try:
            self.details = ModelDetails.from_dict(pop("details", MISSING))
        except SpecError as error:
            raise error.inside("details")
        try:
            self.expires_at = parse_timestamp(pop("expires_at", MISSING))
        except SpecError as error:
            raise error.inside("expires_at")
        self.size_vram = value = pop("size_vram", MISSING)
        if type(value) is not int:
            self.size_vram = read(integer, value, "size_vram")
        self.context_length = value = pop("context_length", MISSING)
        if type(value) is not int:
            self.context_length = read(integer, value, "context_length")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "name": self.name,
            "model": self.model,
            "size": self.size,
            "digest": self.digest,
            "details": self.details.to_dict(),
            "expires_at": self.expires_at.isoformat(),
            "size_vram": self.size_vram,
            "context_length": self.context_length,
        }
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
