from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field

from ..types import parse_timestamp
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
        """Decode a parsed JSON object; KeyError names a required field that is missing."""
        rest = dict(data)
        pop = rest.pop
        self = cls.__new__(cls)
        self.name = pop("name")
        self.model = pop("model")
        self.modified_at = parse_timestamp(pop("modified_at"))
        self.size = pop("size")
        self.digest = pop("digest")
        self.details = ModelDetails.from_dict(pop("details"))
        if not rest:  # Most pieces of a stream hold no more than this.
            self.remote_model = None
            self.remote_host = None
            self.capabilities = None
            self.additional_properties = rest
            return self
        self.remote_model = pop("remote_model", None)
        self.remote_host = pop("remote_host", None)
        self.capabilities = pop("capabilities", None)
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
