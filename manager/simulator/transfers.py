"""Pulls and pushes: layer by layer, at the pace that was set, and resumable."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from manager.simulator import catalog
from manager.simulator.app import resolve
from manager.simulator.exchange import (
    PLAIN_JSON,
    ApiError,
    ClientGone,
    Reply,
    Stream,
    encode,
    error_reply,
    line,
)
from manager.simulator.names import DEFAULT_HOST, DEFAULT_NAMESPACE, parse_name, pull_name
from manager.simulator.requests import decode_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from manager.simulator.app import App
    from manager.simulator.exchange import (
        Request,
    )
    from manager.simulator.names import Name
    from manager.simulator.store import Layer, Model

_STEPS = 20
"""Lines of progress that the largest layer has."""
_NOT_YOURS = (
    "you are not authorized to push to this namespace, create the model under a namespace you own"
)

Progress = Iterator[dict[str, Any]]


def pull(app: App, request: Request) -> Reply | Stream:
    """``POST /api/pull``."""
    asked = decode_request("PullRequest", request.body())
    text = asked.get("model") or asked.get("name", "")
    reference = resolve(text, ApiError(400, "invalid model name"))
    name = pull_name(reference)
    if reference.source == "cloud":
        model = catalog.describe_cloud(reference, name)
    else:
        model = catalog.describe(name)
    return progress(pulling(app, model, request.is_gone), asked)


def push(app: App, request: Request) -> Reply | Stream:
    """``POST /api/push``."""
    asked = decode_request("PushRequest", request.body())
    text = asked.get("model") or asked.get("name", "")
    if not text:
        raise ApiError(400, "model is required")
    return progress(_pushing(app, parse_name(text), request.is_gone), asked)


def progress(steps: Progress, asked: dict[str, Any]) -> Reply | Stream:
    """The answer that reports of progress make: a stream, or only the last of them."""
    if asked.get("stream", True):
        return Stream(line(step) for step in steps)
    last: dict[str, Any] = {}
    try:
        for step in steps:
            last = step
    except ApiError as error:
        return error_reply(error, PLAIN_JSON)
    return Reply(200, PLAIN_JSON, encode(last))


def pulling(app: App, model: Model, is_gone: Callable[[], bool]) -> Progress:
    """Pull a model from the simulated hub, reporting each step."""
    name = model.name
    yield {"status": "pulling manifest"}
    if not catalog.is_on_hub(name):
        raise ApiError(500, "pull model manifest: file does not exist")
    total = sum(layer.size for layer in model.layers)
    for layer in model.layers:
        start = app.store.downloaded(layer.digest)
        if app.store.blob(layer.digest) is not None:
            start = layer.size
        pace = app.settings.pull_seconds / total
        for completed in _moved(layer, start, pace, total, is_gone):
            app.store.set_downloaded(layer, completed)
            yield _layer_step("pulling", layer, completed)
    yield {"status": "verifying sha256 digest"}
    yield {"status": "writing manifest"}
    app.store.put(model)
    yield {"status": "success"}


def _pushing(app: App, name: Name, is_gone: Callable[[], bool]) -> Progress:
    yield {"status": "retrieving manifest"}
    model = app.store.find(name)
    if model is None:
        yield {"status": "couldn't retrieve manifest"}
        path = f"manifests/{name.host}/{name.namespace}/{name.model}/{name.tag}"
        raise ApiError(500, f"open {path}: no such file or directory")
    if name.host == DEFAULT_HOST and name.namespace == DEFAULT_NAMESPACE:
        raise ApiError(500, _NOT_YOURS)
    total = sum(layer.size for layer in model.layers)
    for layer in model.layers:
        for completed in _moved(layer, 0, app.settings.pull_seconds / total, total, is_gone):
            yield _layer_step("pushing", layer, completed)
    yield {"status": "pushing manifest"}
    yield {"status": "success"}


def _layer_step(verb: str, layer: Layer, completed: int) -> dict[str, Any]:
    step: dict[str, Any] = {"status": f"{verb} {layer.digest[7:19]}", "digest": layer.digest}
    step["total"] = layer.size
    return step | ({"completed": completed} if completed else {})


def _moved(
    layer: Layer, start: int, pace: float, total: int, is_gone: Callable[[], bool]
) -> Iterator[int]:
    """How much of a layer has been moved, from ``start`` on to the whole of it."""
    yield start
    step = max(total // _STEPS, 1)
    while start < layer.size:
        time.sleep(min(step, layer.size - start) * pace)
        if is_gone():
            raise ClientGone
        start = min(start + step, layer.size)
        yield start
