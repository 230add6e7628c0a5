"""Replies: to whom, in which order, and in which form."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from manager.testing import Busy, OllamaServer, Reply, ToolCall

if TYPE_CHECKING:
    from manager.testing import RecordedRequest

    from .conftest import Asker


def test_without_a_script_the_simulator_answers(ask: Asker) -> None:
    assert ask.text("Hello").startswith("(simulated answer) You said: Hello")


def test_a_reply_is_what_the_model_says_whole_and_streamed(
    server: OllamaServer, ask: Asker
) -> None:
    server.reply("It is sunny.")
    answer = ask.chat("How is the weather?").json()
    assert answer["message"] == {"role": "assistant", "content": "It is sunny."}
    assert (answer["done_reason"], answer["eval_count"]) == ("stop", 4)
    *chunks, last = ask.lines("How is the weather?")
    assert [chunk["message"]["content"] for chunk in chunks] == ["It", " is", " sunny", "."]
    assert last["done"] is True
    generated = ask.http.post(
        "/api/generate", json={"model": "llama3.2", "prompt": "x", "stream": False}
    )
    assert generated.json()["response"] == "It is sunny."


def test_the_prompt_decides(server: OllamaServer, ask: Asker) -> None:
    server.reply("It is sunny.", matching="weather")
    server.reply("It is late.", matching=re.compile("TIME", re.IGNORECASE))
    assert ask.text("How is the weather?") == "It is sunny."
    assert ask.text("What time is it?") == "It is late."
    assert "You said: Hello" in ask.text("Hello")


def test_the_model_decides_with_and_without_its_tag(server: OllamaServer, ask: Asker) -> None:
    server.reply("a llama", model="llama3.2")
    server.reply("a qwen", model="qwen3:latest")
    assert ask.text("Who?", "llama3.2:latest") == "a llama"
    assert ask.text("Who?", "qwen3") == "a qwen"


def test_the_rule_that_was_given_last_counts_until_it_is_used_up(
    server: OllamaServer, ask: Asker
) -> None:
    server.reply("always")
    server.reply("twice", times=2)
    assert [ask.text("?") for _ in range(4)] == ["twice", "twice", "always", "always"]


def test_several_contents_come_one_after_the_other(server: OllamaServer, ask: Asker) -> None:
    server.reply("first", "second")
    assert [ask.text("?") for _ in range(3)] == ["first", "second", "second"]


def test_a_function_makes_the_answer_or_leaves_it(server: OllamaServer, ask: Asker) -> None:
    def shout(request: RecordedRequest) -> str | None:
        return request.prompt.upper() if request.model == "llama3.2" else None

    server.reply("not for me")
    server.reply(shout, times=2)
    assert ask.text("hello", "qwen3") == "not for me"
    assert [ask.text("hello") for _ in range(3)] == ["HELLO", "HELLO", "not for me"]


def test_a_function_that_raises_is_a_500_and_kept(server: OllamaServer, ask: Asker) -> None:
    def broken(request: RecordedRequest) -> str:
        raise LookupError("no such thing")

    server.reply(broken)
    answer = ask.chat("?")
    assert answer.status_code == 500
    assert "LookupError('no such thing')" in answer.json()["error"]
    (error,) = server.errors
    assert isinstance(error, LookupError)
    server.reset()
    assert server.errors == []


def test_data_is_structured_output(server: OllamaServer, ask: Asker) -> None:
    server.reply({"city": "Łódź", "days": [1, 2]})
    assert json.loads(ask.text("?", format="json")) == {"city": "Łódź", "days": [1, 2]}


def test_tools_are_called(server: OllamaServer, ask: Asker) -> None:
    first, second = ToolCall("get_weather", {"city": "Rome"}), ToolCall("get_time", {})
    server.reply(first, Reply(content="Both:", tool_calls=[first, second]))
    (call,) = ask.chat("?").json()["message"]["tool_calls"]
    assert call["function"] == {"index": 0, "name": "get_weather", "arguments": {"city": "Rome"}}
    message = ask.chat("?").json()["message"]
    assert message["content"] == "Both:"
    names = [call["function"]["name"] for call in message["tool_calls"]]
    assert names == ["get_weather", "get_time"]
    assert len({call["id"] for call in message["tool_calls"]}) == 2
    *chunks, last = ask.lines("?")
    assert [bool(chunk["message"].get("tool_calls")) for chunk in chunks] == [0, 0, 1, 1]
    assert last["done"] is True


def test_thinking_is_said_to_those_who_ask_for_it(server: OllamaServer, ask: Asker) -> None:
    server.reply(Reply(content="42", thinking="Six times seven."))
    message = ask.chat("?", "qwen3", think=True).json()["message"]
    assert (message["thinking"], message["content"]) == ("Six times seven.", "42")
    assert "thinking" not in ask.chat("?", "qwen3", think=False).json()["message"]


def test_the_pieces_of_a_stream_may_be_given(server: OllamaServer, ask: Asker) -> None:
    server.reply(Reply(content=["<to", "ol>", ""], done_reason="length"))
    *chunks, last = ask.lines("?")
    assert [chunk["message"]["content"] for chunk in chunks] == ["<to", "ol>", ""]
    assert last["done_reason"] == "length"
    assert ask.text("?") == "<tool>"
    assert ask.text("?", options={"stop": ["ol"]}) == "<to"


def test_num_predict_cuts_a_reply_as_any_other(server: OllamaServer, ask: Asker) -> None:
    server.reply("one two three four")
    answer = ask.chat("?", options={"num_predict": 2}).json()
    assert (answer["message"]["content"], answer["done_reason"]) == ("one two", "length")


def test_loading_a_model_uses_up_no_reply(server: OllamaServer, ask: Asker) -> None:
    server.reply("once", times=1)
    loaded = ask.http.post("/api/chat", json={"model": "llama3.2", "stream": False}).json()
    assert loaded["done_reason"] == "load"
    assert ask.text("?") == "once"


def test_a_request_that_fails_uses_up_no_reply(server: OllamaServer, ask: Asker) -> None:
    server.reply("once", times=1)
    server.fail_next(Busy())
    assert ask.chat("?").status_code == 503
    assert ask.text("?") == "once"


def test_a_model_that_is_not_there_says_nothing(server: OllamaServer, ask: Asker) -> None:
    server.reply("I am here")
    answer = ask.chat("?", "mistral")
    assert answer.status_code == 404
    assert answer.json() == {"error": "model 'mistral' not found"}


def test_reset_forgets_the_replies(server: OllamaServer, ask: Asker) -> None:
    server.reply("gone soon")
    server.reset()
    assert "You said" in ask.text("Hello")


async def slow(request: RecordedRequest) -> str:
    return "never"


@pytest.mark.parametrize(
    ("contents", "fields", "error", "says"),
    [
        ((), {}, ValueError, "at least one answer"),
        (("x",), {"times": 0}, ValueError, "times must be 1 or more"),
        ((3,), {}, TypeError, "not int"),
        ((slow,), {}, TypeError, "cannot be async"),
        (({"at": object()},), {}, TypeError, "object"),
        (("x",), {"matching": "("}, re.error, "subpattern"),
    ],
)
def test_what_cannot_be_said_is_refused_at_once(
    contents: tuple[Any, ...], fields: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        OllamaServer().reply(*contents, **fields)
