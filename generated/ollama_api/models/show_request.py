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
class ShowRequest:
    """A model to describe.

    Attributes:
        model (str): Name of the model.
        system (str | None): Show the model as if this were its system message.
        template (str | None): Ignored. Deprecated.
        verbose (bool | None): Include long arrays in `model_info`, such as the vocabulary, and
            the tensors. Can be megabytes.
        options (dict[str, Any] | None): Show the model as if these were among its parameters.
        name (str | None): Old name of `model`. Deprecated.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    model: str
    system: str | None = None
    template: str | None = None
    verbose: bool | None = None
    options: dict[str, Any] | None = None
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
            self.system = None
            self.template = None
            self.verbose = None
            self.options = None
            self.name = None
            self.additional_properties = rest
            return self
        self.system = value = pop("system", None)
        if value is not None and type(value) is not str:
            self.system = read(text, value, "system")
        self.template = value = pop("template", None)
        if value is not None and type(value) is not str:
            self.template = read(text, value, "template")
        self.verbose = value = pop("verbose", None)
        if value is not None and type(value) is not bool:
            self.verbose = read(boolean, value, "verbose")
        self.options = value = pop("options", None)
        if value is not None and type(value) is not dict:
            self.options = read(mapping, value, "options")
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
        if self.system is not None:
            data["system"] = self.system
        if self.template is not None:
            data["template"] = self.template
        if self.verbose is not None:
            data["verbose"] = self.verbose
        if self.options is not None:
            data["options"] = self.options
        if self.name is not None:
            data["name"] = self.name
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
