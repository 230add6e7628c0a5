"""``/api/create`` and the blobs that models are made of."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from manager.simulator import catalog
from manager.simulator.app import resolve
from manager.simulator.exchange import ApiError, Reply, encode
from manager.simulator.fields import kind_of
from manager.simulator.go_values import quote
from manager.simulator.json_types import is_list
from manager.simulator.names import parse_name
from manager.simulator.requests import decode_request
from manager.simulator.store import Blob, Layer, text_layer
from manager.simulator.transfers import progress, pulling

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from manager.simulator.app import App
    from manager.simulator.exchange import Request, Stream
    from manager.simulator.store import Model
    from manager.simulator.transfers import Progress

    # Reports each step, and returns what came of it.
    Making = Generator[dict[str, Any], None, Model]

_DIGEST = re.compile(r"sha256[:-][0-9a-fA-F]{64}")
_HEAD_BYTES = 4096
_QUANTIZATIONS = ("F32", "F16", "BF16", "Q4_K_S", "Q4_K_M", "Q8_0")
_OPEN_TAG = re.compile(r"\{\{(?!.*\}\})", re.DOTALL)
_TEXT_INFO = {
    "model_family": "family",
    "quantization_level": "quantization",
    "parameter_size": "parameter_size",
    "base_name": "",
}
_NUMBER_INFO = {"context_length": "context_length", "embedding_length": "embedding_length"}


def blob_exists(app: App, request: Request) -> Reply:
    """``HEAD /api/blobs/{digest}``."""
    digest = _digest_of(request)
    if app.store.blob(_normal(digest)) is None:
        raise ApiError(404, f"blob {quote(digest)} not found")
    return Reply(200)


def create_blob(app: App, request: Request) -> Reply:
    """``POST /api/blobs/{digest}``."""
    digest = _digest_of(request)
    if app.store.blob(_normal(digest)) is not None:
        return Reply(200)
    content = hashlib.sha256()
    size, head = 0, b""
    for chunk in request.chunks():
        content.update(chunk)
        size += len(chunk)
        head = head + chunk[: _HEAD_BYTES - len(head)] if len(head) < _HEAD_BYTES else head
    found = f"sha256:{content.hexdigest()}"
    # What was sent stays, whatever it was said to be.
    app.store.add_blob(found, Blob(size, head))
    if found != digest:
        raise ApiError(400, f"digest mismatch, expected {quote(digest)}, got {quote(found)}")
    return Reply(201)


def create(app: App, request: Request) -> Reply | Stream:
    """``POST /api/create``."""
    asked = decode_request("CreateRequest", request.body())
    for field in ("files", "draft_files", "adapters"):
        for path, digest in asked.get(field, {}).items():
            if field != "adapters" and not _is_relative(path):
                raise ApiError(400, "file path must be relative")
            if not digest:
                raise ApiError(400, "invalid digest format")
    if asked.get("draft_quantize") and not asked.get("draft_files"):
        raise ApiError(400, "--draft-quantize requires a DRAFT model")
    name = parse_name(asked.get("model") or asked.get("name", ""))
    if not name.is_valid:
        raise ApiError(400, "invalid model name")
    return progress(_creating(app, asked, request.is_gone), asked)


def _digest_of(request: Request) -> str:
    digest = request.path.rpartition("/")[2]
    if not _DIGEST.fullmatch(digest):
        raise ApiError(400, "invalid digest format")
    return digest


def _normal(digest: str) -> str:
    return digest.replace("-", ":", 1).lower()


def _is_relative(path: str) -> bool:
    """Whether a path is one that Go's file systems take: no empty, ``.`` or ``..`` parts."""
    return path == "." or all(part not in ("", ".", "..") for part in path.split("/"))


def _creating(app: App, asked: dict[str, Any], is_gone: Callable[[], bool]) -> Progress:
    name = parse_name(asked.get("model") or asked.get("name", ""))
    if asked.get("from"):
        base = yield from _base_model(app, asked, is_gone)
    elif "files" in asked:
        base = yield from _from_files(app, asked)
    else:
        raise ApiError(400, "neither 'from' or 'files' was specified")
    if "adapters" in asked:
        base = yield from _with_adapters(app, base, asked["adapters"])
    base = _with_info(base, asked.get("info", {}))
    quantization = (asked.get("quantize") or asked.get("quantization", "")).upper()
    if quantization:
        base = _quantized(base, quantization)
    model = _customized(base._replace(name=name), asked)
    for layer in model.layers:
        if layer.kind != "config":
            known = app.store.blob(layer.digest) is not None
            verb = "using existing" if known else "creating new"
            yield {"status": f"{verb} layer {layer.digest}"}
    yield {"status": "writing manifest"}
    app.store.put(model)
    yield {"status": "success"}


def _base_model(app: App, asked: dict[str, Any], is_gone: Callable[[], bool]) -> Making:
    invalid = ApiError(400, "invalid model name")
    try:
        reference = resolve(asked["from"], invalid)
    except ApiError:
        raise invalid from None
    if reference.source == "cloud" or asked.get("remote_host"):
        model = catalog.describe_cloud(reference, reference.name)
        host = asked.get("remote_host") or catalog.CLOUD_HOST
        return model._replace(remote_host=host)
    if app.store.find(reference.name) is None:
        for step in pulling(app, catalog.describe(reference.name), is_gone):
            if step["status"] != "success":
                yield step
    found = app.store.find(reference.name)
    assert found is not None
    return found._replace(parent=reference.name.short)


