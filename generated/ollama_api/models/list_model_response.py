from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field

from ..types import (
    MISSING,
    SpecError,
    are_text,
    integer,
    list_of,
    mapping,
    parse_timestamp,
    read,
    text,
)
from .model_details import ModelDetails


@define(kw_only=True)
class ListModelResponse:
    """A model on disk.

    Attributes:
        name (str): Name with tag, such as `llama3.2:latest`.
        model (str): The same as `name`.
        remote_model (str | None): For a cloud model, its name on the remote server. Since
            Ollama v0.12.0.
        remote_host (str | None): For a cloud model, the URL of the remote server. Since Ollama
            v0.12.0.
        modified_at (datetime.datetime): When it was last changed here.
        size (int): Size on disk in bytes.
        digest (str): SHA-256 of the manifest in hexadecimal digits, without `sha256:`.
        details (ModelDetails): What kind of model it is.
        capabilities (list[str] | None): What it can do, of `completion`, `tools`, `insert`,
            `vision`, `embedding`, `thinking`, `image` and `audio`. Since Ollama v0.30.0.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    name: str
    model: str
    remote_model: str | None = None
    remote_host: str | None = None
    modified_at: datetime.datetime
    size: int
    digest: str
    details: ModelDetails
    capabilities: list[str] | None = None
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
        try:
            self.modified_at = parse_timestamp(pop("modified_at", MISSING))
        except SpecError as error:
            raise error.inside("modified_at")
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
        if not rest:  # Most pieces of a stream hold no more than this.
            self.remote_model = None
            self.remote_host = None
            self.capabilities = None
            self.additional_properties = rest
            return self
        self.remote_model = value = pop("remote_model", None)
        if value is not None and type(value) is not str:
            self.remote_model = read(text, value, "remote_model")
        self.remote_host = value = pop("remote_host", None)
        if value is not None and type(value) is not str:
            self.remote_host = read(text, value, "remote_host")
        self.capabilities = value = pop("capabilities", None)
        if value is not None and not (type(value) is list and are_text(map(type, value))):
            self.capabilities = read(list_of(text), value, "capabilities")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "name": self.name,
            "model": self.model,
        }
        if self.remote_model is not None:
            data["remote_model"] = self.remote_model
        if self.remote_host is not None:
            data["remote_host"] = self.remote_host
        data["modified_at"] = self.modified_at.isoformat()
        data["size"] = self.size
        data["digest"] = self.digest
        data["details"] = self.details.to_dict()
        if self.capabilities is not None:
            data["capabilities"] = self.capabilities
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
