from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field

from ..types import (
    MISSING,
    SpecError,
    mapping,
)
from .cloud_status import CloudStatus


@define(kw_only=True)
class StatusResponse:
    """What the server's policy allows.

    Attributes:
        cloud (CloudStatus): Cloud features.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    cloud: CloudStatus
    additional_properties: dict[str, Any] = field(factory=dict[str, Any])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Decode a parsed JSON object; SpecError names the field that is missing or wrong."""
        if type(data) is not dict:
            data = mapping(data)
        rest = dict(data)
        pop = rest.pop
        self = cls.__new__(cls)
        try:
            self.cloud = CloudStatus.from_dict(pop("cloud", MISSING))
        except SpecError as error:
            raise error.inside("cloud")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "cloud": self.cloud.to_dict(),
        }
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
