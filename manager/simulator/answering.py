"""From a request that can be answered to its tokens, in the shapes of the two endpoints."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from manager.simulator import options, tokens
from manager.simulator.exchange import ApiError, ClientGone, Stream, encode, json_reply, line
from manager.simulator.go_values import quote, timestamp
from manager.simulator.json_types import is_object
from manager.simulator.runner_process import RunnerDiedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from manager.simulator.app import App
    from manager.simulator.direction import Scripted
    from manager.simulator.exchange import Reply
    from manager.simulator.runner_process import Frame
    from manager.simulator.scheduler import Loaded
    from manager.simulator.store import Model

_NO_IMAGES = (
    500,
    "server_error",
    (
        "image input is not supported - hint: if this is unexpected, "
        "you may need to provide the mmproj"
    ),
)
_NO_IMAGES_IN_PROMPT = (
    400,
    "invalid_request_error",
    "Multimodal data provided, but model does not support multimodal requests.",
)
_METRICS = ("prompt_eval_count", "prompt_eval_duration", "eval_count", "eval_duration")

Asked = dict[str, Any]
Part = dict[str, Any]
Shape = Callable[[Part], dict[str, Any]]
"""Where the content, thinking and tool calls of an answer go in its body."""


class Run(NamedTuple):
    """A request that can be answered: everything about it that has been looked up."""

    app: App
    model: Model
    asked: Asked
    options: dict[str, Any]
    is_gone: Callable[[], bool]
    started: int
    scripted: Scripted | None = None

    @property
    def context_length(self) -> int:
        default = self.app.settings.context_length
        return options.context_length(self.options, default, self.model.context_length)

    def acquire(self) -> Loaded:
        return self.app.scheduler.acquire(
            self.model,
            options.on_loading(self.options),
            self.context_length,
            self.asked.get("keep_alive"),
            self.is_gone,
        )


def chat_shape(part: Part) -> dict[str, Any]:
    """The part of a chat's answer that a message is."""
    message = {"role": "assistant", "content": part.get("content", "")}
    message |= {key: part[key] for key in ("thinking", "tool_calls") if part.get(key)}
    return {"message": message}


def generate_shape(part: Part) -> dict[str, Any]:
    """The part of a completion that its text is."""
    body = {"response": part.get("content", "")}
    return body | {key: part[key] for key in ("thinking", "tool_calls") if part.get(key)}


def without_tokens(asked: Asked, shape: Shape, reason: str) -> Reply:
    """The answer when a model was only loaded or unloaded."""
    body = {"model": asked["model"], "created_at": timestamp(), **shape({})}
    return json_reply(body | {"done": True, "done_reason": reason})


def answered(run: Run, messages: list[Part], shape: Shape) -> Reply | Stream:
    """Answer with whatever the request asks for; without messages, only load the model."""
    # What may fail comes before the model is taken: nobody would give it back.
    job = _job(run, messages)
    entry = None if run.model.remote_host else run.acquire()
    loaded = time.monotonic_ns()
    if not messages or run.asked.get("_debug_render_only"):
        _release(run, entry)
        rendered = _rendered if messages else _loaded
        return rendered(run, messages, shape)
    # From here on the frames give the model back.
    frames = _cloud_frames(run, job) if entry is None else _local_frames(run, entry, job)
    chunks = _chunks(run, job, frames, loaded, shape)
    if run.asked.get("stream", True):
        return Stream(line(chunk) for chunk in chunks)
    return json_reply(_joined(chunks, shape))


def _loaded(run: Run, messages: list[Part], shape: Shape) -> Reply:
    return without_tokens(run.asked, shape, "load")


def _release(run: Run, entry: Loaded | None) -> None:
    if entry is not None:
        run.app.scheduler.release(entry)


def _job(run: Run, messages: list[Part]) -> dict[str, Any]:
    asked = run.asked
    kept, prompt_tokens = _fitted(run, messages)
    room = run.context_length - prompt_tokens if asked.get("shift") is False else -1
    return {
        "op": "complete",
        "model": asked["model"],
        "messages": kept,
        "format": asked.get("format"),
        "tools": asked.get("tools") or [],
        "think": asked.get("think", False),
        "options": run.options,
        "prompt_tokens": prompt_tokens,
        "room": room,
        "logprobs": asked.get("logprobs", False),
        "top_logprobs": asked.get("top_logprobs", 0),
        "scripted": run.scripted and run.scripted._asdict(),
    }


def _runner_error(status: int, kind: str, message: str, **extra: int) -> ApiError:
    """An error of llama-server, whose JSON Ollama passes on as a text."""
    error = {"code": status, "message": message, "type": kind, **extra}
    return ApiError(status, encode({"error": error}).decode())


