"""Answers that break the spec: each wrong value is named, whatever and wherever it is."""

from __future__ import annotations

import contextlib
import copy
import json
import pickle
from datetime import datetime
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ollama_api import models
from ollama_api.models import ChatResponse, EmbedResponse, GenerateResponse, ListResponse
from ollama_api.types import SpecError, parse_timestamp

from .test_spec import EXAMPLES, OPERATIONS, SCHEMAS, errors, operation_of, read, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

Place = tuple[str | int, ...]

OTHERS: list[Any] = [None, True, False, 5, 2.5, 3.0, 10**30, "text", "", [], [5], {}, {"a": 1}]


def schema_of(example: dict[str, Any], operation_id: str) -> str | None:
    """The name of the schema of an answer, if it is JSON."""
    status = str(example["response"]["status"])
    responses = OPERATIONS[operation_id][2]["responses"]
    content = resolve(responses.get(status, responses["default"])).get("content", {})
    kinds = [kind["schema"].get("$ref", "") for kind in content.values() if "schema" in kind]
    return kinds[0].rpartition("/")[2] or None if kinds else None


def payloads() -> Iterator[tuple[str, Any]]:
    """Each answer that an example holds, with the name of its schema."""
    for path in EXAMPLES:
        example = read(path)
        schema = schema_of(example, operation_of(path))
        if schema is None:
            continue
        response = example["response"]
        for body in response.get("lines") or [response.get("body")]:
            if isinstance(body, dict):
                is_error = schema != "ErrorResponse" and body.keys() == {"error"}
                yield "ErrorResponse" if is_error else schema, body


PAYLOADS = list({json.dumps(payload): payload for payload in payloads()}.values())


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Where there is something to replace."""
    yield at
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*at, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*at, index))


def found_at(value: Any, place: Place) -> Any:
    for key in place:
        value = value[key]
    return value


def replaced(value: Any, place: Place, new: Any) -> Any:
    if not place:
        return new
    whole = copy.deepcopy(value)
    found_at(whole, place[:-1])[place[-1]] = new
    return whole


def written(place: Place) -> str:
    """A place as an error names it."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in place)
    return text.removeprefix(".")


def kind(value: Any) -> str:
    """The kind that JSON Schema takes a value for."""
    if isinstance(value, bool) or value is None:
        return str(value is None)
    return "number" if isinstance(value, int | float) else type(value).__name__


