"""A job for a model, turned into the frames of its answer, one a token."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from manager.simulator import embeddings, tokens
from manager.simulator.json_schema import UnsupportedSchemaError
from manager.simulator.text import Question, answer, scripted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from manager.simulator.text import Answer

Frame = dict[str, Any]
"""Some of ``content``, ``thinking``, ``tool_calls``, ``logprobs``; at the end ``done`` with the
counts, or ``embeddings``, or ``error`` with its ``status``."""


def frames(job: Mapping[str, Any]) -> Iterator[Frame]:
    """Do a job.

    Args:
        job: What `manager.simulator.inference` makes of a request: ``op`` is ``complete`` or
            ``embed``.

    Yields:
        The frames of the answer; the last one has ``done``, ``embeddings`` or ``error``.
    """
    if job["op"] == "embed":
        yield _embedded(job)
        return
    started = time.monotonic_ns()
    question = Question(
        job["model"],
        job["messages"],
        job.get("format"),
        job.get("tools") or (),
        job.get("think", False),
        job["options"].get("seed", -1),
    )
    try:
        script = job.get("scripted")
        whole = scripted(script, question) if script else answer(question)
    except UnsupportedSchemaError as error:
        yield {"error": f"JSON schema conversion failed: {error}", "status": 400}
        return
    prompt_done = time.monotonic_ns()
    evaluated, reason = 0, whole.done_reason
    for frame in _tokens(whole, job):
        if frame is None:
            reason = "length"
            break
        evaluated += frame.pop("evaluated", 1)
        yield frame
    yield {
        "done": reason,
        "prompt_eval_count": job["prompt_tokens"],
        "prompt_eval_duration": max(prompt_done - started, 1),
        "eval_count": evaluated,
        "eval_duration": max(time.monotonic_ns() - prompt_done, 1),
    }


def _tokens(whole: Answer, job: Mapping[str, Any]) -> Iterator[Frame | None]:
    """The tokens of an answer; None where the limit cuts it off."""
    limit = job["options"].get("num_predict", -1)
    left = limit if limit > 0 else -1
    room = job.get("room", -1)
    if room >= 0 and (left < 0 or room < left):
        # Without a shift of the context, the answer ends where it is full.
        left = room
    content = tokens.cut_at_stop(whole.content, job["options"].get("stop") or ())
    position = 0
    pieces: Iterable[str]
    pieces = _cut(whole.pieces, len(content)) if whole.pieces else tokens.split(content)
    for field, parts in (("thinking", tokens.split(whole.thinking)), ("content", pieces)):
        for token in parts:
            if left == 0:
                yield None
                return
            left -= 1
            frame: Frame = {field: token}
            if job.get("logprobs"):
                frame["logprobs"] = [tokens.logprob(token, position, job.get("top_logprobs", 0))]
            position += 1
            yield frame
    for call in whole.tool_calls:
        cost = tokens.count(str(call["function"]["arguments"])) + 1
        if 0 <= left < cost:
            yield None
            return
        yield {"tool_calls": [call], "evaluated": cost}


def _cut(pieces: Sequence[str], length: int) -> Iterator[str]:
    """The pieces of a text up to a length."""
    for piece in pieces:
        if length < len(piece):
            if length:
                yield piece[:length]
            return
        yield piece
        length -= len(piece)


def _embedded(job: Mapping[str, Any]) -> Frame:
    vectors = [embeddings.embed(text, job["dimensions"]) for text in job["input"]]
    return {"embeddings": vectors}
