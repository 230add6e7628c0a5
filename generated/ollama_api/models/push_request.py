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
class PushRequest:
    """A model to upload.

    Attributes:
        model (str): Name of the model with its namespace, such as `someone/model`.
        insecure (bool | None): Allow plain HTTP and certificates that do not check out. For
            registries of your own.
        username (str | None): Ignored. Deprecated.
        password (str | None): Ignored. Deprecated.
        stream (bool | None): Report progress; on unless `false` is sent.
        name (str | None): Old name of `model`. Deprecated.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    model: str
    insecure: bool | None = None
    username: str | None = None
    password: str | None = None
    stream: bool | None = None
    name: str | None = None
    additional_properties: dict[str, Any] = field(factory=dict[str, Any])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Decode a parsed JSON object; SpecError names the field that is missing or wrong."""
        if type(data) is not dict:
            data = mapping(data)
        rest = dict(data)
        pop = rest.pop
        self = cls.__new__(cls)
        self.model = value = pop("model", MISSING)
        if type(value) is not str:
            self.model = read(text, value, "model")
        if not rest:  # Most pieces of a stream hold no more than this.
            self.insecure = None
            self.username = None
            self.password = None
            self.stream = None
            self.name = None
            self.additional_properties = rest
            return self
        self.insecure = value = pop("insecure", None)
        if value is not None and type(value) is not bool:
            self.insecure = read(boolean, value, "insecure")
        self.username = value = pop("username", None)
        if value is not None and type(value) is not str:
            self.username = read(text, value, "username")
        self.password = value = pop("password", None)
        if value is not None and type(value) is not str:
            self.password = read(text, value, "password")
        self.stream = value = pop("stream", None)
        if value is not None and type(value) is not bool:
            self.stream = read(boolean, value, "stream")
        self.name = value = pop("name", None)
        if value is not None and type(value) is not str:
            self.name = read(text, value, "name")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "model": self.model,
        }
        if self.insecure is not None:
            data["insecure"] = self.insecure
        if self.username is not None:
            data["username"] = self.username
        if self.password is not None:
            data["password"] = self.password
        if self.stream is not None:
            data["stream"] = self.stream
        if self.name is not None:
            data["name"] = self.name
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
