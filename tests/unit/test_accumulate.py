from __future__ import annotations

from typing import Any

from ollama_api.models import ChatResponse, GenerateResponse

from manager.accumulate import ChatAccumulator, GenerateAccumulator

WHEN = "2026-01-01T00:00:00Z"


def chat_chunk(message: dict[str, Any], **fields: Any) -> ChatResponse:
    body: dict[str, Any] = {"model": "m", "created_at": WHEN, "done": False}
    return ChatResponse.from_dict(
        {**body, "message": {"role": "assistant", "content": "", **message}, **fields}
    )


def generate_chunk(response: str, **fields: Any) -> GenerateResponse:
    body = {"model": "m", "created_at": WHEN, "done": False, "response": response}
    return GenerateResponse.from_dict({**body, **fields})


def call(name: str) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": {"city": "Oslo", "days": 2}}}


def logprob(token: str) -> dict[str, Any]:
    return {"token": token, "logprob": -0.5, "bytes": [65], "top_logprobs": []}


def gathered(*chunks: ChatResponse) -> ChatResponse:
    accumulator = ChatAccumulator()
    for chunk in chunks:
        accumulator.add(chunk)
    result = accumulator.result()
    assert result is not None
    return result


def test_nothing_yet() -> None:
    assert ChatAccumulator().result() is None
    assert GenerateAccumulator().result() is None


def test_text_thinking_and_the_last_line() -> None:
    result = gathered(
        chat_chunk({"thinking": "Let me "}),
        chat_chunk({"thinking": "see."}),
        chat_chunk({"content": "It "}),
        chat_chunk({"content": "is."}),
        chat_chunk({}, done=True, done_reason="stop", eval_count=4, total_duration=9),
    )
    assert result.message.content == "It is."
    assert result.message.thinking == "Let me see."
    assert result.message.role == "assistant"
    assert result.message.tool_calls is None
    assert result.logprobs is None
    assert (result.done, result.done_reason, result.eval_count) == (True, "stop", 4)


def test_tool_calls_and_logprobs_in_order() -> None:
    result = gathered(
        chat_chunk({"tool_calls": [call("one")]}, logprobs=[logprob("A")]),
        chat_chunk(
            {"tool_calls": [call("two"), call("three")]}, logprobs=[logprob("B"), logprob("C")]
        ),
        chat_chunk({}, done=True),
    )
    calls = result.message.tool_calls or []
    assert [entry.function.name for entry in calls] == ["one", "two", "three"]
    assert calls[0].function.arguments == {"city": "Oslo", "days": 2}
    assert [entry.token for entry in result.logprobs or []] == ["A", "B", "C"]


def test_unknown_fields_of_any_chunk_are_kept() -> None:
    result = gathered(
        chat_chunk({"mood": "good"}, served_by="a"),
        chat_chunk({"mood": "better", "accent": "soft"}),
        chat_chunk({}, done=True, carbon=1),
    )
    assert result.additional_properties == {"served_by": "a", "carbon": 1}
    assert result.message.additional_properties == {"mood": "better", "accent": "soft"}
    assert result.to_dict()["served_by"] == "a"


def test_the_result_is_a_snapshot() -> None:
    accumulator = ChatAccumulator()
    first = chat_chunk({"content": "a", "tool_calls": [call("one")]}, x=1)
    accumulator.add(first)
    early = accumulator.result()
    accumulator.add(chat_chunk({"content": "b", "tool_calls": [call("two")]}, x=2))
    late = accumulator.result()
    assert early is not None
    assert late is not None
    assert (early.message.content, late.message.content) == ("a", "ab")
    assert len(early.message.tool_calls or []) == 1
    assert early.additional_properties == {"x": 1}
    assert first.message.content == "a", "chunks are not changed"
    assert len(first.message.tool_calls or []) == 1


def test_text_and_end_of_a_chunk() -> None:
    chunk = chat_chunk({"content": "hi"})
    assert ChatAccumulator.text_of(chunk) == "hi"
    assert ChatAccumulator.text_of(chat_chunk({"thinking": "hm"})) == ""
    assert not ChatAccumulator.is_last(chunk)
    assert ChatAccumulator.is_last(chat_chunk({}, done=True))


def test_generate() -> None:
    accumulator = GenerateAccumulator()
    chunks = [
        generate_chunk("", thinking="so "),
        generate_chunk("one ", logprobs=[logprob("A")], odd=True),
        generate_chunk("two", logprobs=[logprob("B")]),
        generate_chunk("", done=True, done_reason="length", context=[1, 2], eval_count=2),
    ]
    for chunk in chunks:
        accumulator.add(chunk)
    result = accumulator.result()
    assert result is not None
    assert result.response == "one two"
    assert result.thinking == "so "
    assert [entry.token for entry in result.logprobs or []] == ["A", "B"]
    assert result.context == [1, 2]
    assert result.done_reason == "length"
    assert result.additional_properties == {"odd": True}
    assert [GenerateAccumulator.text_of(chunk) for chunk in chunks] == ["", "one ", "two", ""]
    assert [GenerateAccumulator.is_last(chunk) for chunk in chunks] == [False, False, False, True]
