"""Each operation of the spec has a request builder, and real exchanges pass through unchanged."""

from __future__ import annotations

import base64
import importlib
import inspect
import json
import pkgutil
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ollama_api import api
from ollama_api.api.models import blob_exists, create_blob
from ollama_api.models import ErrorResponse
from ollama_api.types import parse_timestamp

from . import validating

if TYPE_CHECKING:
    from types import ModuleType

    from ollama_api.types import Request

SPEC_DIR = Path(__file__).parents[2] / "spec"
SPEC: dict[str, Any] = validating.spec()
OPERATIONS: dict[str, tuple[str, str, str]] = {
    operation["operationId"]: (method.upper(), path, operation["tags"][0])
    for path, item in SPEC["paths"].items()
    for method, operation in item.items()
    if method != "parameters"
}
EXAMPLES = sorted((SPEC_DIR / "examples").glob("*.json"))
FAILURES = [path for path in EXAMPLES if ".error-" in path.name]


def builder(operation_id: str) -> ModuleType:
    return importlib.import_module(f"ollama_api.api.{OPERATIONS[operation_id][2]}.{operation_id}")


def build(operation_id: str, path: str, body: Any) -> Request[Any]:
    """Build the request of a recorded exchange."""
    function = builder(operation_id).build_request
    body_type = typing.get_type_hints(function).get("body")
    parameters = inspect.signature(function).parameters.values()
    positional = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    arguments = path.rsplit("/", len(positional))[1:]
    keywords = {}
    if body_type is not None:
        keywords["body"] = body if isinstance(body, bytes) else body_type.from_dict(body)
    request: Request[Any] = function(*arguments, **keywords)
    return request


def read(path: Path) -> tuple[str, dict[str, Any], dict[str, Any]]:
    example = json.loads(path.read_text(encoding="utf-8"))
    return path.name.split(".")[0], example["request"], example["response"]


def same(sent: Any, made: Any) -> bool:
    """Compare JSON; null may have become an empty list or nothing, and nine digits six."""
    if sent is None:
        return made is None or made == []
    if isinstance(sent, dict) and isinstance(made, dict):
        return all(same(sent.get(key), made.get(key)) for key in sent.keys() | made.keys())
    if isinstance(sent, list) and isinstance(made, list):
        return len(sent) == len(made) and all(map(same, sent, made))
    if isinstance(sent, str) and isinstance(made, str) and sent != made:
        return parse_timestamp(sent) == parse_timestamp(made)
    return type(sent) is type(made) and bool(sent == made)


def test_each_operation_has_a_module_and_each_module_an_operation() -> None:
    found = {
        (tag.name, operation.name)
        for tag in pkgutil.iter_modules(api.__path__)
        for operation in pkgutil.iter_modules([str(Path(api.__path__[0]) / tag.name)])
    }
    assert found == {(tag, name) for name, (_, _, tag) in OPERATIONS.items()}


@pytest.mark.parametrize("path", [p for p in EXAMPLES if p not in FAILURES], ids=lambda p: p.stem)
def test_a_request_is_what_was_recorded(path: Path) -> None:
    operation_id, sent, _ = read(path)
    content = base64.b64decode(sent["body_base64"]) if "body_base64" in sent else None
    request = build(operation_id, sent["path"], sent.get("body") if content is None else content)
    assert (request.operation_id, request.method) == (operation_id, OPERATIONS[operation_id][0])
    assert (request.method, request.path) == (sent["method"], sent["path"])
    assert request.content == content
    assert same(sent.get("body"), request.json)


@pytest.mark.parametrize("path", [p for p in EXAMPLES if p not in FAILURES], ids=lambda p: p.stem)
def test_an_answer_is_decoded_and_encoded_without_a_loss(path: Path) -> None:
    operation_id, sent, answer = read(path)
    content = base64.b64decode(sent["body_base64"]) if "body_base64" in sent else None
    request = build(operation_id, sent["path"], sent.get("body") if content is None else content)
    bodies = answer["lines"] if "lines" in answer else [answer.get("body")]
    for body in bodies:
        decoded = request.decode(body)
        if request.expects == "json":
            assert same(body, decoded.to_dict())
        else:
            assert decoded == body


@pytest.mark.parametrize("path", FAILURES, ids=lambda p: p.stem)
def test_an_error_is_decoded(path: Path) -> None:
    _, _, answer = read(path)
    bodies = answer["lines"][-1:] if "lines" in answer else [answer.get("body")]
    for body in bodies:
        if isinstance(body, dict):
            assert same(body, ErrorResponse.from_dict(body).to_dict())
            assert ErrorResponse.from_dict(body).error


def test_path_parameters_are_quoted_but_for_the_colon() -> None:
    assert blob_exists.build_request("sha256:0a").path == "/api/blobs/sha256:0a"
    assert blob_exists.build_request("a/b?c#d é").path == "/api/blobs/a%2Fb%3Fc%23d%20%C3%A9"


def test_a_body_of_bytes_is_handed_on_as_it_is() -> None:
    pieces = iter([b"a", b"b"])
    request = create_blob.build_request("sha256:0a", body=pieces)
    assert request.content is pieces
    assert request.json is None


def test_a_request_cannot_be_changed() -> None:
    request = blob_exists.build_request("sha256:0a")
    with pytest.raises(AttributeError):
        request.path = "/"  # type: ignore[misc]


def test_answers_without_a_model() -> None:
    assert builder("root").build_request().decode("Ollama is running") == "Ollama is running"
    assert builder("root").build_request().decode(b"Ollama is running") == "Ollama is running"
    assert builder("root_head").build_request().decode(None) is None
    assert builder("copy_model").build_request.__annotations__["return"] == "Request[None]"
