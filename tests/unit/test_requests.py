from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from ollama_api.models import ChatRequest

from manager.errors import InvalidRequestError
from manager.requests import (
    build_chat_request,
    build_embed_request,
    build_embedding_load_request,
    build_generate_request,
    build_load_request,
    build_unload_request,
)

IMAGE = bytes(range(40))
ENCODED = base64.b64encode(IMAGE).decode()


@dataclass
class Answer:
    text: str


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def chat(prompt: Any = "hi", *, stream: Any = False, **arguments: Any) -> dict[str, Any]:
    name = arguments.pop("model_name", "tiny")
    return build_chat_request(name, prompt, stream=stream, **arguments).to_dict()


def generate(prompt: Any = "hi", *, stream: Any = False, **arguments: Any) -> dict[str, Any]:
    return build_generate_request("tiny", prompt, stream=stream, **arguments).to_dict()


def embed(text: Any = "hi", **arguments: Any) -> dict[str, Any]:
    return build_embed_request("tiny", text, **arguments).to_dict()


def test_a_plain_chat_sends_no_more_than_it_needs() -> None:
    assert chat() == {
        "model": "tiny",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": False,
    }
    assert chat(stream=True)["stream"] is True


def test_a_chat_with_everything() -> None:
    body = chat(
        [{"role": "user", "content": "hi"}],
        stream=True,
        system="be brief",
        images=[IMAGE],
        tools=[add],
        format=Answer,
        think="low",
        keep_alive=timedelta(minutes=1),
        logprobs=5,
        truncate=False,
        shift=True,
        options={"num_ctx": 8192},
        extra_options={"brand_new": 1},
        extra_body={"future": {"a": 1}, "_debug_render_only": True},
        option_kwargs={"temperature": 0.2},
    )
    tools = body.pop("tools")
    assert tools[0]["function"]["name"] == "add"
    assert body == {
        "model": "tiny",
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "hi", "images": [ENCODED]},
        ],
        "stream": True,
        "format": {
            "type": "object",
            "properties": {"text": {"type": "string"}},
            "required": ["text"],
        },
        "think": "low",
        "keep_alive": 60.0,
        "logprobs": True,
        "top_logprobs": 5,
        "truncate": False,
        "shift": True,
        "options": {"num_ctx": 8192, "temperature": 0.2, "brand_new": 1},
        "future": {"a": 1},
        "_debug_render_only": True,
    }


def test_extra_body_reaches_fields_that_have_no_argument() -> None:
    request = build_chat_request(
        "tiny", "hi", stream=False, extra_body={"_debug_render_only": True}
    )
    assert request.debug_render_only is True
    assert request.additional_properties == {}


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ({"model_name": "bad name"}, "model_name"),
        ({"model_name": ""}, "model_name"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": [{"role": "user", "content": 3}]}, "prompt[0].content"),
        ({"stream": 1}, "stream"),
        ({"system": 3}, "system"),
        ({"images": ["cat.png"]}, "images[0]"),
        ({"tools": [3]}, "tools[0]"),
        ({"format": "yaml"}, "format"),
        ({"think": "hard"}, "think"),
        ({"keep_alive": "5 minutes"}, "keep_alive"),
        ({"logprobs": 21}, "logprobs"),
        ({"logprobs": -1}, "logprobs"),
        ({"logprobs": 1.0}, "logprobs"),
        ({"truncate": "yes"}, "truncate"),
        ({"shift": 0}, "shift"),
        ({"options": {"num_ctxt": 1}}, "options.num_ctxt"),
        ({"extra_options": {"seed": 1}}, "extra_options.seed"),
        ({"extra_body": {"messages": []}}, "extra_body.messages"),
        ({"extra_body": {"top_logprobs": 1}}, "extra_body.top_logprobs"),
        ({"extra_body": {"x": float("nan")}}, "extra_body.x"),
        ({"extra_body": [1]}, "extra_body"),
        ({"extra_body": {1: 1}}, "extra_body"),
        ({"option_kwargs": {"temperature": "hot"}}, "temperature"),
    ],
)
def test_a_bad_argument_of_chat_is_named(arguments: dict[str, Any], argument: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        chat(**arguments)
    assert caught.value.argument == argument
    assert argument.split(".")[0].split("[")[0] in caught.value.message


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("temprature", "temperature"),
        ("streem", "stream"),
        ("sytem", "system"),
        ("image", "images"),
        ("extrabody", "extra_body"),
        ("time_out", "timeout"),
        ("formt", "format"),
        ("tool", "tools"),
    ],
)
def test_a_misspelt_argument_of_chat_is_suggested(name: str, right: str) -> None:
    with pytest.raises(InvalidRequestError, match=name) as caught:
        chat(option_kwargs={name: 1})
    assert f'"{right}"' in str(caught.value.hint)