def _fitted(run: Run, messages: list[Part]) -> tuple[list[Part], int]:
    """The messages that fit into the context, the oldest left out first, and their tokens."""
    kept = list(messages)
    limit = run.context_length
    earlier = len(run.asked.get("context") or ())
    count = tokens.count(tokens.prompt_text(kept)) + earlier
    while count > limit and run.asked.get("truncate", True):
        droppable = [n for n, message in enumerate(kept[:-1]) if message["role"] != "system"]
        if not droppable:
            break
        del kept[droppable[0]]
        count = tokens.count(tokens.prompt_text(kept)) + earlier
    if count > limit and not run.asked.get("truncate", True):
        message = (
            f"request ({count} tokens) exceeds the available context size ({limit} tokens), "
            "try increasing it"
        )
        extra = {"n_prompt_tokens": count, "n_ctx": limit}
        raise _runner_error(400, "exceed_context_size_error", message, **extra)
    return kept, min(count, limit)


def _rendered(run: Run, messages: list[Part], shape: Shape) -> Reply:
    images = sum(message["images"] for message in messages)
    info: dict[str, Any] = {"rendered_template": tokens.prompt_text(messages)}
    if images:
        info["image_count"] = images
    body = {"model": run.asked["model"], "created_at": timestamp(), **shape({})}
    if "message" in body:
        body["message"] = {"role": "", "content": ""}
    return json_reply(body | {"done": False, "_debug_info": info})


def _check_job(run: Run, job: dict[str, Any]) -> None:
    """What a real runner refuses: the answer is an error, but the model stays loaded."""
    format_ = job["format"]
    if format_ not in (None, "", "json") and not is_object(format_):
        expected = 'expected "json" or a valid JSON Schema object'
        raise ApiError(500, f"invalid format: {quote(encode(format_).decode())}; {expected}")
    has_images = any(message["images"] for message in job["messages"])
    if has_images and "vision" not in run.model.capabilities:
        raise _runner_error(*(_NO_IMAGES if "messages" in run.asked else _NO_IMAGES_IN_PROMPT))


def _local_frames(run: Run, first: Loaded, job: dict[str, Any]) -> Iterator[Frame]:
    entry: Loaded | None = first
    try:
        _check_job(run, job)
        while True:
            try:
                assert entry is not None
                assert entry.runner is not None
                yield from entry.runner.frames(job, run.is_gone)
                return
            except RunnerDiedError:
                # It died between two requests: load the model again.
                _release(run, entry)
                entry = None
                entry = run.acquire()
    finally:
        _release(run, entry)


def _cloud_frames(run: Run, job: dict[str, Any]) -> Iterator[Frame]:
    # Only here is an answer made in the server itself, so only here is this imported.
    from manager.simulator.generation import frames

    _check_job(run, job)
    for frame in frames(job):
        if run.is_gone():
            raise ClientGone
        time.sleep(run.app.settings.token_seconds)
        if "error" in frame:
            raise ApiError(frame["status"], frame["error"])
        yield frame


def _chunks(
    run: Run,
    job: dict[str, Any],
    frames: Iterator[Frame],
    loaded: int,
    shape: Shape,
) -> Iterator[dict[str, Any]]:
    """The bodies of a streamed answer."""
    head = {"model": run.asked["model"]}
    if run.model.remote_host:
        head |= {"remote_model": run.model.remote_model, "remote_host": run.model.remote_host}
    said: list[str] = []
    for frame in frames:
        body = {**head, "created_at": timestamp(), **shape(frame)}
        if "done" not in frame:
            said.append(frame.get("content", ""))
            body["done"] = False
            if "logprobs" in frame:
                body["logprobs"] = frame["logprobs"]
            yield body
            continue
        body |= {"done": True, "done_reason": frame["done"]}
        if shape is generate_shape and not run.asked.get("raw"):
            body["context"] = _context(run, job, "".join(said))
        now = time.monotonic_ns()
        body |= {"total_duration": now - run.started, "load_duration": loaded - run.started}
        yield body | {name: frame[name] for name in _METRICS if frame[name]}


def _context(run: Run, job: dict[str, Any], answer: str) -> list[int]:
    earlier: list[int] = run.asked.get("context") or []
    prompt = tokens.prompt_text(job["messages"])
    return [*earlier, *tokens.identifiers(prompt + answer)]


def _joined(chunks: Iterator[dict[str, Any]], shape: Shape) -> dict[str, Any]:
    """A streamed answer as one body."""
    texts: dict[str, list[str]] = {"content": [], "thinking": []}
    calls: list[Any] = []
    logprobs: list[Any] = []
    body: dict[str, Any] = {}
    for body in chunks:
        part: dict[str, Any] = body.get("message", body)
        texts["content"].append(part.get("content", part.get("response", "")))
        texts["thinking"].append(part.get("thinking", ""))
        calls += part.get("tool_calls", [])
        logprobs += body.get("logprobs", [])
    whole = {name: "".join(pieces) for name, pieces in texts.items()}
    body |= shape({**whole, "tool_calls": calls})
    if logprobs:
        body["logprobs"] = logprobs
    return body
