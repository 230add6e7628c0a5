"""What a demonstration shows. Each step does one thing and returns what there is to say of it."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from manager.demo.stage import chat_model, embed_model
from manager.errors import CapabilityError, ModelNotFoundError, OutputParseError
from manager.quantities import duration, file_size
from manager.supervisor.probe import Verdict, probe_now
from manager.supervisor.processes import children_of, find

if TYPE_CHECKING:
    from collections.abc import Sequence

    from manager import OllamaManager, OptionsDict, ProgressResponse
    from manager.supervisor.processes import Process

__all__ = ["SETUP", "STEPS", "UNTIL_STOP", "NotSupported", "Scene", "Step"]

_QUESTION = "Why is the sky blue? Answer in one short sentence."
_STORY = "Count from one to five in words."
_TEXTS = ("the cat sleeps on the sofa", "cats love sleeping on a sofa", "the quarterly tax report")
_PULLED = "llama3.2:1b"
_SHOWN = 110


class NotSupported(Exception):
    """The server works, but this model cannot do it: said honestly, and no failure."""


@dataclass(frozen=True)
class Command:
    """What plain language is turned into, as an example of typed output."""

    program: str
    arguments: list[str]
    dangerous: bool


@attrs.define
class Scene:
    """What the steps share.

    Attributes:
        manager: The manager that is being shown.
        simulated: Whether the server is only a simulation.
        say: Shows how far a step is.
        model: The model that is talked to.
        embedder: The model that makes embeddings.
        facts: What the step adds to a report for machines.
    """

    manager: OllamaManager
    simulated: bool
    say: Callable[[str], None]
    model: str = ""
    embedder: str = ""
    thinks: bool = False
    facts: dict[str, Any] = attrs.field(factory=dict[str, Any])

    @property
    def think(self) -> bool | None:
        """Thinking would take up all of a short answer."""
        return False if self.thinks else None

    @staticmethod
    def options(most_tokens: int) -> OptionsDict:
        """Keep it short, and the same every time."""
        return {"num_predict": most_tokens, "num_ctx": 2048, "temperature": 0.0, "seed": 1}


Step: TypeAlias = Callable[[Scene], str]


def start(scene: Scene) -> str:
    """Start the server."""
    status = scene.manager.start_server()
    scene.facts |= {"host": status.host, "pid": status.pid, "version": status.version}
    return f"Ollama {status.version} at {status.host}, pid {status.pid}"


def list_models(scene: Scene) -> str:
    """List the local models, and choose what the later steps use."""
    models = scene.manager.list_models()
    chosen = chat_model(scene.manager, models)
    if chosen is None:
        raise LookupError("there is no model to talk to")
    embedder = embed_model(scene.manager, models)
    scene.model = chosen.name
    scene.embedder = chosen.name if embedder is None else embedder.name
    scene.facts |= {"models": [model.name for model in models]}
    names = ", ".join(f"{model.name} ({file_size(model.size)})" for model in models[:3])
    more = f" and {len(models) - 3} more" if len(models) > 3 else ""
    return f"{names}{more}"


def pull(scene: Scene) -> str:
    """Pull a model, where that costs nothing."""
    layers: dict[str, int] = {}

    def progressed(progress: ProgressResponse) -> None:
        if progress.digest and progress.total:
            layers[progress.digest] = progress.completed or 0
        scene.say(f"{progress.status}, {file_size(sum(layers.values()))}")

    scene.manager.pull_model(_PULLED, on_progress=progressed)
    size = sum(layers.values())
    scene.facts |= {"model": _PULLED, "bytes": size}
    return f"{_PULLED}: {file_size(size)} in {len(layers)} layers, simulated too"


def show(scene: Scene) -> str:
    """Show what is known of a model."""
    shown = scene.manager.show_model(scene.model)
    scene.thinks = "thinking" in (shown.capabilities or ())
    scene.facts |= {"model": scene.model, "capabilities": shown.capabilities}
    details = shown.details
    size = f", {file_size(shown.size)}" if shown.size is not None else ""
    kinds = ", ".join(shown.capabilities or ())
    about = " ".join(part for part in (details.parameter_size, details.quantization_level) if part)
    return f"{scene.model}: {about}{size}; {kinds}"


def chat(scene: Scene) -> str:
    """Ask, and get a whole answer."""
    answer = scene.manager.chat(
        scene.model, _QUESTION, think=scene.think, options=scene.options(48)
    )
    scene.facts |= {"answer": answer.message.content, "tokens": answer.eval_count}
    return _quoted(answer.message.content or "")


def stream(scene: Scene) -> str:
    """Ask, and see the answer while it is written."""
    text, first = "", None
    started = time.perf_counter()
    with scene.manager.chat(
        scene.model, _STORY, stream=True, think=scene.think, options=scene.options(48)
    ) as answer:
        for piece in answer.text:
            first = first or time.perf_counter() - started
            text += piece
            scene.say(_quoted(text))
        tokens = answer.final().eval_count
    scene.facts |= {"answer": text, "tokens": tokens, "first_token_seconds": first}
    shown_first = duration(first or 0.0)
    return f"{_quoted(text)} ({tokens} tokens, the first after {shown_first})"


def typed(scene: Scene) -> str:
    """Ask for a value of a dataclass: what is written can only be its JSON."""
    prompt = "Which shell command lists all files here, hidden ones too? Answer in JSON."
    try:
        command = scene.manager.chat_parsed(
            scene.model, prompt, Command, think=scene.think, options=scene.options(160)
        )
    except OutputParseError as error:
        if scene.simulated:
            raise
        raise NotSupported(f"{scene.model} is too weak: {error.message}") from None
    scene.facts |= {"value": repr(command)}
    return repr(command)


def embed(scene: Scene) -> str:
    """Turn texts into vectors, and compare them."""
    try:
        answer = scene.manager.embed(scene.embedder, list(_TEXTS))
    except CapabilityError as error:
        raise NotSupported(f"{scene.embedder} has no embeddings: {error.message}") from None
    near, far = (_cosine(answer.embeddings[0], answer.embeddings[i]) for i in (1, 2))
    dimensions = len(answer.embeddings[0])
    scene.facts |= {"model": scene.embedder, "dimensions": dimensions, "near": near, "far": far}
    return (
        f"3 texts to {dimensions} numbers each by {scene.embedder};"
        f" alike {near:.2f}, unlike {far:.2f}"
    )


def missing(scene: Scene) -> str:
    """Ask a model that is not there: the error says what to do."""
    base, colon, tag = scene.model.partition(":")
    wrong = f"{base}{base[-1]}{colon}{tag}"
    try:
        scene.manager.chat(wrong, _QUESTION)
    except ModelNotFoundError as error:
        scene.facts |= {"error": error.to_dict()}
        return f"{type(error).__name__}: {error.message}; {error.hint}"
    raise AssertionError(f"{wrong} answered, though there is no such model")


def recover(scene: Scene) -> str:
    """Kill the server the hard way, and just go on asking."""
    before = scene.manager.status()
    assert before.pid is not None, "the server is not ours"
    os.kill(before.pid, signal.SIGKILL)
    killed = time.perf_counter()
    scene.say(f"killed pid {before.pid}; asking on ...")
    scene.manager.chat(scene.model, _QUESTION, think=scene.think, options=scene.options(4))
    seconds = time.perf_counter() - killed
    after = scene.manager.status()
    scene.facts |= {
        "killed_pid": before.pid,
        "pid": after.pid,
        "recovery_seconds": round(seconds, 4),
        "restarts": after.restarts,
    }
    return (
        f"killed pid {before.pid} with SIGKILL; the next request was answered by pid {after.pid}"
        f" after {duration(seconds)}, no error seen"
    )


def stop(scene: Scene) -> str:
    """Stop the server: nothing of it is left."""
    status = scene.manager.status()
    server = find(status.pid) if status.pid is not None else None
    runners = children_of(server.pid) if server is not None else []
    scene.manager.stop_server()
    left = [process.pid for process in _present(server, runners) if process.alive()]
    address = scene.manager.config.server.host
    verdict, _ = probe_now(address.host, address.port, 1.0)
    scene.facts |= {"runners": [runner.pid for runner in runners], "left": left}
    if left or verdict is not Verdict.FREE:
        raise AssertionError(f"still there: pids {left}, port {address.port} {verdict}")
    pids = ", ".join(str(runner.pid) for runner in runners)
    gone = (
        f"the server and its {_plural(len(runners), 'runner')} ({pids}) are"
        if pids
        else ("the server is")
    )
    return f"{gone} gone, port {address.port} is free"


def _present(server: Process | None, runners: Sequence[Process]) -> list[Process]:
    return [*([] if server is None else [server]), *runners]


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _quoted(text: str) -> str:
    line = " ".join(text.split())
    return f'"{line if len(line) <= _SHOWN else line[:_SHOWN] + " ..."}"'


def _cosine(a: Sequence[float], b: Sequence[float]) -> float:
    lengths = math.sqrt(math.fsum(x * x for x in a)) * math.sqrt(math.fsum(y * y for y in b))
    return math.fsum(x * y for x, y in zip(a, b, strict=True)) / lengths if lengths else 0.0


SETUP: tuple[tuple[str, Step], ...] = (("start", start), ("list", list_models))
"""Without these nothing else can be shown."""

STEPS: tuple[tuple[str, Step], ...] = (
    ("pull", pull),
    ("show", show),
    ("chat", chat),
    ("stream", stream),
    ("typed output", typed),
    ("embed", embed),
    ("missing model", missing),
    ("kill -9", recover),
)

UNTIL_STOP: tuple[tuple[str, Step], ...] = (("stop", stop),)
"""Comes in any case."""
