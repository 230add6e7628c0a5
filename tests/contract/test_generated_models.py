"""What the generated models make of the JSON that servers send, and of what they have to send."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ollama_api import models
from ollama_api.models import (
    ChatRequest,
    ChatResponse,
    CreateRequest,
    EmbedRequest,
    ErrorResponse,
    ListResponse,
    Message,
    ModelDetails,
    ProcessResponse,
    ShowResponse,
    Tensor,
    Tool,
    ToolCall,
)
from ollama_api.models.options import OPTION_FIELDS, OptionsDict
from ollama_api.types import SpecError, parse_timestamp

CHUNK: dict[str, Any] = {
    "model": "tiny",
    "created_at": "2026-08-01T12:34:56.123456789Z",
    "message": {"role": "assistant", "content": "Hi"},
    "done": False,
}
MODEL: dict[str, Any] = {
    "name": "tiny:latest",
    "model": "tiny:latest",
    "modified_at": "2026-08-01T12:34:56Z",
    "size": 1,
    "digest": "0",
    "details": {
        "parent_model": "",
        "format": "gguf",
        "family": "llama",
        "families": ["llama"],
        "parameter_size": "1",
        "quantization_level": "F16",
    },
}


def record_classes() -> list[type[Any]]:
    values = [getattr(models, name) for name in models.__all__]
    return [value for value in values if hasattr(value, "from_dict")]


def test_a_chunk_is_decoded() -> None:
    chunk = ChatResponse.from_dict(CHUNK)
    assert (chunk.model, chunk.message.content, chunk.done) == ("tiny", "Hi", False)
    assert chunk.created_at == datetime(2026, 8, 1, 12, 34, 56, 123456, UTC)
    assert chunk.done_reason is None
    assert chunk.message.tool_calls is None
    assert chunk.additional_properties == {}


def test_decoding_and_constructing_make_the_same() -> None:
    created_at = parse_timestamp(CHUNK["created_at"])
    message = Message(role="assistant", content="Hi")
    assert ChatResponse.from_dict(CHUNK) == ChatResponse(
        model="tiny", created_at=created_at, message=message, done=False
    )


def test_decoding_leaves_its_input_alone() -> None:
    data = {**CHUNK, "new": 1}
    before = repr(data)
    ChatResponse.from_dict(data)
    assert repr(data) == before


# ---------------------------------------------------------------------------- what is absent


def test_none_is_not_sent() -> None:
    request = ChatRequest(model="m", messages=[Message(role="user", content="")], stream=None)
    assert request.to_dict() == {"model": "m", "messages": [{"role": "user", "content": ""}]}


def test_false_zero_and_empty_are_sent() -> None:
    request = ChatRequest(model="m", messages=[], stream=False, keep_alive=0, format={}, options={})
    assert request.to_dict() == {
        "model": "m",
        "messages": [],
        "stream": False,
        "format": {},
        "keep_alive": 0,
        "options": {},
    }


def test_absent_is_none_in_every_model() -> None:
    for cls in record_classes():
        for field in attrs.fields(cls):
            if field.name != "additional_properties":
                assert field.default in (None, attrs.NOTHING), (cls, field.name)
                assert "Unset" not in str(field.type), (cls, field.name)


def test_a_missing_required_field_is_named() -> None:
    with pytest.raises(SpecError, match="message: expected an object, got nothing"):
        ChatResponse.from_dict({k: v for k, v in CHUNK.items() if k != "message"})


# ------------------------------------------------------------------ what servers really send


def test_null_in_place_of_a_required_list_is_empty() -> None:
    assert ListResponse.from_dict({"models": None}).models == []
    assert ProcessResponse.from_dict({"models": None}).models == []
    assert Tensor.from_dict({"name": "t", "type": "F16", "shape": None}).shape == []


def test_null_in_place_of_a_required_map_is_empty() -> None:
    shown = {"details": MODEL["details"], "model_info": None, "modified_at": MODEL["modified_at"]}
    assert ShowResponse.from_dict(shown).model_info == {}


def test_null_in_place_of_an_optional_list_is_none() -> None:
    message = Message.from_dict({"role": "a", "content": "", "images": None, "tool_calls": None})
    assert (message.images, message.tool_calls) == (None, None)
    assert ChatResponse.from_dict({**CHUNK, "logprobs": None}).logprobs is None


def test_null_families_in_a_list_of_models() -> None:
    entry = {**MODEL, "details": {**MODEL["details"], "families": None}}
    details = ListResponse.from_dict({"models": [entry]}).models[0].details
    assert isinstance(details, ModelDetails)
    assert not details.families


def test_null_in_place_of_an_optional_object_is_none() -> None:
    assert ChatResponse.from_dict({**CHUNK, "_debug_info": None}).debug_info is None


def test_unknown_fields_are_kept_both_ways() -> None:
    data = {**CHUNK, "new": [1], "message": {**CHUNK["message"], "mood": {"good": None}}}
    chunk = ChatResponse.from_dict(data)
    assert chunk.additional_properties == {"new": [1]}
    assert chunk.message.additional_properties == {"mood": {"good": None}}
    assert chunk.to_dict()["new"] == [1]
    assert chunk.to_dict()["message"]["mood"] == {"good": None}


def test_a_field_wins_over_an_unknown_field_of_its_name() -> None:
    request = ChatRequest(model="m", additional_properties={"model": "x", "new": 1})
    assert request.to_dict() == {"model": "m", "new": 1}


def test_unknown_words_are_accepted() -> None:
    data = {**CHUNK, "done_reason": "tired", "message": {"role": "narrator", "content": ""}}
    chunk = ChatResponse.from_dict(data)
    assert (chunk.done_reason, chunk.message.role) == ("tired", "narrator")
    assert ChatRequest.from_dict({"model": "m", "think": "a lot", "format": "xml"}).to_dict() == {
        "model": "m",
        "think": "a lot",
        "format": "xml",
    }


def test_an_error_may_have_a_place_to_sign_in() -> None:
    error = ErrorResponse.from_dict({"error": "unauthorized", "signin_url": "https://x"})
    assert (error.error, error.signin_url) == ("unauthorized", "https://x")


# ------------------------------------------------------------------------- free-form objects


def test_free_form_objects_are_plain_dicts() -> None:
    arguments = {"city": "Rome", "days": [1, None]}
    call = ToolCall.from_dict({"function": {"name": "weather", "arguments": arguments}})
    assert type(call.function.arguments) is dict
    assert call.function.arguments == arguments
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "additionalProperties": False,
    }
    tool = {"type": "function", "function": {"name": "weather", "parameters": schema}}
    assert Tool.from_dict(tool).function.parameters == schema
    assert Tool.from_dict(tool).to_dict() == tool
    assert ChatRequest(model="m", format=schema).to_dict()["format"] == schema


def test_maps_are_plain_dicts() -> None:
    info = {"general.architecture": "llama", "tokenizer.ggml.tokens": None}
    shown = {"details": MODEL["details"], "model_info": info, "modified_at": MODEL["modified_at"]}
    assert ShowResponse.from_dict(shown).model_info == info
    files = {"a.gguf": "sha256:0"}
    assert CreateRequest(model="m", files=files).to_dict() == {"model": "m", "files": files}


def test_options_travel_as_a_plain_dict() -> None:
    options = {"temperature": 0.5, "brand_new": True}
    assert ChatRequest.from_dict({"model": "m", "options": options}).options == options


def test_no_model_is_a_wrapper_around_a_dict() -> None:
    for cls in record_classes():
        assert [f.name for f in attrs.fields(cls)] != ["additional_properties"], cls


def test_fields_keep_the_names_of_the_spec() -> None:
    assert CreateRequest(model="m", from_="x", license="MIT").to_dict() == {
        "model": "m",
        "from": "x",
        "license": "MIT",
    }
    request = ChatRequest(model="m", debug_render_only=True)
    assert request.to_dict() == {"model": "m", "_debug_render_only": True}


def test_fields_are_sent_in_the_order_of_the_spec() -> None:
    request = EmbedRequest(truncate=True, input=["a"], model="m")
    assert list(request.to_dict()) == ["model", "input", "truncate"]


# -------------------------------------------------------------------------------- timestamps


@given(
    st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)),  # noqa: DTZ001
    st.text("0123456789", min_size=1, max_size=9),
    st.one_of(st.just("Z"), st.integers(-14 * 60, 14 * 60)),
)
def test_any_rfc_3339_timestamp_is_read(moment: datetime, digits: str, zone: str | int) -> None:
    if isinstance(zone, int):
        sign = "-" if zone < 0 else "+"
        offset, suffix = timedelta(minutes=zone), f"{sign}{abs(zone) // 60:02}:{abs(zone) % 60:02}"
    else:
        offset, suffix = timedelta(), zone
    text = f"{moment.replace(microsecond=0).isoformat()}.{digits}{suffix}"
    expected = moment.replace(microsecond=int(digits[:6].ljust(6, "0")), tzinfo=timezone(offset))
    parsed = parse_timestamp(text)
    assert parsed == expected
    assert parsed.utcoffset() == offset
    assert parse_timestamp(parsed.isoformat()) == parsed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-08-01T24:00:00Z", datetime(2026, 8, 2, tzinfo=UTC)),  # fromisoformat: 3.14 only
        ("2026-08-01t12:00:00z", datetime(2026, 8, 1, 12, tzinfo=UTC)),
        ("Sat, 01 Aug 2026 12:00:00 GMT", datetime(2026, 8, 1, 12, tzinfo=UTC)),
        ("August 1, 2026 12:00:00 +00:00", datetime(2026, 8, 1, 12, tzinfo=UTC)),
    ],
)
def test_unusual_timestamps_are_read(text: str, expected: datetime) -> None:
    assert parse_timestamp(text) == expected


@pytest.mark.parametrize("text", ["", "soon", "Monday", "12:30", "2026-13-01T00:00:00Z", None, 5])
def test_what_is_no_timestamp_raises(text: Any) -> None:
    with pytest.raises(ValueError, match="timestamp"):
        parse_timestamp(text)


# ----------------------------------------------------------------------------------- options


def test_option_fields_come_from_the_spec() -> None:
    assert OPTION_FIELDS["temperature"].type == "number"
    assert OPTION_FIELDS["temperature"].minimum == 0
    assert OPTION_FIELDS["stop"].type == "array of string"
    assert repr(OPTION_FIELDS["num_ctx"].minimum) == "1"
    assert set(OPTION_FIELDS) == set(OptionsDict.__annotations__)
    assert all(field.name == name and field.description for name, field in OPTION_FIELDS.items())


# ------------------------------------------------------------------------ classes themselves


def test_models_are_slotted_and_documented() -> None:
    for cls in record_classes():
        assert "__dict__" not in dir(cls), cls
        assert cls.__doc__, cls


def test_models_can_be_pickled() -> None:
    chunk = ChatResponse.from_dict({**CHUNK, "new": 1})
    assert pickle.loads(pickle.dumps(chunk)) == chunk