def _from_files(app: App, asked: dict[str, Any]) -> Making:
    files: dict[str, str] = asked["files"]
    kind = _kind_of_files(app, files)
    yield {"status": "parsing GGUF" if kind == "gguf" else "converting model"}
    layers = [
        _file_layer(app, digest, is_gguf=kind == "gguf") for _, digest in sorted(files.items())
    ]
    total = sum(layer.size for layer in layers)
    parameters = max(total // 4, 1)
    template = "{{ .Prompt }}"
    base = catalog.describe(parse_name(asked.get("model") or asked["name"]))
    return base._replace(
        layers=tuple(layers),
        parent=f"blobs/{layers[0].digest.replace(':', '-')}",
        parameter_count=parameters,
        parameter_size=catalog.human_number(parameters),
        quantization="F32",
        template=template,
        parameters={},
        license=(),
    )


def _kind_of_files(app: App, files: dict[str, str]) -> str:
    if any(path.endswith(".safetensors") for path in files):
        return "safetensors"
    blobs = (app.store.blob(_normal(digest)) for digest in files.values())
    if any(path.endswith(".gguf") for path in files) or any(
        blob is not None and blob.head[:4] == b"GGUF" for blob in blobs
    ):
        return "gguf"
    raise ApiError(400, "unknown type")


def _file_layer(app: App, digest: str, *, is_gguf: bool, kind: str = "model") -> Layer:
    if not _DIGEST.fullmatch(digest):
        raise ApiError(500, "invalid digest format")
    blob = app.store.blob(_normal(digest))
    if blob is None:
        path = f"blobs/{digest.replace(':', '-')}"
        raise ApiError(500, f"open {path}: no such file or directory")
    if is_gguf and blob.head[:4] != b"GGUF":
        raise ApiError(400, "supplied file was not in GGUF format")
    return Layer(_normal(digest), blob.size, kind)


def _with_adapters(app: App, base: Model, adapters: dict[str, str]) -> Making:
    is_gguf = _kind_of_files(app, adapters) == "gguf"
    if is_gguf and len(adapters) > 1:
        raise ApiError(400, "only one adapter is currently supported")
    yield {"status": "parsing GGUF" if is_gguf else "converting adapter"}
    layers = [
        _file_layer(app, digest, is_gguf=is_gguf, kind="adapter") for digest in adapters.values()
    ]
    return base._replace(layers=(*base.layers, *layers))


def _with_info(base: Model, info: dict[str, Any]) -> Model:
    changes: dict[str, Any] = {}
    for field, attribute in _TEXT_INFO.items():
        value = info.get(field, "")
        if not isinstance(value, str):
            raise ApiError(400, f"info field {quote(field)} must be a string")
        if value and attribute:
            changes[attribute] = value
    for field, attribute in _NUMBER_INFO.items():
        value = info.get(field, 0)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ApiError(400, f"info field {quote(field)} must be a number")
        if value < 0 or value != int(value):
            raise ApiError(400, f"info field {quote(field)} must be a non-negative integer")
        if value:
            changes[attribute] = int(value)
    wanted: object = info.get("capabilities")
    if is_list(wanted):
        extra = [name for name in wanted if isinstance(name, str)]
        changes["capabilities"] = tuple(dict.fromkeys((*base.capabilities, *extra)))
    return base._replace(**changes)


def _quantized(base: Model, quantization: str) -> Model:
    if quantization not in _QUANTIZATIONS:
        supported = "F32, F16, Q4_K_S, Q4_K_M, Q8_0"
        message = f"unsupported quantization type {quantization} - supported types are {supported}"
        raise ApiError(500, message)
    if base.quantization not in ("F32", "F16", "BF16"):
        raise ApiError(500, "quantization is only supported for F16, BF16 and F32 models")
    return base._replace(quantization=quantization)


def _customized(base: Model, asked: dict[str, Any]) -> Model:
    """The base with what the request sets, each text a layer of its own."""
    changes: dict[str, Any] = {}
    if asked.get("template"):
        if _OPEN_TAG.search(asked["template"]):
            raise ApiError(400, "template error: template: :1: unclosed action")
        changes["template"] = asked["template"]
    if asked.get("system"):
        changes["system"] = asked["system"]
    if asked.get("requires"):
        changes["requires"] = asked["requires"]
    license_ = asked.get("license")
    if license_:
        changes["license"] = (license_,) if isinstance(license_, str) else _texts(license_)
    if asked.get("parameters"):
        changes["parameters"] = {**base.parameters, **asked["parameters"]}
    messages: list[dict[str, Any]] = [m for m in asked.get("messages", ()) if m]
    if messages:
        changes["messages"] = tuple(
            {"role": m.get("role", "").lower(), "content": m.get("content", "")} for m in messages
        )
    replaced = {_LAYER_KINDS[field] for field in changes if field in _LAYER_KINDS}
    layers = [layer for layer in base.layers if layer.kind not in {*replaced, "config"}]
    for field, value in changes.items():
        if field == "license":
            layers += [text_layer("license", text.encode()) for text in value]
        elif field in _LAYER_KINDS:
            content = value if isinstance(value, str) else encode(value).decode()
            layers.append(text_layer(_LAYER_KINDS[field], content.encode()))
    model = base._replace(**changes)
    config = encode([model.family, model.parameter_size, model.quantization, model.capabilities])
    return model._replace(layers=(*layers, text_layer("config", config)))


_LAYER_KINDS = {
    "template": "template",
    "system": "system",
    "license": "license",
    "parameters": "params",
    "messages": "messages",
}


def _texts(value: Any) -> tuple[str, ...]:
    entries: list[Any] = value if is_list(value) else [value]
    texts = tuple(entry for entry in entries if isinstance(entry, str))
    if len(texts) != len(entries):
        raise ApiError(
            500, f"json: cannot unmarshal {kind_of(value)} into Go value of type []string"
        )
    return texts
