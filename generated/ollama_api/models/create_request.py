from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field

from ..types import (
    MISSING,
    boolean,
    list_of,
    map_of,
    mapping,
    one_of,
    read,
    text,
)
from .message import Message


@define(kw_only=True)
class CreateRequest:
    """A model to create.

    Attributes:
        model (str): Name of the new model.
        stream (bool | None): Report progress; on unless `false` is sent.
        quantize (str | None): How to store the weights, such as `q4_K_M`. Absent leaves them as
            they are.
        draft_quantize (str | None): How to store the weights of the draft model. Since Ollama
            v0.30.0.
        from_ (str | None): The model to start from. Since Ollama v0.5.5.
        remote_host (str | None): URL of an Ollama server that runs the model `from`; the new
            model is a reference to it. Since Ollama v0.12.0.
        files (dict[str, str] | None): The files to start from, by file name (a relative path)
            the digest of the uploaded blob. Since Ollama v0.5.5.
        draft_files (dict[str, str] | None): The files of a draft model that guesses ahead,
            likewise. Since Ollama v0.30.0.
        adapters (dict[str, str] | None): The files of a LoRA adapter, likewise. Since Ollama
            v0.5.5.
        template (str | None): Its prompt template. Since Ollama v0.5.5.
        license (str | list[str] | None): Its licence, or a list of them. Since Ollama v0.5.5.
        system (str | None): Its system message. Since Ollama v0.5.5.
        parameters (dict[str, Any] | None): Its own options, as in Options. Requests can
            override them. Since Ollama v0.5.5.
        messages (list[Message] | None): Messages that come before every conversation with it.
            Since Ollama v0.5.5.
        renderer (str | None): Built-in renderer that writes its prompts, in place of the
            template. Since Ollama v0.12.0.
        parser (str | None): Built-in parser that reads its output. Since Ollama v0.12.0.
        requires (str | None): Oldest version of Ollama that can run it. Since Ollama v0.14.0.
        info (dict[str, Any] | None): Facts that the server cannot read from the files:
            `capabilities`, `model_family`, `base_name`, `quantization_level`, `parameter_size`,
            `context_length`, `embedding_length`. Since Ollama v0.12.0.
        name (str | None): Old name of `model`. Deprecated.
        quantization (str | None): Old name of `quantize`. Deprecated.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    model: str
    stream: bool | None = None
    quantize: str | None = None
    draft_quantize: str | None = None
    from_: str | None = None
    remote_host: str | None = None
    files: dict[str, str] | None = None
    draft_files: dict[str, str] | None = None
    adapters: dict[str, str] | None = None
    template: str | None = None
    license: str | list[str] | None = None
    system: str | None = None
    parameters: dict[str, Any] | None = None
    messages: list[Message] | None = None
    renderer: str | None = None
    parser: str | None = None
    requires: str | None = None
    info: dict[str, Any] | None = None
    name: str | None = None
    quantization: str | None = None
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
            self.stream = None
            self.quantize = None
            self.draft_quantize = None
            self.from_ = None
            self.remote_host = None
            self.files = None
            self.draft_files = None
            self.adapters = None
            self.template = None
            self.license = None
            self.system = None
            self.parameters = None
            self.messages = None
            self.renderer = None
            self.parser = None
            self.requires = None
            self.info = None
            self.name = None
            self.quantization = None
            self.additional_properties = rest
            return self
        self.stream = value = pop("stream", None)
        if value is not None and type(value) is not bool:
            self.stream = read(boolean, value, "stream")
        self.quantize = value = pop("quantize", None)
        if value is not None and type(value) is not str:
            self.quantize = read(text, value, "quantize")
        self.draft_quantize = value = pop("draft_quantize", None)
        if value is not None and type(value) is not str:
            self.draft_quantize = read(text, value, "draft_quantize")
        self.from_ = value = pop("from", None)
        if value is not None and type(value) is not str:
            self.from_ = read(text, value, "from")
        self.remote_host = value = pop("remote_host", None)
        if value is not None and type(value) is not str:
            self.remote_host = read(text, value, "remote_host")
        value = pop("files", None)
        self.files = None if value is None else read(map_of(text), value, "files")
        value = pop("draft_files", None)
        self.draft_files = None if value is None else read(map_of(text), value, "draft_files")
        value = pop("adapters", None)
        self.adapters = None if value is None else read(map_of(text), value, "adapters")
        self.template = value = pop("template", None)
        if value is not None and type(value) is not str:
            self.template = read(text, value, "template")
        value = pop("license", None)
        self.license = (
            None if value is None else read(one_of(text, list_of(text)), value, "license")
        )
        self.system = value = pop("system", None)
        if value is not None and type(value) is not str:
            self.system = read(text, value, "system")
        self.parameters = value = pop("parameters", None)
        if value is not None and type(value) is not dict:
            self.parameters = read(mapping, value, "parameters")
        value = pop("messages", None)
        self.messages = (
            None if value is None else read(list_of(Message.from_dict), value, "messages")
        )
        self.renderer = value = pop("renderer", None)
        if value is not None and type(value) is not str:
            self.renderer = read(text, value, "renderer")
        self.parser = value = pop("parser", None)
        if value is not None and type(value) is not str:
            self.parser = read(text, value, "parser")
        self.requires = value = pop("requires", None)
        if value is not None and type(value) is not str:
            self.requires = read(text, value, "requires")
        self.info = value = pop("info", None)
        if value is not None and type(value) is not dict:
            self.info = read(mapping, value, "info")
        self.name = value = pop("name", None)
        if value is not None and type(value) is not str:
            self.name = read(text, value, "name")
        self.quantization = value = pop("quantization", None)
        if value is not None and type(value) is not str:
            self.quantization = read(text, value, "quantization")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "model": self.model,
        }
        if self.stream is not None:
            data["stream"] = self.stream
        if self.quantize is not None:
            data["quantize"] = self.quantize
        if self.draft_quantize is not None:
            data["draft_quantize"] = self.draft_quantize
        if self.from_ is not None:
            data["from"] = self.from_
        if self.remote_host is not None:
            data["remote_host"] = self.remote_host
        if self.files is not None:
            data["files"] = self.files
        if self.draft_files is not None:
            data["draft_files"] = self.draft_files
        if self.adapters is not None:
            data["adapters"] = self.adapters
        if self.template is not None:
            data["template"] = self.template
        if self.license is not None:
            data["license"] = self.license
        if self.system is not None:
            data["system"] = self.system
        if self.parameters is not None:
            data["parameters"] = self.parameters
        if self.messages is not None:
            data["messages"] = [item.to_dict() for item in self.messages]
        if self.renderer is not None:
            data["renderer"] = self.renderer
        if self.parser is not None:
            data["parser"] = self.parser
        if self.requires is not None:
            data["requires"] = self.requires
        if self.info is not None:
            data["info"] = self.info
        if self.name is not None:
            data["name"] = self.name
        if self.quantization is not None:
            data["quantization"] = self.quantization
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