def test_extra_body_names_the_argument_to_use_instead() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        chat(extra_body={"messages": []})
    assert "prompt=" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("value", "sent"), [(True, (True, None)), (0, (True, 0)), (20, (True, 20))]
)
def test_logprobs(value: object, sent: tuple[object, object]) -> None:
    body = chat(logprobs=value)
    assert (body["logprobs"], body.get("top_logprobs")) == sent


def test_generate() -> None:
    body = generate(
        "def f(",
        stream=True,
        suffix="return 1",
        system="be brief",
        template="{{ .Prompt }}",
        context=[1, 2],
        images=[IMAGE],
        format="json",
        option_kwargs={"seed": 1},
    )
    assert body == {
        "model": "tiny",
        "prompt": "def f(",
        "stream": True,
        "suffix": "return 1",
        "system": "be brief",
        "template": "{{ .Prompt }}",
        "context": [1, 2],
        "images": [ENCODED],
        "format": "json",
        "options": {"seed": 1},
    }
    assert generate(raw=True) == {"model": "tiny", "prompt": "hi", "stream": False, "raw": True}


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": [{"role": "user", "content": "x"}]}, "prompt"),
        ({"prompt": "\ud800"}, "prompt"),
        ({"suffix": 3}, "suffix"),
        ({"template": b"x"}, "template"),
        ({"raw": 1}, "raw"),
        ({"raw": True, "system": "x"}, "raw"),
        ({"raw": True, "template": "x"}, "raw"),
        ({"raw": True, "context": [1]}, "raw"),
        ({"context": "123"}, "context"),
        ({"context": [1, 2.0]}, "context[1]"),
        ({"context": [True]}, "context[0]"),
        ({"images": [b""]}, "images[0]"),
        ({"extra_body": {"prompt": "x"}}, "extra_body.prompt"),
        ({"option_kwargs": {"tools": []}}, "tools"),
    ],
)
def test_a_bad_argument_of_generate_is_named(arguments: dict[str, Any], argument: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        generate(**arguments)
    assert caught.value.argument == argument
    assert argument.split("[")[0].split(".")[0] in caught.value.message


def test_embed() -> None:
    assert embed("hi") == {"model": "tiny", "input": "hi"}
    assert embed(["a", ""])["input"] == ["a", ""]
    assert embed(text for text in ("a", "b"))["input"] == ["a", "b"]
    assert embed(dimensions=64, truncate=False, keep_alive="1m", options={"num_ctx": 64}) == {
        "model": "tiny",
        "input": "hi",
        "dimensions": 64,
        "truncate": False,
        "keep_alive": "1m",
        "options": {"num_ctx": 64},
    }


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ({"text": ""}, "text"),
        ({"text": []}, "text"),
        ({"text": None}, "text"),
        ({"text": b"x"}, "text"),
        ({"text": {"a"}}, "text"),
        ({"text": {"a": 1}}, "text"),
        ({"text": ["a", 3]}, "text[1]"),
        ({"text": ["\ud800"]}, "text[0]"),
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": True}, "dimensions"),
        ({"dimensions": 1.5}, "dimensions"),
        ({"truncate": 1}, "truncate"),
        ({"extra_body": {"input": "x"}}, "extra_body.input"),
        ({"option_kwargs": {"dimension": 3}}, "dimension"),
    ],
)
def test_a_bad_argument_of_embed_is_named(arguments: dict[str, Any], argument: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        embed(**arguments)
    assert caught.value.argument == argument
    assert argument.split("[")[0].split(".")[0] in caught.value.message


def test_load_and_unload() -> None:
    load = build_load_request("tiny", keep_alive=-1, option_kwargs={"num_ctx": 64})
    assert load.to_dict() == {
        "model": "tiny",
        "messages": [],
        "stream": False,
        "keep_alive": -1,
        "options": {"num_ctx": 64},
    }
    assert build_embedding_load_request(load).to_dict() == {
        "model": "tiny",
        "input": [],
        "keep_alive": -1,
        "options": {"num_ctx": 64},
    }
    unload = build_unload_request("tiny")
    assert isinstance(unload, ChatRequest)
    assert unload.to_dict() == {
        "model": "tiny",
        "messages": [],
        "stream": False,
        "keep_alive": 0,
    }


@pytest.mark.parametrize("value", [0, 0.0, "0", "0s", "0h0m", timedelta()])
def test_loading_for_no_time_is_refused(value: Any) -> None:
    with pytest.raises(InvalidRequestError, match="keep_alive is 0"):
        build_load_request("tiny", keep_alive=value)
