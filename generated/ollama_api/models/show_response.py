from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field

from ..types import (
    MISSING,
    SpecError,
    are_text,
    list_of,
    mapping,
    parse_timestamp,
    read,
    text,
)
from .message import Message
from .model_details import ModelDetails
from .tensor import Tensor


@define(kw_only=True)
class ShowResponse:
    """A model, described.

    Attributes:
        license (str | None): Its licences, one after the other.
        modelfile (str | None): A Modelfile that would make this model again. Names files on the
            server's disk.
        parameters (str | None): Its own options, a name and a value a line.
        template (str | None): Its prompt template.
        system (str | None): Its system message.
        renderer (str | None): Built-in renderer that writes its prompts, in place of the
            template. Since Ollama v0.12.0.
        parser (str | None): Built-in parser that reads its output. Since Ollama v0.12.0.
        details (ModelDetails): What kind of model it is.
        messages (list[Message] | None): Messages that come before every conversation with it.
        remote_model (str | None): For a cloud model, its name on the remote server. Since
            Ollama v0.12.0.
        remote_host (str | None): For a cloud model, the URL of the remote server. Since Ollama
            v0.12.0.
        model_info (dict[str, Any]): Metadata of the model file by key, such as
            `llama.context_length`. Long arrays are empty or null unless `verbose`.
        projector_info (dict[str, Any] | None): Metadata of the part that turns images into
            tokens, likewise.
        tensors (list[Tensor] | None): The model's tensors. Since Ollama v0.6.1.
        capabilities (list[str] | None): What it can do, of `completion`, `tools`, `insert`,
            `vision`, `embedding`, `thinking`, `image` and `audio`. Since Ollama v0.6.4.
        modified_at (datetime.datetime): When it was last changed here.
        requires (str | None): Oldest version of Ollama that can run it. Since Ollama v0.14.0.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    license: str | None = None
    modelfile: str | None = None
    parameters: str | None = None
    template: str | None = None
    system: str | None = None
    renderer: str | None = None
    parser: str | None = None
    details: ModelDetails
    messages: list[Message] | None = None
    remote_model: str | None = None
    remote_host: str | None = None
    model_info: dict[str, Any]
    projector_info: dict[str, Any] | None = None
    tensors: list[Tensor] | None = None
    capabilities: list[str] | None = None
    modified_at: datetime.datetime
    requires: str | None = None
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
            self.details = ModelDetails.from_dict(pop("details", MISSING))
        except SpecError as error:
            raise error.inside("details")
        value = pop("model_info", MISSING)
        self.model_info = {} if value is None else read(mapping, value, "model_info")
        try:
            self.modified_at = parse_timestamp(pop("modified_at", MISSING))
        except SpecError as error:
            raise error.inside("modified_at")
        if not rest:  # Most pieces of a stream hold no more than this.
            self.license = None
            self.modelfile = None
            self.parameters = None
            self.template = None
            self.system = None
            self.renderer = None
            self.parser = None
            self.messages = None
            self.remote_model = None
            self.remote_host = None
            self.projector_info = None
            self.tensors = None
            self.capabilities = None
            self.requires = None
            self.additional_properties = rest
            return self
        self.license = value = pop("license", None)
        if value is not None and type(value) is not str:
            self.license = read(text, value, "license")
        self.modelfile = value = pop("modelfile", None)
        if value is not None and type(value) is not str:
            self.modelfile = read(text, value, "modelfile")
        self.parameters = value = pop("parameters", None)
        if value is not None and type(value) is not str:
            self.parameters = read(text, value, "parameters")
        self.template = value = pop("template", None)
        if value is not None and type(value) is not str:
            self.template = read(text, value, "template")
        self.system = value = pop("system", None)
        if value is not None and type(value) is not str:
            self.system = read(text, value, "system")
        self.renderer = value = pop("renderer", None)
        if value is not None and type(value) is not str:
            self.renderer = read(text, value, "renderer")
        self.parser = value = pop("parser", None)
        if value is not None and type(value) is not str:
            self.parser = read(text, value, "parser")
        value = pop("messages", None)
        self.messages = (
            None if value is None else read(list_of(Message.from_dict), value, "messages")
        )
        self.remote_model = value = pop("remote_model", None)
        if value is not None and type(value) is not str:
            self.remote_model = read(text, value, "remote_model")
        self.remote_host = value = pop("remote_host", None)
        if value is not None and type(value) is not str:
            self.remote_host = read(text, value, "remote_host")
        self.projector_info = value = pop("projector_info", None)
        if value is not None and type(value) is not dict:
            self.projector_info = read(mapping, value, "projector_info")
        value = pop("tensors", None)
        self.tensors = None if value is None else read(list_of(Tensor.from_dict), value, "tensors")
        self.capabilities = value = pop("capabilities", None)
        if value is not None and not (type(value) is list and are_text(map(type, value))):
            self.capabilities = read(list_of(text), value, "capabilities")
        self.requires = value = pop("requires", None)
        if value is not None and type(value) is not str:
            self.requires = read(text, value, "requires")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {}
        if self.license is not None:
            data["license"] = self.license
        if self.modelfile is not None:
            data["modelfile"] = self.modelfile
        if self.parameters is not None:
            data["parameters"] = self.parameters
        if self.template is not None:
            data["template"] = self.template
        if self.system is not None:
            data["system"] = self.system
        if self.renderer is not None:
            data["renderer"] = self.renderer
        if self.parser is not None:
            data["parser"] = self.parser
        data["details"] = self.details.to_dict()
        if self.messages is not None:
            data["messages"] = [item.to_dict() for item in self.messages]
        if self.remote_model is not None:
            data["remote_model"] = self.remote_model
        if self.remote_host is not None:
            data["remote_host"] = self.remote_host
        data["model_info"] = self.model_info
        if self.projector_info is not None:
            data["projector_info"] = self.projector_info
        if self.tensors is not None:
            data["tensors"] = [item.to_dict() for item in self.tensors]
        if self.capabilities is not None:
            data["capabilities"] = self.capabilities
        data["modified_at"] = self.modified_at.isoformat()
        if self.requires is not None:
            data["requires"] = self.requires
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
