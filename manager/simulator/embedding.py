"""``/api/embed`` and the older ``/api/embeddings``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from manager.simulator import embeddings, options, tokens
from manager.simulator.app import find_model, resolve
from manager.simulator.exchange import ApiError, json_reply
from manager.simulator.json_types import is_list
from manager.simulator.requests import decode_request
from manager.simulator.runner_process import RunnerDiedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from manager.simulator.app import App
    from manager.simulator.exchange import Reply, Request
    from manager.simulator.scheduler import Loaded
    from manager.simulator.store import Model

_NOT_EMBEDDING = "This server does not support embeddings. Start it with `--embeddings`"
_TOO_LONG = "the input length exceeds the context length"

Vectors = list[list[float]]


def embed(app: App, request: Request) -> Reply:
    """``POST /api/embed``."""
    started = time.monotonic_ns()
    asked = decode_request("EmbedRequest", request.body())
    text = asked.get("model", "")
    reference = resolve(text, ApiError(404, f"model '{text}' not found"))
    if reference.source == "cloud":
        app.require_cloud("remote model is unavailable")
    inputs = _inputs(asked.get("input"))
    model = find_model(app, reference, f'model "{text}" not found, try pulling it first')
    entry = _acquire(app, model, asked, request.is_gone)
    loaded = time.monotonic_ns()
    try:
        if not inputs:
            return json_reply({"model": text, "embeddings": []})
        if "embedding" not in model.capabilities:
            raise ApiError(501, _NOT_EMBEDDING)
        limit = entry.context_length
        cut = [_cut(entry_text, limit, asked.get("truncate", True)) for entry_text in inputs]
        vectors, entry = _vectors(app, entry, model, asked, cut, request.is_gone)
    finally:
        app.scheduler.release(entry)
    dimensions = asked.get("dimensions", 0)
    if 0 < dimensions < model.embedding_length:
        vectors = [embeddings.normalized(vector[:dimensions]) for vector in vectors]
    return json_reply(
        {
            "model": text,
            "embeddings": vectors,
            "total_duration": time.monotonic_ns() - started,
            "load_duration": loaded - started,
            "prompt_eval_count": sum(max(tokens.count(piece), 1) for piece in cut),
        }
    )


def embeddings_of_prompt(app: App, request: Request) -> Reply:
    """``POST /api/embeddings``."""
    asked = decode_request("EmbeddingRequest", request.body())
    text = asked.get("model", "")
    reference = resolve(text, ApiError(400, "model is required"))
    if reference.source == "cloud":
        app.require_cloud("remote model is unavailable")
    model = find_model(app, reference, f'model "{text}" not found, try pulling it first')
    entry = _acquire(app, model, asked, request.is_gone)
    try:
        prompt = asked.get("prompt", "")
        if not prompt:
            return json_reply({"embedding": []})
        if "embedding" not in model.capabilities:
            raise ApiError(500, _NOT_EMBEDDING)
        cut = [_cut(prompt, entry.context_length, truncate=True)]
        vectors, entry = _vectors(app, entry, model, asked, cut, request.is_gone)
    finally:
        app.scheduler.release(entry)
    return json_reply({"embedding": vectors[0]})


def _inputs(value: Any) -> list[str]:
    if value is None or value == "":
        return []
    if isinstance(value, str):
        return [value]
    if is_list(value):
        texts = [entry for entry in value if isinstance(entry, str)]
        if len(texts) == len(value):
            return texts
    raise ApiError(400, "invalid input type")


def _cut(text: str, limit: int, truncate: bool) -> str:
    pieces = tokens.split(text)
    if len(pieces) <= limit:
        return text
    if not truncate:
        raise ApiError(400, _TOO_LONG)
    return "".join(pieces[:limit])


def _acquire(app: App, model: Model, asked: dict[str, Any], is_gone: Callable[[], bool]) -> Loaded:
    chosen = options.effective(model.parameters, asked.get("options", {}))
    length = options.context_length(chosen, app.settings.context_length, model.context_length)
    return app.scheduler.acquire(
        model, options.on_loading(chosen), length, asked.get("keep_alive"), is_gone
    )


def _vectors(
    app: App,
    entry: Loaded,
    model: Model,
    asked: dict[str, Any],
    texts: list[str],
    is_gone: Callable[[], bool],
) -> tuple[Vectors, Loaded]:
    """The vectors of texts, and the model that made them: a dead runner is replaced."""
    job = {"op": "embed", "input": texts, "dimensions": model.embedding_length}
    while True:
        assert entry.runner is not None
        try:
            for frame in entry.runner.frames(job, is_gone):
                return frame["embeddings"], entry
        except RunnerDiedError:
            replacement = _acquire(app, model, asked, is_gone)
            app.scheduler.release(entry)
            entry = replacement
