"""Does what goes over the wire fit the spec? By operation, both ways."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml
from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import httpx

SPEC_FILE = Path(__file__).parents[2] / "spec" / "ollama.yaml"
METHODS = ("get", "head", "post", "put", "patch", "delete")

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where it is there


class Operation(NamedTuple):
    """An operation of the spec."""

    id: str
    method: str
    path: str
    described: Mapping[str, Any]


@functools.cache
def spec() -> dict[str, Any]:
    """The spec, as it stands in the file."""
    loaded: dict[str, Any] = yaml.load(SPEC_FILE.read_text(encoding="utf-8"), _Loader)
    return loaded


@functools.cache
def operations() -> dict[str, Operation]:
    """The operations of the spec by their ids."""
    return {
        described["operationId"]: Operation(
            described["operationId"], method.upper(), path, described
        )
        for path, item in spec()["paths"].items()
        for method, described in item.items()
        if method in METHODS
    }


@functools.cache
def operation_at(method: str, path: str) -> Operation | None:
    """The operation that a request asks for; None where the spec has none."""
    for operation in operations().values():
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(operation.path))
        if operation.method == method and re.fullmatch(pattern, path):
            return operation
    return None


@functools.cache
def _validator(pointer: str) -> Draft202012Validator:
    """The validator of the schema at a JSON pointer."""
    schema: Any = spec()
    for key in pointer.split("/"):
        schema = schema[key.replace("~1", "/")]
        while "$ref" in schema and not schema["$ref"].startswith("#/components/schemas/"):
            schema = _at(schema["$ref"])
    schemas = {"components": {"schemas": spec()["components"]["schemas"]}}
    return Draft202012Validator({**schema, **schemas})


def _at(reference: str) -> Any:
    found: Any = spec()
    for key in reference.removeprefix("#/").split("/"):
        found = found[key]
    return found


def _problems(pointer: Iterable[str], instance: Any) -> list[str]:
    validator = _validator("/".join(key.replace("/", "~1") for key in pointer))
    return [
        f"{error.json_path}: {error.message}"[:300] for error in validator.iter_errors(instance)
    ]


def request_problems(method: str, path: str, body: bytes | None) -> list[str]:
    """In what a request breaks the spec.

    Args:
        method: Its method.
        path: Its path, without what stands before ``/api``.
        body: The bytes of its JSON; None without a JSON body.
    """
    operation = operation_at(method, path)
    if operation is None:
        return [f"the spec has no {method} {path}"]
    described = operation.described.get("requestBody", {}).get("content", {})
    if "application/json" not in described:
        return [] if body is None else [f"{method} {path} takes no JSON"]
    if body is None:
        return [f"{method} {path} takes JSON"]
    at = ("paths", operation.path, method.lower(), "requestBody", "content", "application/json")
    return _problems((*at, "schema"), json.loads(body))


def answer_problems(
    method: str, path: str, status: int, kind: str | None, body: bytes
) -> list[str]:
    """In what an answer breaks the spec.

    Args:
        method: The method of the request.
        path: Its path.
        status: The status of the answer.
        kind: Its content type, with or without parameters.
        body: The bytes of its body.
    """
    operation = operation_at(method, path)
    if operation is None:
        return []
    responses = operation.described["responses"]
    key = str(status) if str(status) in responses else "default"
    if key == "default" and status < 400:
        return [f"{method} {path} documents no status {status}"]
    at = ("paths", operation.path, method.lower(), "responses", key)
    response: Any = responses[key]
    while "$ref" in response:
        response = _at(response["$ref"])
    content = response.get("content", {})
    if method == "HEAD" or not content:
        return [] if body in (b"", b"null") else [f"{method} {path}: {status} has a body"]
    plain = (kind or "").partition(";")[0]
    if plain not in content:
        return [f"{method} {path}: {status} is {plain or 'nothing'}, not one of {sorted(content)}"]
    if "json" not in plain:
        return []
    pointer = (*at, "content", plain, "schema")
    lines = [json.loads(line) for line in body.split(b"\n") if line.strip()]
    if not lines or (plain == "application/json" and len(lines) > 1):
        return [f"{method} {path}: {status} is no single JSON value"]
    found: list[str] = []
    for number, line in enumerate(lines, 1):
        if plain == "application/x-ndjson" and isinstance(line, dict) and "error" in line:
            # A failure after the first line ends the stream.
            found += _schema_problems("ErrorResponse", line)
            found += ["a line follows the error"] if number < len(lines) else []
        else:
            found += _problems(pointer, line)
    return found


def _schema_problems(name: str, instance: Any) -> list[str]:
    return _problems(("components", "schemas", name), instance)


def problems_of(response: httpx.Response) -> list[str]:
    """In what an answer that has been read breaks the spec; what no route answers is not looked at.

    Ollama answers other than in JSON where it knows no route: those are no answers of an operation.
    """
    request = response.request
    if response.status_code in (301, 307, 405):
        return []
    kind = response.headers.get("content-type")
    return answer_problems(
        request.method, request.url.path, response.status_code, kind, response.content
    )