def fits(value: Any, hint: Any) -> bool:
    """Whether a decoded value is what its annotation says, all the way down."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Union, UnionType):
        return any(fits(value, arg) for arg in args)
    if origin is list:
        return type(value) is list and all(fits(item, args[0]) for item in value)
    if origin is dict:
        return type(value) is dict and all(fits(item, args[1]) for item in value.values())
    if hint is float:
        return type(value) in (int, float)
    if attrs.has(hint):
        hints = get_type_hints(hint)
        return type(value) is hint and all(
            fits(getattr(value, field.name), hints[field.name]) for field in attrs.fields(hint)
        )
    return type(value) is hint


def decoded(schema: str, value: Any) -> Any:
    """What decoding ends with: an answer, or the error as it should be."""
    try:
        return getattr(models, schema).from_dict(value)
    except SpecError as error:
        return error


@pytest.mark.parametrize(("schema", "payload"), PAYLOADS, ids=lambda value: str(value)[:40])
def test_what_servers_send_is_of_the_right_types(schema: str, payload: Any) -> None:
    cls = getattr(models, schema)
    assert fits(cls.from_dict(payload), cls)


@settings(max_examples=5 * settings.default.max_examples, deadline=None)
@given(st.data())
def test_one_wrong_value_anywhere(data: st.DataObject) -> None:
    schema, payload = data.draw(st.sampled_from(PAYLOADS))
    place = data.draw(st.sampled_from(list(places(payload))))
    old = found_at(payload, place)
    new = data.draw(st.sampled_from([other for other in OTHERS if kind(other) != kind(old)]))
    changed = replaced(payload, place, new)
    answer = decoded(schema, changed)
    wrong = errors({"$ref": f"#/components/schemas/{schema}"}, changed)
    if isinstance(answer, SpecError):
        assert answer.path == written(place)
        assert str(answer).startswith(f"{answer.path}: expected " if place else "expected ")
        assert wrong
    else:
        assert fits(answer, getattr(models, schema))
        # null is taken for an absent or an empty value, wherever it may be
        assert new is None or not wrong


@settings(max_examples=2 * settings.default.max_examples, deadline=None)
@given(st.data())
def test_one_value_missing_anywhere(data: st.DataObject) -> None:
    schema, payload = data.draw(st.sampled_from(PAYLOADS))
    fields = [place for place in places(payload) if place and isinstance(place[-1], str)]
    place = data.draw(st.sampled_from(fields))
    changed = copy.deepcopy(payload)
    del found_at(changed, place[:-1])[place[-1]]
    wrong = errors({"$ref": f"#/components/schemas/{schema}"}, changed)
    answer = decoded(schema, changed)
    if wrong:
        assert isinstance(answer, SpecError)
        assert answer.path == written(place)
        assert answer.found == "nothing"
    else:
        assert fits(answer, getattr(models, schema))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@given(st.sampled_from(sorted({schema for schema, _ in PAYLOADS})), st.data())
def test_any_json_decodes_or_breaks_the_spec(schema: str, data: st.DataObject) -> None:
    names = st.sampled_from(sorted(SCHEMAS[schema]["properties"]))
    value = data.draw(st.dictionaries(names, json_values) | json_values)
    answer = decoded(schema, value)
    assert isinstance(answer, SpecError) or fits(answer, getattr(models, schema))


CHUNK: dict[str, Any] = {
    "model": "m",
    "created_at": "2026-08-01T12:34:56.123456789Z",
    "message": {"role": "assistant", "content": "Hi"},
    "done": False,
}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("message", {"role": "a", "content": 5}, "message.content: expected a string, got 5"),
        ("message", [], "message: expected an object, got a list"),
        ("message", {"role": "a"}, "message.content: expected a string, got nothing"),
        ("done", "no", 'done: expected true or false, got "no"'),
        ("done", 1, "done: expected true or false, got 1"),
        ("eval_count", "x", 'eval_count: expected an integer, got "x"'),
        ("eval_count", True, "eval_count: expected an integer, got true"),
        ("eval_count", 2.5, "eval_count: expected an integer, got 2.5"),
        ("model", ["m"], "model: expected a string, got a list"),
        ("done_reason", {}, "done_reason: expected a string, got an object"),
        ("logprobs", {}, "logprobs: expected a list, got an object"),
        (
            "logprobs",
            [{"token": "a", "logprob": -1, "top_logprobs": [{"token": "b", "logprob": "c"}]}],
            'logprobs[0].top_logprobs[0].logprob: expected a number, got "c"',
        ),
        ("created_at", "x" * 50, f'created_at: expected a timestamp, got "{"x" * 37}..."'),
    ],
)
def test_the_place_is_named(field: str, value: Any, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        ChatResponse.from_dict({**CHUNK, field: value})
    assert str(caught.value) == message
    assert str(pickle.loads(pickle.dumps(caught.value))) == message
    assert str(copy.copy(caught.value)) == message


def test_a_tool_call_that_is_none() -> None:
    message = {"role": "a", "content": "", "tool_calls": [{"function": {"name": "f"}}, 5]}
    with pytest.raises(SpecError, match=r"message.tool_calls\[0\].function.arguments: .*nothing"):
        ChatResponse.from_dict({**CHUNK, "message": message})
    message["tool_calls"] = [5]
    with pytest.raises(SpecError, match=r"message.tool_calls\[0\]: expected an object, got 5"):
        ChatResponse.from_dict({**CHUNK, "message": message})


def test_numbers() -> None:
    answer = ChatResponse.from_dict({**CHUNK, "eval_count": 3.0})
    assert repr(answer.eval_count) == "3", "an integer to JSON Schema"
    vectors = EmbedResponse.from_dict({"model": "m", "embeddings": [[1, 0.5], []]}).embeddings
    assert vectors == [[1, 0.5], []]
    with pytest.raises(SpecError, match=r"embeddings\[0\]\[1\]: expected a number, got true"):
        EmbedResponse.from_dict({"model": "m", "embeddings": [[1, True]]})
    with pytest.raises(SpecError, match=r"context\[1\]: expected an integer, got 0.5"):
        GenerateResponse.from_dict(
            {**CHUNK, "response": "", "message": None, "context": [1, 0.5]},
        )
    with pytest.raises(SpecError, match="got a huge number"):
        ListResponse.from_dict({"models": 10**5000})


@settings(max_examples=5 * settings.default.max_examples, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["Jan", "T", "Z", " ", ":", "-", "+", ".", "12", "2026", "24:00:00", "9999-12-31",
             "9" * 40, "am", "UTC", "xyz", "nan", "Infinity", "\u0663", "\u00b2", "\0", "w01", "("]
        ),
        max_size=8,
    ).map("".join)
    | st.text()
)  # fmt: skip
def test_any_text_is_a_timestamp_or_none(text: str) -> None:
    with contextlib.suppress(SpecError):
        assert type(parse_timestamp(text)) is datetime


def test_the_zone_of_a_timestamp_is_not_guessed() -> None:
    with pytest.raises(SpecError, match="timestamp"):
        parse_timestamp("Sat, 01 Aug 2026 12:00:00 XYZ")
