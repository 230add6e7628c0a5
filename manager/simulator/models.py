"""What is there and what is loaded: list, show, copy and delete models."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from manager.simulator import catalog
from manager.simulator.app import find_model, resolve
from manager.simulator.exchange import ApiError, Reply, json_reply
from manager.simulator.go_values import quote, timestamp
from manager.simulator.json_types import is_list
from manager.simulator.names import NameProblem, parse_name, parse_reference, pull_name
from manager.simulator.requests import decode_request

if TYPE_CHECKING:
    from manager.simulator.app import App
    from manager.simulator.exchange import Request
    from manager.simulator.store import Model

_LATEST_SECOND = 253_402_300_799
"""The end of the year 9999, after which RFC 3339 has no dates."""


def list_models(app: App, request: Request) -> Reply:
    """``GET /api/tags``."""
    return json_reply({"models": [_listed(model) for model in app.store.all()]})


def list_running(app: App, request: Request) -> Reply:
    """``GET /api/ps``."""
    return json_reply(
        {
            "models": [
                {
                    "name": status.model.name.short,
                    "model": status.model.name.short,
                    "size": status.model.size,
                    "digest": status.model.digest,
                    "details": {**_details(status.model), "parent_model": ""},
                    "expires_at": _moment(status.expires_at),
                    "size_vram": 0,
                    "context_length": status.context_length,
                }
                for status in app.scheduler.status()
            ]
        }
    )


def show(app: App, request: Request) -> Reply:
    """``POST /api/show``."""
    asked = decode_request("ShowRequest", request.body())
    text = asked.get("model") or asked.get("name", "")
    reference = resolve(text, ApiError(400, "model is required"))
    if reference.source == "cloud":
        app.require_cloud("remote model details are unavailable")
        if not catalog.is_on_hub(reference.name):
            raise ApiError(404, f"model '{reference.base}' not found")
        model = catalog.describe_cloud(reference, reference.name)
    else:
        model = find_model(app, reference, f"model '{reference.name.short}' not found")
    if asked.get("system"):
        model = model._replace(system=asked["system"])
    return json_reply(_shown(model, verbose=asked.get("verbose", False)))


def copy(app: App, request: Request) -> Reply:
    """``POST /api/copy``."""
    asked = decode_request("CopyRequest", request.body())
    texts = {key: asked.get(key, "") for key in ("source", "destination")}
    names = {key: parse_name(text) for key, text in texts.items()}
    for key, name in names.items():
        if not name.is_valid:
            raise ApiError(400, f"{key} {quote(texts[key])} is invalid")
    model = app.store.find(names["source"])
    if model is None:
        raise ApiError(404, f"model {quote(texts['source'])} not found")
    app.store.put(model._replace(name=names["destination"]))
    return Reply(200)


def delete(app: App, request: Request) -> Reply:
    """``DELETE /api/delete``."""
    asked = decode_request("DeleteRequest", request.body())
    text = asked.get("model") or asked.get("name", "")
    try:
        name = pull_name(parse_reference(text))
    except NameProblem as problem:
        invalid = f"name {quote(text)} is invalid"
        raise ApiError(400, invalid if problem.kind == "invalid" else problem.message) from None
    if not app.store.remove(name):
        raise ApiError(404, f"model '{text}' not found")
    return Reply(200)


def _moment(seconds: float) -> str:
    whole = min(seconds, _LATEST_SECOND)
    fraction, second = math.modf(whole)
    return timestamp(int(second) * 1_000_000_000 + int(fraction * 1e9))


def _details(model: Model) -> dict[str, Any]:
    is_remote = bool(model.remote_host)
    return {
        "parent_model": model.parent,
        "format": model.format,
        "family": "" if is_remote else model.family,
        "families": None if is_remote else [model.family],
        "parameter_size": "" if is_remote else model.parameter_size,
        "quantization_level": "" if is_remote else model.quantization,
    }


def _listed(model: Model) -> dict[str, Any]:
    listed: dict[str, Any] = {"name": model.name.short, "model": model.name.short}
    if model.remote_host:
        listed |= {"remote_model": model.remote_model, "remote_host": model.remote_host}
    lengths = {
        "context_length": model.context_length,
        "embedding_length": model.embedding_length,
    }
    return listed | {
        "modified_at": timestamp(model.modified_at),
        "size": model.size,
        "digest": model.digest,
        "details": {**_details(model), **lengths},
        "capabilities": list(model.capabilities),
    }


def _shown(model: Model, *, verbose: bool) -> dict[str, Any]:
    texts = {
        "license": "\n".join(model.license),
        "modelfile": _modelfile(model),
        "parameters": "\n".join(_parameter_lines(model, "{0:<30} {1}")),
        "template": model.template,
        "system": model.system,
        "requires": model.requires,
        "remote_model": model.remote_model,
        "remote_host": model.remote_host,
    }
    body: dict[str, Any] = {key: text for key, text in texts.items() if text}
    body["details"] = _details(model)
    if model.messages:
        body["messages"] = [
            {"role": message["role"], "content": message["content"]} for message in model.messages
        ]
    body["model_info"] = {} if model.remote_host else catalog.model_info(model, verbose=verbose)
    if not model.remote_host:
        body["tensors"] = catalog.tensors(model)
    body["capabilities"] = list(model.capabilities)
    body["modified_at"] = timestamp(model.modified_at)
    return body


def _parameter_lines(model: Model, form: str) -> list[str]:
    lines: list[str] = []
    for name, value in sorted(model.parameters.items()):
        for entry in value if is_list(value) else [value]:
            shown = quote(entry) if isinstance(entry, str) else f"{entry}"
            lines.append(form.format(name, shown))
    return lines


def _modelfile(model: Model) -> str:
    lines = [
        '# Modelfile generated by "ollama show"',
        "# To build a new Modelfile based on this, replace FROM with:",
        f"# FROM {model.name.short}",
        "",
        f"FROM {model.blob_name}",
        f"TEMPLATE {model.template}",
        *([f"SYSTEM {model.system}"] if model.system else []),
        *_parameter_lines(model, "PARAMETER {0} {1}"),
        *(f"LICENSE {text}" for text in model.license),
        *(f"MESSAGE {message['role']} {message['content']}" for message in model.messages),
    ]
    return "\n".join(lines) + "\n"
