from __future__ import annotations

from typing import Any

import pytest
from ollama_api.models import Options

from manager.errors import InvalidRequestError
from manager.model_requests import (
    build_copy_request,
    build_create_request,
    build_delete_request,
    build_pull_request,
    build_push_request,
    build_show_request,
)

DIGEST = f"sha256:{'ab' * 32}"


def create(**arguments: Any) -> dict[str, Any]:
    arguments.setdefault("stream", True)
    arguments.setdefault("from_model", "base")
    return build_create_request(arguments.pop("model_name", "mine"), **arguments).to_dict()


def test_pull_and_push() -> None:
    assert build_pull_request("gpt-oss:20b:cloud", stream=True).to_dict() == {
        "model": "gpt-oss:20b:cloud",
        "stream": True,
    }
    assert build_pull_request("h:1/library/m", stream=False, insecure=True).to_dict() == {
        "model": "h:1/library/m",
        "stream": False,
        "insecure": True,
    }
    assert build_push_request("me/mine", stream=True, extra_body={"x": 1}).to_dict() == {
        "model": "me/mine",
        "stream": True,
        "x": 1,
    }


def test_copy_delete_show() -> None:
    assert build_copy_request("a", "b:1").to_dict() == {"source": "a", "destination": "b:1"}
    assert build_delete_request("a").to_dict() == {"model": "a"}
    assert build_show_request("a").to_dict() == {"model": "a"}
    assert build_show_request("a", verbose=True).to_dict() == {"model": "a", "verbose": True}


def test_create_from_a_model() -> None:
    assert create(
        adapters={"a.safetensors": DIGEST},
        system="be brief",
        template="{{ .Prompt }}",
        parameters={"num_ctx": 64, "stop": "END"},
        messages=[{"role": "user", "content": "hi"}],
        license=["MIT", "BSD"],
        quantize="q4_K_M",
        extra_body={"requires": "0.14.0"},
    ) == {
        "model": "mine",
        "stream": True,
        "from": "base",
        "adapters": {"a.safetensors": DIGEST},
        "system": "be brief",
        "template": "{{ .Prompt }}",
        "parameters": {"num_ctx": 64, "stop": ["END"]},
        "messages": [{"role": "user", "content": "hi"}],
        "license": ["MIT", "BSD"],
        "quantize": "q4_K_M",
        "requires": "0.14.0",
    }


def test_create_from_files() -> None:
    digest = f"sha256-{'AB' * 32}"
    assert create(from_model=None, files={"sub/tiny.gguf": digest}) == {
        "model": "mine",
        "stream": True,
        "files": {"sub/tiny.gguf": DIGEST},
    }


def test_newer_parameters_are_passed_on_in_a_record() -> None:
    record = Options.from_dict({"brand_new": 1})
    assert create(parameters=record)["parameters"] == {"brand_new": 1}


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ({"model_name": "a b"}, "model_name"),
        ({"model_name": "a:b:cloud"}, "model_name"),
        ({"from_model": "/home/me/base"}, "from_model"),
        ({"from_model": None}, "from_model"),
        ({"files": {"a": DIGEST}}, "files"),
        ({"adapters": {"../a": DIGEST}}, "adapters"),
        ({"adapters": {"/a": DIGEST}}, "adapters"),
        ({"adapters": {"": DIGEST}}, "adapters"),
        ({"adapters": {3: DIGEST}}, "a name in adapters"),
        ({"adapters": {"a": "abc"}}, "adapters.a"),
        ({"adapters": ["a"]}, "adapters"),
        ({"system": 3}, "system"),
        ({"template": 3}, "template"),
        ({"parameters": {"num_ctxt": 3}}, "parameters.num_ctxt"),
        ({"parameters": {"num_ctx": "3"}}, "parameters.num_ctx"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [{"role": "x", "content": ""}]}, "messages[0].role"),
        ({"license": 3}, "license"),
        ({"license": [3]}, "license[0]"),
        ({"quantize": ""}, "quantize"),
        ({"quantize": "q4 K"}, "quantize"),
        ({"stream": None}, "stream"),
        ({"extra_body": {"from": "x"}}, "extra_body.from"),
    ],
)
def test_a_bad_argument_of_create_is_named(arguments: dict[str, Any], argument: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        create(**arguments)
    assert caught.value.argument == argument
    assert argument.split("[")[0].split(".")[0] in caught.value.message


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: build_copy_request("a b", "c"), "source"),
        (lambda: build_copy_request("a", "c:"), "destination"),
        (lambda: build_delete_request(""), "model_name"),
        (lambda: build_show_request("a/"), "model_name"),
        (lambda: build_show_request("a", verbose=1), "verbose"),  # type: ignore[arg-type]
        (lambda: build_pull_request("a", stream=True, insecure=1), "insecure"),  # type: ignore[arg-type]
        (lambda: build_pull_request("a:b:c", stream=True), "model_name"),
        (lambda: build_push_request("me/m:8b:local", stream=True), "model_name"),
        (lambda: build_pull_request("a", stream=True, extra_body={"name": "b"}), "extra_body.name"),
    ],
)
def test_bad_arguments_of_the_others_are_named(call: Any, argument: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        call()
    assert caught.value.argument == argument
    assert argument.split(".")[0] in caught.value.message
