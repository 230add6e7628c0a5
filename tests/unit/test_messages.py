from __future__ import annotations

import base64
import math

import pytest
from ollama_api.models import Message, ToolCall, ToolCallFunction

from manager.errors import InvalidRequestError
from manager.messages import ROLES, build_messages

IMAGE = b"\x89PNG\r\n\x1a\n" + bytes(range(40))
ENCODED = base64.b64encode(IMAGE).decode()


def dicts(*args: object, **kwargs: object) -> list[dict[str, object]]:
    return [message.to_dict() for message in build_messages(*args, **kwargs)]  # type: ignore[arg-type]


def refused(prompt: object, **kwargs: object) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        build_messages(prompt, **kwargs)  # type: ignore[arg-type]
    return caught.value


def test_a_text_is_a_message_of_the_user() -> None:
    assert dicts("hello\x00") == [{"role": "user", "content": "hello\x00"}]


def test_dicts_and_records_may_be_mixed() -> None:
    record = Message(role="assistant", content="hi", thinking="hm")
    built = build_messages([{"role": "user", "content": "hello", "images": None}, record])
    assert [message.role for message in built] == ["user", "assistant"]
    assert built[1] is record


@pytest.mark.parametrize("role", ROLES)
def test_every_role_is_taken(role: str) -> None:
    assert dicts([{"role": role, "content": ""}]) == [{"role": role, "content": ""}]


def test_system_goes_in_front() -> None:
    assert dicts("hello", system="be brief") == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "hello"},
    ]


def test_two_system_messages_are_refused() -> None:
    error = refused([{"role": "system", "content": "a"}], system="b")
    assert error.argument == "system"
    assert "prompt[0]" in error.message


def test_images_belong_to_the_last_message_of_the_user() -> None:
    first = Message(role="user", content="first")
    last = Message(role="user", content="last", images=[ENCODED])
    answer = Message(role="assistant", content="yes")
    built = build_messages([first, last, answer], images=[IMAGE])
    assert [message.images for message in built] == [None, [ENCODED, ENCODED], None]
    assert last.images == [ENCODED]


def test_images_need_a_message_of_the_user() -> None:
    assert refused([{"role": "assistant", "content": "a"}], images=[IMAGE]).argument == "images"


def test_an_image_may_stand_alone() -> None:
    assert dicts("", images=IMAGE) == [{"role": "user", "content": "", "images": [ENCODED]}]
    assert dicts([{"role": "user", "images": [IMAGE]}])[0]["images"] == [ENCODED]


def test_images_in_messages_are_encoded() -> None:
    record = Message(role="user", content="x", images=[IMAGE])  # type: ignore[list-item]
    assert dicts([record])[0]["images"] == [ENCODED]
    assert record.images == [IMAGE]
    assert refused([{"role": "user", "content": "x", "images": ["cat.png"]}]).argument == (
        "prompt[0].images[0]"
    )


def test_tool_calls_and_results_are_taken() -> None:
    call = ToolCall(function=ToolCallFunction(name="now", arguments={"zone": "UTC"}))
    prompt = [
        {"role": "assistant", "tool_calls": [call, {"id": "1", "function": {"name": "now"}}]},
        {"role": "tool", "content": "12:00", "tool_name": "now", "tool_call_id": "1"},
    ]
    assert dicts(prompt) == [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"function": {"name": "now", "arguments": {"zone": "UTC"}}},
                {"id": "1", "function": {"name": "now", "arguments": {}}},
            ],
        },
        {"role": "tool", "content": "12:00", "tool_name": "now", "tool_call_id": "1"},
    ]


@pytest.mark.parametrize(
    ("call", "place"),
    [
        ("now", "prompt[0].tool_calls[0]"),
        ({"name": "now"}, "prompt[0].tool_calls[0]"),
        ({"function": {"arguments": {}}}, "prompt[0].tool_calls[0].function.name"),
        (
            {"function": {"name": "now", "arguments": '{"a": 1}'}},
            "prompt[0].tool_calls[0].function.arguments",
        ),
        (
            {"function": {"name": "now", "arguments": {"a": math.nan}}},
            "prompt[0].tool_calls[0].function.arguments.a",
        ),
    ],
)
def test_malformed_tool_calls_are_refused(call: object, place: str) -> None:
    error = refused([{"role": "assistant", "content": "", "tool_calls": [call]}])
    assert error.argument == place
    assert "prompt[0]" in error.message


def test_arguments_in_a_record_are_checked_too() -> None:
    call = ToolCall(function=ToolCallFunction(name="now", arguments={"a": math.inf}))
    error = refused([Message(role="assistant", content="", tool_calls=[call])])
    assert error.argument == "prompt[0].tool_calls[0].function.arguments.a"


@pytest.mark.parametrize(
    ("item", "place", "hint"),
    [
        ({"content": "x"}, "prompt[0].role", "user"),
        ({"role": "User", "content": "x"}, "prompt[0].role", '"user"'),
        ({"role": "asistant", "content": "x"}, "prompt[0].role", '"assistant"'),
        ({"role": "user"}, "prompt[0].content", "content"),
        ({"role": "user", "content": 3}, "prompt[0].content", ""),
        ({"role": "user", "content": [{"type": "text"}]}, "prompt[0].content", "images"),
        ({"role": "user", "contents": "x"}, "prompt[0].contents", '"content"'),
        ({"role": "tool", "content": "x", "name": "f"}, "prompt[0].name", '"tool_name"'),
        ({"role": "user", "content": "x", 3: 4}, "prompt[0]", "role"),
        ({"role": "user", "content": "\ud800"}, "prompt[0].content", ""),
        ({"role": "tool", "content": "x", "tool_name": 3}, "prompt[0].tool_name", ""),
        ("hello", "prompt[0]", "role"),
        (None, "prompt[0]", "role"),
    ],
)
def test_malformed_messages_are_refused(item: object, place: str, hint: str) -> None:
    error = refused([item])
    assert error.argument == place
    assert "prompt[0]" in error.message
    assert hint in str(error.hint)


@pytest.mark.parametrize(
    "record",
    [
        Message(role="nobody", content="x"),
        Message(role="user", content=None),  # type: ignore[arg-type]
        Message(role="user", content="x", thinking=3),  # type: ignore[arg-type]
    ],
)
def test_malformed_records_are_refused(record: Message) -> None:
    assert "prompt[0]" in refused([record]).message


@pytest.mark.parametrize(
    "prompt",
    [
        None,
        3,
        b"hello",
        "",
        [],
        (),
        {"role": "user", "content": "x"},
        {"a"},
        "\udfff",
        Message(role="user", content="x"),
    ],
)
def test_what_is_no_prompt_is_refused(prompt: object) -> None:
    error = refused(prompt, argument="messages")
    assert "messages" in error.message
    assert error.argument == "messages"


def test_system_must_be_text() -> None:
    assert refused("x", system=3).argument == "system"
