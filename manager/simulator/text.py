"""What a simulated model answers: a function of the request, and always marked as simulated."""

from __future__ import annotations

import json
import re
import zlib
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from manager.simulator.json_schema import UnsupportedSchemaError, instance
from manager.simulator.json_types import is_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MARK = "(simulated answer)"

_LONGEST_ECHO = 400
_MOST_WORDS = 100_000
_WORDS_WANTED = re.compile(r"\b(\d{1,6})\s+words?\b", re.IGNORECASE)
_FILLER = """
    these words come from a simulated model that reads nothing and knows nothing but can write as
    many of them as anyone asks for
    """.split()  # noqa: SIM905
_CLOSINGS = (
    "No model was run.",
    "No model was involved in this.",
    "Nothing was computed for this.",
    "This text was made up by a program.",
)
_PLAIN_VERBS = frozenset(
    "get set do run list make find show add call use fetch new of the".split()  # noqa: SIM905
)
_WORD = re.compile(r"[A-Za-z0-9]+")
_QUOTED = re.compile(r"[\"'“‘`]([^\"'”’`]+)[\"'”’`]")
_AFTER_PREPOSITION = re.compile(r"\b(?:in|for|at|to|from|of)\s+([A-Z][\w-]*(?:\s[A-Z][\w-]*)*)")
_JSON_TYPES = {"type", "properties", "items", "$ref", "anyOf", "oneOf", "allOf", "enum", "const"}


class Answer(NamedTuple):
    """What the model says, before it is cut into tokens."""

    thinking: str
    content: str
    tool_calls: list[dict[str, Any]]
    pieces: Sequence[str] = ()
    """The content as it is to be cut, if that was asked for."""
    done_reason: str = "stop"


class Question(NamedTuple):
    """What the model is asked."""

    model: str
    messages: Sequence[Mapping[str, Any]]
    format: Any = None
    tools: Sequence[Mapping[str, Any]] = ()
    think: bool | str = False
    seed: int = -1


def answer(question: Question) -> Answer:
    """Answer a question.

    Args:
        question: The messages, with what is asked of the answer.

    Returns:
        The same answer for the same question.

    Raises:
        UnsupportedSchemaError: The schema in ``format`` cannot be satisfied.
    """
    prompt = _last_user_text(question.messages)
    thinking = _thinking(question.think, prompt)
    if question.format not in (None, ""):
        return Answer(thinking, _structured(question.format, prompt), [])
    called = _tool_call(question, prompt)
    if called is not None:
        return Answer(thinking, "", [called])
    return Answer(thinking, _prose(question, prompt), [])


def scripted(script: Mapping[str, Any], question: Question) -> Answer:
    """The answer that a test has asked for.

    Args:
        script: The fields of a `manager.simulator.direction.Scripted`.
        question: What the model is asked; thinking is left out if it is not asked for.
    """
    prompt = _last_user_text(question.messages)
    calls = [
        {
            "id": _call_id(f"{index}{name}", prompt),
            "function": {"index": index, "name": name, "arguments": arguments},
        }
        for index, (name, arguments) in enumerate(script["tool_calls"])
    ]
    pieces: Sequence[str] = script["pieces"]
    return Answer(
        thinking=script["thinking"] if question.think else "",
        content="".join(pieces),
        tool_calls=calls,
        pieces=pieces if len(pieces) > 1 else (),
        done_reason=script["done_reason"],
    )


def _last_user_text(messages: Sequence[Mapping[str, Any]]) -> str:
    users = (message for message in reversed(messages) if message["role"] == "user")
    return str(next(users, {"content": ""})["content"])


def _thinking(think: bool | str, prompt: str) -> str:
    if not think:
        return ""
    effort = f" at {think} effort" if isinstance(think, str) else ""
    return f"(simulated thinking{effort}) The user wrote {len(prompt)} characters."


def _prose(question: Question, prompt: str) -> str:
    last = question.messages[-1] if question.messages else {"role": "user", "content": ""}
    wanted = _WORDS_WANTED.search(prompt)
    if last["role"] == "tool":
        body = f"{MARK} The tool returned: {_shortened(str(last['content']))}"
    elif wanted:
        count = min(int(wanted[1]), _MOST_WORDS)
        return f"{MARK} {' '.join(islice(cycle(_FILLER), count))}"
    else:
        body = f"{MARK} You said: {_shortened(prompt)}"
        images = sum(int(message.get("images") or 0) for message in question.messages)
        if images:
            body += f"\nImages seen: {images}."
    return f"{body}\n{_closing(question.seed)}"


def _closing(seed: int) -> str:
    number = 0 if seed < 0 else zlib.crc32(str(seed).encode())
    return _CLOSINGS[number % len(_CLOSINGS)]


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_ECHO else f"{text[:_LONGEST_ECHO]}..."


def _structured(format_: Any, prompt: str) -> str:
    if format_ == "json":
        value: Any = {"simulated": True, "answer": f"You said: {_shortened(prompt)}"}
    elif is_object(format_) and not _JSON_TYPES & format_.keys():
        value = {"simulated": True}
    else:
        value = instance(format_)
    return json.dumps(value, ensure_ascii=False)


def _tool_call(question: Question, prompt: str) -> dict[str, Any] | None:
    """The call of the first tool whose name, or a telling word of it, is in the prompt."""
    if not question.messages or question.messages[-1]["role"] != "user":
        return None
    words = {word.lower() for word in _WORD.findall(prompt)}
    for tool in question.tools:
        function: Mapping[str, Any] = tool.get("function") or {}
        name = str(function.get("name", ""))
        spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
        parts = {part.lower() for part in _WORD.findall(spaced.replace("_", " "))}
        if name and (name in prompt or (parts - _PLAIN_VERBS) & words):
            arguments = _arguments(function.get("parameters") or {}, prompt)
            if arguments is None:
                continue
            function_call = {"index": 0, "name": name, "arguments": arguments}
            return {"id": _call_id(name, prompt), "function": function_call}
    return None


def _call_id(name: str, prompt: str) -> str:
    return f"call_{zlib.crc32(f'{name}{prompt}'.encode('utf-8', 'replace')):08x}"


def _arguments(parameters: Mapping[str, Any], prompt: str) -> dict[str, Any] | None:
    """Arguments that satisfy the parameters of a tool; None if there are none to be found."""
    texts = _telling_texts(prompt)
    try:
        value = instance({"type": "object", **parameters}, hint=lambda _name: next(texts, None))
    except UnsupportedSchemaError:
        return None
    return value if is_object(value) else None


def _telling_texts(prompt: str) -> Iterator[str]:
    """Parts of a prompt that look like values: what is quoted, then names after a preposition."""
    for found in (*_QUOTED.finditer(prompt), *_AFTER_PREPOSITION.finditer(prompt)):
        yield found[1]
