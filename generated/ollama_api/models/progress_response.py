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
class ProgressResponse:
    """How far a download, an upload or a creation is.

    Attributes:
        status (str): What is being done, written for people. `success` at the end.
        digest (str | None): The layer that this is about.
        total (int | None): Size of that layer in bytes.
        completed (int | None): Bytes of it that are done; absent means none.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    status: str
    digest: str | None = None
    total: int | None = None
    completed: int | None = None
    additional_properties: dict[str, Any] = field(factory=dict[str, Any])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Decode a parsed JSON object; SpecError names the field that is missing or wrong."""
        if type(data) is not dict:
            data = mapping(data)
        rest = dict(data)
        pop = rest.pop
        self = cls.__new__(cls)
        self.status = value = pop("status", MISSING)
        if type(value) is not str:
            self.status = read(text, value, "status")
        if not rest:  # Most pieces of a stream hold no more than this.
            self.digest = None
            self.total = None
            self.completed = None
            self.additional_properties = rest
            return self
        self.digest = value = pop("digest", None)
        if value is not None and type(value) is not str:
            self.digest = read(text, value, "digest")
        self.total = value = pop("total", None)
        if value is not None and type(value) is not int:
            self.total = read(integer, value, "total")
        self.completed = value = pop("completed", None)
        if value is not None and type(value) is not int:
            self.completed = read(integer, value, "completed")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "status": self.status,
        }
        if self.digest is not None:
            data["digest"] = self.digest
        if self.total is not None:
            data["total"] = self.total
        if self.completed is not None:
            data["completed"] = self.completed
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
