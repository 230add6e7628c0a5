"""The spec holds together, and what real servers answered fits it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from . import validating

SPEC_DIR = Path(__file__).parents[2] / "spec"
SPEC: dict[str, Any] = validating.spec()
SCHEMAS: dict[str, Any] = SPEC["components"]["schemas"]
EXAMPLES = sorted((SPEC_DIR / "examples").glob("*.json"))
METHODS = ("get", "head", "post", "put", "patch", "delete")

OPERATION_IDS = {
    "server": {"root", "root_head", "version", "version_head", "cloud_status"},
    "inference": {"chat", "generate", "embed", "embeddings"},
    "models": {
        "list_models", "list_models_head", "list_running", "show_model", "pull_model", "push_model",
        "create_model", "copy_model", "delete_model", "blob_exists", "create_blob",
    },
    "account": {"whoami", "signout", "delete_user_key"},
    "experimental": {"web_search", "web_fetch", "model_recommendations"},
}  # fmt: skip

# Ollama says 500 to these, and the spec knows better.
REFUSED_FOR_THEIR_FORM = {"chat.error-500"}

OPERATIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, item in SPEC["paths"].items()
    for method, operation in item.items()
    if method in METHODS
}


def resolve(node: dict[str, Any]) -> dict[str, Any]:
    """Follow a local reference to a response or parameter."""
    while "$ref" in node:
        found: Any = SPEC
        for key in node["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        node = found
    return node


def errors(schema: dict[str, Any], instance: Any) -> list[str]:
    """Everything in which `instance` breaks `schema`."""
    validator = Draft202012Validator({**schema, "components": {"schemas": SCHEMAS}})
    return [f"{e.json_path}: {e.message}" for e in validator.iter_errors(instance)]


def walk(node: Any, at: str = "#") -> Any:
    """Every mapping in the spec with where it is."""
    if isinstance(node, dict):
        yield at, node
        for key, value in node.items():
            yield from walk(value, f"{at}/{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from walk(value, f"{at}/{index}")


def read(example: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(example.read_text(encoding="utf-8"))
    return loaded


def operation_of(example: Path) -> str:
    return example.name.split(".")[0]


# ------------------------------------------------------------------------------------ the spec


def test_the_spec_is_valid_openapi_3_1() -> None:
    from openapi_spec_validator import validate  # slow to import, and each worker would

    assert SPEC["openapi"].startswith("3.1.")
    validate(SPEC)


def test_every_schema_is_a_valid_json_schema() -> None:
    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)


def test_the_operations_are_those_promised() -> None:
    by_tag: dict[str, set[str]] = {}
    for operation_id, (_, _, operation) in OPERATIONS.items():
        (tag,) = operation["tags"]
        by_tag.setdefault(tag, set()).add(operation_id)
    assert by_tag == OPERATION_IDS
    assert {tag["name"] for tag in SPEC["tags"]} == set(OPERATION_IDS)


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_an_operation_is_described_with_its_errors(operation_id: str) -> None:
    method, _, operation = OPERATIONS[operation_id]
    assert operation["summary"].endswith(".")
    assert operation["description"].endswith(".")
    default = resolve(operation["responses"]["default"])
    if method == "HEAD":
        assert "content" not in default
        return
    for status, response in operation["responses"].items():
        content = resolve(response).get("content", {})
        if status == "default" or int(status) >= 400:
            schema = content["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/ErrorResponse"}, status


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_a_stream_and_a_whole_answer_are_one_schema(operation_id: str) -> None:
    content = resolve(OPERATIONS[operation_id][2]["responses"]["200"]).get("content", {})
    streams = operation_id in {"chat", "generate", "pull_model", "push_model", "create_model"}
    assert ("application/x-ndjson" in content) is streams
    if streams:
        assert content["application/x-ndjson"] == content["application/json"]


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_and_its_fields_are_described(name: str) -> None:
    schema = SCHEMAS[name]
    assert schema["description"].endswith(".")
    for field, of in schema.get("properties", {}).items():
        assert of["description"].endswith("."), field
    if schema.get("type") == "object":
        assert schema["additionalProperties"] is True
        assert set(schema.get("required", [])) <= set(schema["properties"])


def test_what_the_code_generator_gets_wrong_is_absent() -> None:
    for at, node in walk(SPEC):
        if at.startswith(("#/components/schemas", "#/paths", "#/components/parameters")):
            names = at.endswith(("/properties", "/responses"))
            assert names or not {"default", "const", "title"} & set(node), at
        assert str(node.get("$ref", "#/")).startswith("#/"), at


def test_no_field_of_an_answer_is_closed_to_new_strings() -> None:
    seen: set[str] = set()

    def check(node: dict[str, Any]) -> None:
        for at, inner in walk(node):
            assert "enum" not in inner, at
            target = inner.get("$ref", "").rpartition("/")[2]
            if target and target not in seen:
                seen.add(target)
                check(SCHEMAS[target])

    for _, _, operation in OPERATIONS.values():
        for response in operation["responses"].values():
            check(resolve(response).get("content", {}))
    assert {"ChatResponse", "Message", "ListModelResponse", "ErrorResponse"} <= seen


def test_versions_are_versions() -> None:
    since = [node["x-since"] for _, node in walk(SPEC) if "x-since" in node]
    assert len(since) > 50
    assert all(re.fullmatch(r"v0\.\d+\.\d+", version) for version in since)


def test_options_have_types_ranges_and_defaults() -> None:
    options = SCHEMAS["Options"]["properties"]
    ranged = {name for name, of in options.items() if of["type"] in ("integer", "number")}
    assert len(options) == 20
    assert ranged == set(options) - {"stop", "use_mmap"}
    for name in ranged:
        assert "minimum" in options[name], name
        assert options[name]["minimum"] < options[name].get("maximum", float("inf"))
        assert "Default" in options[name]["description"], name


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": "hot"},
        {"temperature": -0.1},
        {"num_ctx": 0},
        {"num_ctx": 1.5},
        {"top_p": 1.01},
        {"stop": "a single text"},
        {"use_mmap": 1},
    ],
)
def test_bad_options_do_not_fit(options: dict[str, Any]) -> None:
    assert errors(SCHEMAS["Options"], options)


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ("ThinkValue", [True, False, "low", "max"], ["very", 1]),
        ("Format", ["json", {"type": "object"}], ["yaml", 1]),
        ("Duration", ["5m", 0, -1, 1.5], [None, True]),
    ],
)
def test_unions_take_what_ollama_takes(schema: str, good: list[Any], bad: list[Any]) -> None:
    assert [value for value in good if errors(SCHEMAS[schema], value)] == []
    assert [value for value in bad if not errors(SCHEMAS[schema], value)] == []


@pytest.mark.parametrize(
    ("schema", "field"),
    [
        ("ListResponse", "models"),
        ("ProcessResponse", "models"),
        ("EmbeddingResponse", "embedding"),
        ("ModelDetails", "families"),
    ],
)
def test_an_empty_list_may_be_null(schema: str, field: str) -> None:
    of = SCHEMAS[schema]["properties"][field]
    assert errors(of, None) == []
    assert errors(of, []) == []


# -------------------------------------------------------------------------------- the examples


def test_every_operation_has_an_example_of_success() -> None:
    named = {path.stem for path in EXAMPLES}
    assert set(OPERATIONS) <= named
    assert {operation_of(path) for path in EXAMPLES} == set(OPERATIONS)


def test_examples_were_recorded_wherever_a_server_alone_can_answer() -> None:
    by_hand = {path.stem for path in EXAMPLES if not read(path)["recorded"]}
    assert by_hand & set(OPERATIONS) == {
        "whoami", "signout", "delete_user_key", "web_search", "web_fetch",
    }  # fmt: skip


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_has_the_form_that_its_readme_describes(example: Path) -> None:
    content = read(example)
    assert set(content) <= {"recorded", "server", "note", "request", "response"}
    assert content["recorded"] is bool(content["server"]) is ("note" not in content)
    assert set(content["request"]) - {"body_base64"} == {"method", "path", "body"}
    assert set(content["response"]) - {"body", "lines"} == {"status", "content_type"}
    assert ("lines" in content["response"]) is not ("body" in content["response"])
    status = content["response"]["status"]
    said = re.search(r"\.error-(\d{3}|line)$", example.stem)
    assert (status >= 400) is (said is not None and said[1] != "line")
    if status >= 400:
        assert example.stem.endswith(f".error-{status}")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_a_request_fits_the_spec(example: Path) -> None:
    request = read(example)["request"]
    method, path, operation = OPERATIONS[operation_of(example)]
    assert request["method"] == method
    assert re.fullmatch(re.sub(r"\{\w+\}", r"[^/]+", path), request["path"])
    kinds = operation.get("requestBody", {}).get("content", {})
    if "application/json" in kinds:
        broken = errors(kinds["application/json"]["schema"], request["body"])
        assert bool(broken) is (example.stem in REFUSED_FOR_THEIR_FORM), broken
    else:
        assert request["body"] is None
    assert ("body_base64" in request) is ("application/octet-stream" in kinds)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_answer_fits_the_spec(example: Path) -> None:
    response = read(example)["response"]
    method, _, operation = OPERATIONS[operation_of(example)]
    documented = operation["responses"]
    status = str(response["status"])
    content = resolve(documented.get(status, documented["default"])).get("content", {})
    if method == "HEAD" or not content:
        assert response["body"] is None
        return
    schema = content[response["content_type"]]["schema"]
    if "body" in response:
        assert errors(schema, response["body"]) == []
        return
    *pieces, last = response["lines"]
    for piece in pieces:
        assert errors(schema, piece) == []
    if example.stem.endswith(".error-line"):
        assert errors(SCHEMAS["ErrorResponse"], last) == []
    else:
        assert errors(schema, last) == []
        assert last.get("done") or last.get("status") == "success"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_spec_knows_every_field_that_was_recorded(example: Path) -> None:
    """Fields beyond the spec are allowed in life; in an example they would be ours to document."""
    response = read(example)["response"]
    closed = json.loads(json.dumps(SCHEMAS))
    for schema in closed.values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    content = resolve(
        OPERATIONS[operation_of(example)][2]["responses"].get(str(response["status"]), {})
    ).get("content", {})
    if "application/json" not in content:
        return
    schema = content["application/json"]["schema"]
    for body in response.get("lines") or [response["body"]]:
        if "error" in body:
            schema = {"$ref": "#/components/schemas/ErrorResponse"}
        validator = Draft202012Validator({**schema, "components": {"schemas": closed}})
        assert [e.message for e in validator.iter_errors(body)] == []


def test_examples_hold_nothing_of_the_machine_they_were_recorded_on() -> None:
    for example in EXAMPLES:
        text = example.read_text(encoding="utf-8")
        assert not re.search(
            r"/tmp|/root|/var|/home/(?!user/models)|[A-Z]:\\\\|ssh-ed25519", text
        ), example


def test_the_newest_server_is_the_one_that_the_spec_describes() -> None:
    recorded = {read(path)["server"] for path in EXAMPLES if read(path)["recorded"]}
    assert recorded == {SPEC["info"]["version"]}
