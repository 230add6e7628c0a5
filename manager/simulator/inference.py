"""``/api/chat`` and ``/api/generate``: what a request asks for, and whether it can be had."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from manager.simulator import catalog, options
from manager.simulator.answering import (
    Run,
    answered,
    chat_shape,
    generate_shape,
    without_tokens,
)
from manager.simulator.app import find_model, resolve
from manager.simulator.exchange import ApiError
from manager.simulator.go_values import quote
from manager.simulator.requests import decode_request

if TYPE_CHECKING:
    from manager.simulator.answering import (
        Asked,
        Part,
    )
    from manager.simulator.app import App
    from manager.simulator.exchange import Reply, Request, Stream
    from manager.simulator.names import Reference
    from manager.simulator.store import Model

_UNAVAILABLE = "remote model is unavailable"


def chat(app: App, request: Request) -> Reply | Stream:
    """``POST /api/chat``."""
    started = time.monotonic_ns()
    asked = decode_request("ChatRequest", request.body())
    _check_top_logprobs(asked)
    reference = resolve(asked.get("model", ""), ApiError(400, "model is required"))
    model = _model(app, reference, asked)
    messages: list[Part] = [message for message in asked.get("messages", ()) if message is not None]
    if not messages and asked.get("keep_alive") == 0:
        app.scheduler.unload(model)
        return without_tokens(asked, chat_shape, "unload")
    _check_capabilities(model, asked, "chat", ["tools"] if asked.get("tools") else [])
    run = Run(app, model, asked, _options(model, asked), request.is_gone, started, request.scripted)
    whole = [*model.messages, *messages]
    if messages and messages[0].get("role") != "system" and model.system:
        whole = [{"role": "system", "content": model.system}, *whole]
    return answered(run, [_plain(message) for message in whole if messages], chat_shape)


def generate(app: App, request: Request) -> Reply | Stream:
    """``POST /api/generate``."""
    started = time.monotonic_ns()
    asked = decode_request("GenerateRequest", request.body())
    _check_top_logprobs(asked)
    reference = resolve(asked.get("model", ""), ApiError(404, "model '' not found"))
    model = _model(app, reference, asked)
    prompt = asked.get("prompt", "")
    if not prompt and asked.get("keep_alive") == 0:
        app.scheduler.unload(model)
        return without_tokens(asked, generate_shape, "unload")
    is_raw = asked.get("raw", False)
    if is_raw and (asked.get("template") or asked.get("system") or asked.get("context")):
        raise ApiError(400, "raw mode does not support template, system, or context")
    _check_capabilities(model, asked, "generate", ["insert"] if asked.get("suffix") else [])
    if "{{" in asked.get("template", "") and "}}" not in asked["template"]:
        raise ApiError(500, "template: :1: unclosed action")
    run = Run(app, model, asked, _options(model, asked), request.is_gone, started, request.scripted)
    messages: list[Part] = []
    system = "" if is_raw else asked.get("system") or model.system
    if prompt:
        earlier = () if is_raw or asked.get("context") else model.messages
        user = {"role": "user", "content": prompt, "images": asked.get("images")}
        messages = [{"role": "system", "content": system}] if system else []
        messages += [*earlier, user]
    return answered(run, [_plain(message) for message in messages], generate_shape)


def _check_top_logprobs(asked: Asked) -> None:
    if not 0 <= asked.get("top_logprobs", 0) <= 20:
        raise ApiError(400, "top_logprobs must be between 0 and 20")


def _model(app: App, reference: Reference, asked: Asked) -> Model:
    text = asked.get("model", "")
    if reference.source == "cloud":
        app.require_cloud(_UNAVAILABLE)
        if not catalog.is_on_hub(reference.name):
            raise ApiError(404, f"model '{reference.base}' not found")
        asked["model"] = reference.base
        return catalog.describe_cloud(reference, reference.name)
    model = find_model(app, reference, f"model '{text}' not found")
    if model.remote_host:
        app.require_cloud(_UNAVAILABLE)
    return model


def _options(model: Model, asked: Asked) -> dict[str, Any]:
    return options.effective(model.parameters, asked.get("options", {}))


def _check_capabilities(model: Model, asked: Asked, verb: str, wanted: list[str]) -> None:
    if "thinking" in model.capabilities:
        asked.setdefault("think", True)
    elif asked.get("think"):
        raise ApiError(400, f"{quote(asked['model'])} does not support thinking")
    if "completion" not in model.capabilities:
        raise ApiError(400, f"{quote(asked['model'])} does not support {verb}")
    lacking = "\n".join(name for name in wanted if name not in model.capabilities)
    if lacking:
        raise ApiError(400, f"{model.name.full} does not support {lacking}")


def _plain(message: Part) -> Part:
    """A message as a runner needs it: images are only counted."""
    plain = {"role": message.get("role", "").lower(), "content": message.get("content", "")}
    return plain | {"images": len(message.get("images") or ())}
