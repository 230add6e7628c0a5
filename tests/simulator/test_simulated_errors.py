"""What a real Ollama 0.33 was seen to answer to bad requests, the simulator answers too."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx

JSON = "application/json; charset=utf-8"
ZEROS = f"sha256:{'0' * 64}"
RANGE = '"high", "medium", "low", "max", true, or false'
MISMATCH = "json: cannot unmarshal {} into Go struct field {} of type {}"
OPTION = 'option "{}" must be of type {}'
FORMAT = 'invalid format: {}; expected "json" or a valid JSON Schema object'
FULL = "registry.ollama.ai/library/plain:latest"


def text(**fields: object) -> str:
    return json.dumps({"model": "plain", **fields})


HI = [{"role": "user", "content": "hi"}]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}
CASES = [
    ("POST", "/api/chat", "", 400, "missing request body"),
    ("POST", "/api/chat", " \n", 400, "missing request body"),
    ("POST", "/api/chat", "{", 400, "unexpected EOF"),
    ("POST", "/api/chat", '{"a":"b', 400, "unexpected EOF"),
    ("POST", "/api/chat", "xx", 400, "invalid character 'x' looking for beginning of value"),
    ("POST", "/api/chat", "{'a':1}", 400,
     "invalid character '\\'' looking for beginning of object key string"),
    ("POST", "/api/chat", '{"a":1,}', 400,
     "invalid character '}' looking for beginning of object key string"),
    ("POST", "/api/chat", '{"a" 3}', 400, "invalid character '3' after object key"),
    ("POST", "/api/chat", '{"a":1 "b":2}', 400,
     "invalid character '\"' after object key:value pair"),
    ("POST", "/api/chat", '{"a":[1 2]}', 400, "invalid character '2' after array element"),
    ("POST", "/api/chat", '{"a":truX}', 400,
     "invalid character 'X' in literal true (expecting 'e')"),
    ("POST", "/api/chat", '{"a":NaN}', 400,
     "invalid character 'N' looking for beginning of value"),
    ("POST", "/api/chat", '{"a":"\n"}', 400, "invalid character '\\n' in string literal"),
    ("POST", "/api/chat", '{"a":"\\x"}', 400, "invalid character 'x' in string escape code"),
    ("POST", "/api/chat", '{"a":"\\u12G4"}', 400,
     "invalid character 'G' in \\u hexadecimal character escape"),
    ("POST", "/api/chat", "[" * 100_000, 400, "exceeded max depth"),
    ("POST", "/api/chat", '{"a":-Infinity}', 400, "invalid character 'I' in numeric literal"),
    ("POST", "/api/chat", '{"a":1.}', 400,
     "invalid character '}' after decimal point in numeric literal"),
    ("POST", "/api/chat", '{"a":' + "1" * 5000 + "}", 400,
     "json: cannot unmarshal number into Go value"),
    ("POST", "/api/chat", "[]", 400,
     "json: cannot unmarshal array into Go value of type api.ChatRequest"),
    ("POST", "/api/chat", text(model=1), 400,
     MISMATCH.format("number", "ChatRequest.model", "string")),
    ("POST", "/api/chat", text(messages="x"), 400,
     MISMATCH.format("string", "ChatRequest.messages", "[]api.Message")),
    ("POST", "/api/chat", text(messages=[{"role": 1}]), 400,
     MISMATCH.format("number", "ChatRequest.messages.role", "string")),
    ("POST", "/api/chat", text(options=[]), 400,
     MISMATCH.format("array", "ChatRequest.options", "map[string]interface {}")),
    ("POST", "/api/chat", text(stream="yes"), 400,
     MISMATCH.format("string", "ChatRequest.stream", "bool")),
    ("POST", "/api/chat", text(top_logprobs=1.5), 400,
     MISMATCH.format("number 1.5", "ChatRequest.top_logprobs", "int")),
    ("POST", "/api/chat", text(tools=3), 400,
     MISMATCH.format("number", "ChatRequest.tools", "api.Tools")),
    ("POST", "/api/chat", text(tools=[{"function": 3}]), 400,
     MISMATCH.format("number", "Tool.tools.function", "api.ToolFunction")),
    ("POST", "/api/chat", text(top_logprobs=21), 400,
     "top_logprobs must be between 0 and 20"),
    ("POST", "/api/chat", text(keep_alive="5x"), 400,
     'time: unknown unit "x" in duration "5x"'),
    ("POST", "/api/chat", text(keep_alive="abc"), 400, 'time: invalid duration "abc"'),
    ("POST", "/api/chat", text(keep_alive="5"), 400, 'time: missing unit in duration "5"'),
    ("POST", "/api/chat", text(keep_alive=True), 400, "Unsupported type: 'bool'"),
    ("POST", "/api/chat", text(think="foo"), 400,
     f'invalid think value: "foo" (must be {RANGE})'),
    ("POST", "/api/chat", text(think=3), 400, f"think must be a boolean or string ({RANGE})"),
    ("POST", "/api/chat", text(think=True), 400, '"plain" does not support thinking'),
    ("POST", "/api/chat", text(model=""), 400, "model is required"),
    ("POST", "/api/chat", text(model="a b"), 400, "invalid model name"),
    ("POST", "/api/chat", text(model="x:cloud:local"), 400,
     'use either :local or :cloud, not both: "x:cloud:local"'),
    ("POST", "/api/chat", text(model="nope"), 404, "model 'nope' not found"),
    ("POST", "/api/chat", text(model="simulated-embed"), 400,
     '"simulated-embed" does not support chat'),
    ("POST", "/api/chat", text(options={"temperature": "x"}), 500,
     OPTION.format("temperature", "float32")),
    ("POST", "/api/chat", text(options={"num_ctx": "x"}), 500,
     OPTION.format("num_ctx", "integer")),
    ("POST", "/api/chat", text(options={"stop": "x"}), 500, OPTION.format("stop", "array")),
    ("POST", "/api/chat", text(options={"stop": [1]}), 500,
     'option "stop" must be of an array of strings'),
    ("POST", "/api/chat", text(messages=HI, format="xml", stream=False), 500,
     FORMAT.format('"\\"xml\\""')),
    ("POST", "/api/chat", text(messages=HI, format=7, stream=False), 500, FORMAT.format('"7"')),
    ("POST", "/api/chat", text(messages=[{**HI[0], "images": ["!!!"]}]), 400,
     "illegal base64 data at input byte 0"),
    ("POST", "/api/generate", text(model=""), 404, "model '' not found"),
    ("POST", "/api/generate", text(prompt="a", raw=True, system="b"), 400,
     "raw mode does not support template, system, or context"),
    ("POST", "/api/generate", text(prompt="a", template="{{ .Sys"), 500,
     "template: :1: unclosed action"),
    ("POST", "/api/generate", text(prompt="a", suffix="b"), 400,
     f"{FULL} does not support insert"),
    ("POST", "/api/generate", text(model="simulated-embed", prompt="a"), 400,
     '"simulated-embed" does not support generate'),
    ("POST", "/api/embed", text(model="nope"), 404,
     'model "nope" not found, try pulling it first'),
    ("POST", "/api/embed", text(input=3), 400, "invalid input type"),
    ("POST", "/api/embed", text(input=[3]), 400, "invalid input type"),
    ("POST", "/api/embed", text(input="a"), 501,
     "This server does not support embeddings. Start it with `--embeddings`"),
    ("POST", "/api/embed", text(model="simulated-embed", input="a b c d e f g", truncate=False,
                                options={"num_ctx": 4}), 400,
     "the input length exceeds the context length"),
    ("POST", "/api/embeddings", "{}", 400, "model is required"),
    ("POST", "/api/show", "{}", 400, "model is required"),
    ("POST", "/api/show", text(model="nope"), 404, "model 'nope:latest' not found"),
    ("POST", "/api/copy", '{"source":"plain","destination":"a b"}', 400,
     'destination "a b" is invalid'),
    ("POST", "/api/copy", '{"source":"nope","destination":"a"}', 404, 'model "nope" not found'),
    ("DELETE", "/api/delete", "", 400, "missing request body"),
    ("DELETE", "/api/delete", "{}", 400, "model is required"),
    ("DELETE", "/api/delete", text(model="a b"), 400, 'name "a b" is invalid'),
    ("DELETE", "/api/delete", text(model="nope"), 404, "model 'nope' not found"),
    ("POST", "/api/pull", "{}", 400, "invalid model name"),
    ("POST", "/api/push", "{}", 400, "model is required"),
    ("POST", "/api/create", "{}", 400, "invalid model name"),
    ("POST", "/api/create", text(files={"a.gguf": ""}), 400, "invalid digest format"),
    ("POST", "/api/create", text(files={"../a.gguf": ZEROS}), 400, "file path must be relative"),
    ("POST", "/api/blobs/foo", "x", 400, "invalid digest format"),
    ("POST", "/api/experimental/web_search", "", 400, "missing request body"),
    ("POST", "/api/experimental/web_fetch", '{"url":"x"}', 401, "unauthorized"),
    ("POST", "/api/me", "", 401, "unauthorized"),
    ("POST", "/api/signout", "", 401, "you are not currently signed in"),
    ("DELETE", "/api/user/keys/abc", "", 401, "you are not currently signed in"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "status", "message"), CASES)
def test_bad_requests_get_ollamas_status_and_text(
    client: httpx.Client, method: str, path: str, body: str, status: int, message: str
) -> None:
    response = client.request(method, path, content=body)
    assert response.json()["error"] == message
    assert response.status_code == status
    assert response.headers["content-type"] == JSON


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/api/chat", text(messages=HI, format="xml"), 500, FORMAT.format('"\\"xml\\""')),
        ("/api/create", text(), 400, "neither 'from' or 'files' was specified"),
        ("/api/create", text(files={}), 400, "unknown type"),
        ("/api/create", text(**{"from": "plain"}, adapters={}), 400, "unknown type"),
        ("/api/create", text(**{"from": "plain"}, license=3), 500,
         "json: cannot unmarshal number into Go value of type []string"),
        ("/api/create", text(**{"from": "plain"}, quantize="q8_0"), 500,
         "quantization is only supported for F16, BF16 and F32 models"),
        ("/api/create", text(**{"from": "plain"}, info={"model_family": 1}), 400,
         'info field "model_family" must be a string'),
        ("/api/create", text(**{"from": "plain"}, info={"context_length": "x"}), 400,
         'info field "context_length" must be a number'),
        ("/api/create", text(**{"from": "a b"}), 400, "invalid model name"),
        ("/api/create", text(**{"from": "plain"}, template="{{ .Sys"), 400,
         "template error: template: :1: unclosed action"),
        ("/api/create", text(**{"from": "plain"}, quantize="q9"), 500,
         "unsupported quantization type Q9 - supported types are F32, F16, Q4_K_S, Q4_K_M, Q8_0"),
        ("/api/create", text(**{"from": "plain"}, info={"context_length": -1}), 400,
         'info field "context_length" must be a non-negative integer'),
    ],
)  # fmt: skip
def test_a_stream_that_fails_before_its_first_line_has_the_status_of_the_error(
    client: httpx.Client, path: str, body: str, status: int, message: str
) -> None:
    response = client.post(path, content=body)
    assert (response.status_code, response.json()["error"]) == (status, message)
    assert response.headers["content-type"] == "application/json"


def test_images_are_refused_by_a_model_that_cannot_see(client: httpx.Client) -> None:
    message = {**HI[0], "images": ["aGVsbG8="]}
    body = {"model": "plain", "messages": [message], "stream": False}
    response = client.post("/api/chat", json=body)
    assert response.status_code == 500
    assert "image input is not supported" in response.json()["error"]


def test_tools_are_refused_by_a_stub_of_a_model_that_has_none(client: httpx.Client) -> None:
    body = {"model": "simulated-embed", "messages": HI, "tools": [TOOL]}
    assert client.post("/api/chat", json=body).status_code == 400
