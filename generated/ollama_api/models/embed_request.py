from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field

from ..types import (
    MISSING,
    boolean,
    integer,
    list_of,
    mapping,
    number,
    one_of,
    read,
    text,
)


@define(kw_only=True)
class EmbedRequest:
    """Texts to embed.

    Attributes:
        model (str): Name of the model.
        input (str | list[str] | None): One text or a list of texts. Empty or absent only loads
            the model.
        keep_alive (float | str | None): How long the model stays in memory after this request.
            Default OLLAMA_KEEP_ALIVE, 5 minutes.
        truncate (bool | None): Cut texts that do not fit the context, rather than fail. Default
            true.
        dimensions (int | None): Shorten the vectors to this length. 0, or more than the model
            has, leaves them as they are. Since Ollama v0.11.11.
        options (dict[str, Any] | None): Model options for this request.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    model: str
    input: str | list[str] | None = None
    keep_alive: float | str | None = None
    truncate: bool | None = None
    dimensions: int | None = None
    options: dict[str, Any] | None = None
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
            self.input = None
            self.keep_alive = None
            self.truncate = None
            self.dimensions = None
            self.options = None
            self.additional_properties = rest
            return self
        value = pop("input", None)
        self.input = None if value is None else read(one_of(text, list_of(text)), value, "input")
        value = pop("keep_alive", None)
        self.keep_alive = None if value is None else read(one_of(number, text), value, "keep_alive")
        self.truncate = value = pop("truncate", None)
        if value is not None and type(value) is not bool:
            self.truncate = read(boolean, value, "truncate")
        self.dimensions = value = pop("dimensions", None)
        if value is not None and type(value) is not int:
            self.dimensions = read(integer, value, "dimensions")
        self.options = value = pop("options", None)
        if value is not None and type(value) is not dict:
            self.options = read(mapping, value, "options")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "model": self.model,
        }
        if self.input is not None:
            data["input"] = self.input
        if self.keep_alive is not None:
            data["keep_alive"] = self.keep_alive
        if self.truncate is not None:
            data["truncate"] = self.truncate
        if self.dimensions is not None:
            data["dimensions"] = self.dimensions
        if self.options is not None:
            data["options"] = self.options
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
