"""Chat, generate and embed: what the answers are made of."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, ClassVar

import jsonschema
import pytest

from .simulator_testing import USER, lines_of

if TYPE_CHECKING:
    import httpx

METRICS = {
    "total_duration", "load_duration", "prompt_eval_count", "prompt_eval_duration", "eval_count",
    "eval_duration",
}  # fmt: skip


def ask(client: httpx.Client, **fields: Any) -> dict[str, Any]:
    body = {"model": "plain", "messages": [USER], "stream": False, **fields}
    response = client.post("/api/chat", json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_a_stream_has_a_line_for_each_token_and_the_counts_in_the_last(
    client: httpx.Client,
) -> None:
    response = client.post("/api/chat", json={"model": "plain", "messages": [USER]})
    assert response.headers["content-type"] == "application/x-ndjson"
    *chunks, last = lines_of(response)
    assert all(set(chunk) == {"model", "created_at", "message", "done"} for chunk in chunks)
    assert set(last) == {"model", "created_at", "message", "done", "done_reason", *METRICS}
    assert last["done"] is True
    assert last["eval_count"] == len(chunks)
    assert all(isinstance(last[name], int) and last[name] > 0 for name in METRICS)
    text = "".join(chunk["message"]["content"] for chunk in chunks)
    assert text == ask(client)["message"]["content"]


def test_the_answer_says_that_it_is_simulated_and_is_always_the_same(
    client: httpx.Client,
) -> None:
    answer = ask(client)
    assert answer["message"]["content"].startswith("(simulated answer) You said: Hello there")
    assert ask(client)["message"] == answer["message"]


def test_the_seed_decides_on_the_words(client: httpx.Client) -> None:
    texts = {ask(client, options={"seed": seed})["message"]["content"] for seed in range(1, 9)}
    assert len(texts) > 1
    seeded = [ask(client, options={"seed": 5})["message"] for _ in range(2)]
    assert seeded[0] == seeded[1]


@pytest.mark.parametrize("stream", [False, True])
def test_num_predict_cuts_the_answer(client: httpx.Client, stream: bool) -> None:
    body = {"model": "plain", "messages": [USER], "stream": stream}
    response = client.post("/api/chat", json={**body, "options": {"num_predict": 3}})
    last = lines_of(response)[-1]
    assert (last["done_reason"], last["eval_count"]) == ("length", 3)


def test_stop_ends_the_answer_before_it(client: httpx.Client) -> None:
    answer = ask(client, options={"stop": ["zzz", " said"]})
    assert answer["message"]["content"] == "(simulated answer) You"
    assert answer["done_reason"] == "stop"


def test_a_given_number_of_words_is_written(client: httpx.Client) -> None:
    content = "Please write 50 words."
    answer = ask(client, messages=[{"role": "user", "content": content}])
    assert len(answer["message"]["content"].split()) == 52


def test_text_of_any_kind_comes_back_unharmed(client: httpx.Client) -> None:
    said = 'ünï\u0085\u2028code \U0001f600 "quoted" back\\slash\ttab'
    answer = ask(client, messages=[{"role": "user", "content": said}])
    assert said in answer["message"]["content"]


def test_half_a_character_is_replaced(client: httpx.Client) -> None:
    body = '{"model":"plain","stream":false,"messages":[{"role":"user","content":"a\\ud800b"}]}'
    answer = client.post("/api/chat", content=body).json()
    assert "a\ufffdb" in answer["message"]["content"]


class TestThinking:
    def test_a_thinking_model_thinks_unless_told_not_to(self, client: httpx.Client) -> None:
        assert ask(client, model="simulated")["message"]["thinking"]
        assert "thinking" not in ask(client, model="simulated", think=False)["message"]

    def test_thinking_is_streamed_before_the_answer(self, client: httpx.Client) -> None:
        body = {"model": "simulated", "messages": [USER], "think": "high"}
        messages = [line["message"] for line in lines_of(client.post("/api/chat", json=body))]
        kinds = ["thinking" in message for message in messages]
        assert kinds == sorted(kinds, reverse=True)
        assert kinds[0]
        assert "high" in "".join(message.get("thinking", "") for message in messages)

    def test_generate_thinks_too(self, client: httpx.Client) -> None:
        body = {"model": "simulated", "prompt": "hi", "stream": False}
        assert client.post("/api/generate", json=body).json()["thinking"]


class TestStructuredOutput:
    SCHEMA: ClassVar[dict[str, Any]] = {
        "$defs": {"Step": {"type": "object", "properties": {"text": {"type": "string"}},
                           "required": ["text"], "additionalProperties": False}},
        "type": "object",
        "properties": {
            "command": {"type": "string", "minLength": 3},
            "danger": {"enum": ["none", "low", "high"]},
            "steps": {"type": "array", "items": {"$ref": "#/$defs/Step"}, "minItems": 2},
            "score": {"type": "number", "minimum": 0.5, "exclusiveMaximum": 1},
            "note": {"anyOf": [{"type": "null"}, {"type": "string"}]},
        },
        "required": ["command", "danger", "steps", "score"],
        "additionalProperties": False,
    }  # fmt: skip

    @pytest.mark.parametrize("model", ["plain", "simulated"])
    def test_the_answer_satisfies_the_schema(self, client: httpx.Client, model: str) -> None:
        answer = ask(client, model=model, format=self.SCHEMA)
        jsonschema.validate(json.loads(answer["message"]["content"]), self.SCHEMA)

    def test_json_without_a_schema_is_an_object(self, client: httpx.Client) -> None:
        assert json.loads(ask(client, format="json")["message"]["content"])["simulated"] is True

    @pytest.mark.parametrize("nothing", ["", None])
    def test_no_format_is_prose(self, client: httpx.Client, nothing: str | None) -> None:
        assert ask(client, format=nothing)["message"]["content"].startswith("(simulated")

    def test_a_schema_that_nothing_satisfies_is_refused(self, client: httpx.Client) -> None:
        body = {"model": "plain", "messages": [USER], "format": {"type": "foo"}}
        response = client.post("/api/chat", json=body)
        assert response.status_code == 400
        assert "JSON schema conversion failed" in response.json()["error"]


class TestTools:
    WEATHER: ClassVar[dict[str, Any]] = {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string"},
                    "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                    "days": {"type": "integer", "minimum": 2},
                },
                "required": ["city"],
            },
        },
    }

    def call(self, client: httpx.Client, content: str, **fields: Any) -> dict[str, Any]:
        messages = [{"role": "user", "content": content}]
        message: dict[str, Any] = ask(client, messages=messages, tools=[self.WEATHER], **fields)[
            "message"
        ]
        return message

    def test_a_tool_that_the_prompt_is_about_is_called(self, client: httpx.Client) -> None:
        message = self.call(client, "What is the weather in New York?")
        assert message["content"] == ""
        (call,) = message["tool_calls"]
        assert call["id"].startswith("call_")
        assert call["function"]["name"] == "get_weather"
        assert call["function"]["arguments"]["city"] == "New York"
        parameters = self.WEATHER["function"]["parameters"]
        jsonschema.validate(call["function"]["arguments"], parameters)

    def test_other_prompts_get_text(self, client: httpx.Client) -> None:
        message = self.call(client, "Tell me a joke")
        assert "tool_calls" not in message
        assert message["content"]

    def test_the_result_of_a_tool_is_reported(self, client: httpx.Client) -> None:
        messages = [
            {"role": "user", "content": "What is the weather in Paris?"},
            {"role": "assistant", "content": "", "tool_calls": [
                {"function": {"name": "get_weather", "arguments": {"city": "Paris"}}}]},
            {"role": "tool", "tool_name": "get_weather", "content": "22 degrees"},
        ]  # fmt: skip
        message = ask(client, messages=messages, tools=[self.WEATHER])["message"]
        assert "22 degrees" in message["content"]

    def test_a_call_is_streamed_in_a_chunk_of_its_own(self, client: httpx.Client) -> None:
        messages = [{"role": "user", "content": "weather in Rome"}]
        body = {"model": "plain", "messages": messages, "tools": [self.WEATHER]}
        first, last = lines_of(client.post("/api/chat", json=body))
        assert first["message"]["tool_calls"]
        assert (last["done"], last["done_reason"]) == (True, "stop")


class TestLogprobs:
    def test_each_token_has_one(self, client: httpx.Client) -> None:
        answer = ask(client, logprobs=True, top_logprobs=2, options={"num_predict": 4})
        assert len(answer["logprobs"]) == 4
        joined = b"".join(bytes(entry["bytes"]) for entry in answer["logprobs"])
        assert joined.decode() == answer["message"]["content"]
        for entry in answer["logprobs"]:
            assert entry["logprob"] < 0
            assert len(entry["top_logprobs"]) == 2

    def test_they_are_absent_unless_asked_for(self, client: httpx.Client) -> None:
        assert "logprobs" not in ask(client)


class TestContext:
    def test_old_messages_are_dropped_and_the_count_shows_it(self, client: httpx.Client) -> None:
        messages = [{"role": "user", "content": "one two three four five six " * 20}, USER]
        full = ask(client, messages=messages)["prompt_eval_count"]
        cut = ask(client, messages=messages, options={"num_ctx": 64})["prompt_eval_count"]
        assert cut <= 64 < full

    def test_one_long_message_is_cut_to_the_context(self, client: httpx.Client) -> None:
        messages = [{"role": "user", "content": "word " * 500}]
        answer = ask(client, messages=messages, options={"num_ctx": 64})
        assert answer["prompt_eval_count"] == 64

    def test_without_truncation_it_is_an_error(self, client: httpx.Client) -> None:
        messages = [{"role": "user", "content": "word " * 500}]
        body = {"model": "plain", "messages": messages, "truncate": False}
        response = client.post("/api/chat", json={**body, "options": {"num_ctx": 64}})
        assert response.status_code == 400
        assert "exceeds the available context size (64 tokens)" in response.json()["error"]

    def test_without_a_shift_the_answer_ends_where_the_context_is_full(
        self, client: httpx.Client
    ) -> None:
        messages = [{"role": "user", "content": "write 500 words"}]
        answer = ask(client, messages=messages, shift=False, options={"num_ctx": 64})
        assert answer["done_reason"] == "length"
        assert answer["prompt_eval_count"] + answer["eval_count"] == 64


class TestGenerate:
    def test_it_streams_and_gives_the_context(self, client: httpx.Client) -> None:
        body = {"model": "plain", "prompt": "hi"}
        *chunks, last = lines_of(client.post("/api/generate", json=body))
        assert "".join(chunk["response"] for chunk in chunks).startswith("(simulated answer)")
        following = {**body, "context": last["context"], "stream": False}
        answer = client.post("/api/generate", json=following).json()
        assert answer["prompt_eval_count"] > last["prompt_eval_count"]
        assert answer["context"][: len(last["context"])] == last["context"]

    def test_raw_gives_no_context(self, client: httpx.Client) -> None:
        body = {"model": "plain", "prompt": "hi", "raw": True, "stream": False}
        assert "context" not in client.post("/api/generate", json=body).json()

    def test_the_rendered_prompt_can_be_seen(self, client: httpx.Client) -> None:
        body = {"model": "plain", "prompt": "hi", "system": "Be kind", "_debug_render_only": True}
        info = client.post("/api/generate", json=body).json()["_debug_info"]
        assert "Be kind" in info["rendered_template"]

    def test_images_are_counted_by_a_model_that_can_see(self, client: httpx.Client) -> None:
        body = {"model": "llava", "prompt": "What?", "images": ["aGVsbG8="], "stream": False}
        assert "Images seen: 1" in client.post("/api/generate", json=body).json()["response"]


class TestEmbed:
    def embed(self, client: httpx.Client, **fields: Any) -> dict[str, Any]:
        response = client.post("/api/embed", json={"model": "simulated-embed", **fields})
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def test_texts_become_vectors_of_length_one(self, client: httpx.Client) -> None:
        answer = self.embed(client, input=["a cat", "a dog", ""])
        assert set(answer) == {
            "model", "embeddings", "total_duration", "load_duration", "prompt_eval_count"
        }  # fmt: skip
        assert [len(vector) for vector in answer["embeddings"]] == [384] * 3
        for vector in answer["embeddings"]:
            assert math.hypot(*vector) == pytest.approx(1, abs=1e-6)

    def test_one_text_gives_one_vector_and_the_older_endpoint_the_same(
        self, client: httpx.Client
    ) -> None:
        (vector,) = self.embed(client, input="a cat")["embeddings"]
        body = {"model": "simulated-embed", "prompt": "a cat"}
        assert client.post("/api/embeddings", json=body).json() == {"embedding": vector}

    def test_dimensions_shorten_the_vector(self, client: httpx.Client) -> None:
        (vector,) = self.embed(client, input="a cat", dimensions=8)["embeddings"]
        assert len(vector) == 8
        assert math.hypot(*vector) == pytest.approx(1, abs=1e-6)

    def test_what_is_too_long_is_cut(self, client: httpx.Client) -> None:
        options = {"num_ctx": 4}
        cut = self.embed(client, input="one two three four five", options=options)
        whole = self.embed(client, input="one two three four", options=options)
        assert cut["embeddings"] == whole["embeddings"]
        assert cut["prompt_eval_count"] == 4

    @pytest.mark.parametrize("nothing", [None, "", []])
    def test_no_input_only_loads(self, client: httpx.Client, nothing: object) -> None:
        assert self.embed(client, input=nothing)["embeddings"] == []
