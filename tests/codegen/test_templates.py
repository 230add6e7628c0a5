"""Shapes that the templates know although Ollama's spec does not use them all, or not yet."""

from __future__ import annotations

import shutil
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "spec" / "templates"

NULL = {"type": "null"}
MONDAY = "2026-08-03T00:00:00+00:00"
MOMENT = {"type": "string", "format": "date-time"}
PART = {"$ref": "#/components/schemas/Part"}
SHAPES: dict[str, Any] = {
    "Leaf": {"type": "object", "required": ["m"], "properties": {"m": {"type": "integer"}}},
    "Tree": {
        "type": "object",
        "properties": {
            "leaves": {
                "type": "object",
                "additionalProperties": {"$ref": "#/components/schemas/Leaf"},
            },
            "trees": {
                "type": "object",
                "additionalProperties": {"$ref": "#/components/schemas/Tree"},
            },
        },
    },
    "Kind": {"type": "string", "enum": ["b", "a"]},
    "Part": {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}},
    "Whole": {
        "type": "object",
        "required": ["maybe", "moments", "lists"],
        "properties": {
            "maybe": {"type": ["string", "null"]},
            "moments": {"type": ["array", "null"], "items": MOMENT},
            "lists": {"type": "array", "items": {"type": "array", "items": PART}},
            "until": {"oneOf": [MOMENT, NULL]},
            "part": {"oneOf": [PART, NULL]},
            "either": {"oneOf": [PART, {"type": "string"}, {"type": "array", "items": PART}]},
            "when": {"oneOf": [MOMENT, {"type": "integer"}]},
            "by_name": {"type": "object", "additionalProperties": PART},
            "kinds": {"type": "array", "items": {"$ref": "#/components/schemas/Kind"}},
            "mixed": {"oneOf": [{"type": "array", "items": {"type": ["integer", "null"]}}, NULL]},
            "self": {"$ref": "#/components/schemas/Whole"},
            "class": {"type": "boolean"},
            "camelCase": {"type": "number"},
        },
    },
}


def generate(folder: Path, schemas: dict[str, Any]) -> tuple[int, str]:
    """Run the generator with our templates, in this process; its exit status and what it says."""
    spec = {
        "openapi": "3.1.0",
        "info": {"title": "Shapes", "version": "1"},
        "paths": {},
        "components": {"schemas": schemas},
    }
    (folder / "spec.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
    command = ["generate", "--meta", "none", "--fail-on-warning"]
    files = ["--path", str(folder / "spec.yaml"), "--output-path", str(folder / "shapes")]
    settings = ["--config", str(ROOT / "spec" / "codegen.yaml")]
    templates = ["--custom-template-path", str(TEMPLATES)]
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # a deprecation in the generator is no failure
        # Imported here: it takes long, and not every process that collects these tests runs them.
        from openapi_python_client.cli import app
        from typer.testing import CliRunner

        result = CliRunner().invoke(app, [*command, *files, *settings, *templates])
    return result.exit_code, f"{result.output}{result.exception or ''}"


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("shapes")
    status, said = generate(folder, SHAPES)
    assert status == 0, said
    sys.path.insert(0, str(folder))
    try:
        yield __import__("shapes.models").models
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.partition(".")[0] == "shapes"]:
            del sys.modules[name]
        shutil.rmtree(folder)


WHOLE: dict[str, Any] = {
    "maybe": "x",
    "moments": ["2026-08-01T00:00:00+00:00"],
    "lists": [[{"n": 1}]],
}


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"until": "2026-08-01T00:00:00+02:00"},
        {"part": {"n": 1, "new": 2}},
        {"either": {"n": 1}},
        {"either": "text"},
        {"either": [{"n": 1}]},
        {"when": "2026-08-01T00:00:00+00:00"},
        {"when": 5},
        {"by_name": {"a": {"n": 1}}},
        {"kinds": ["a", "unheard of"]},
        {"mixed": [1, None]},
        {"self": WHOLE},
        {"class": False, "camelCase": 0.5},
    ],
    ids=str,
)
def test_shapes_come_back_as_they_were(shapes: ModuleType, extra: dict[str, Any]) -> None:
    whole = shapes.Whole.from_dict({**WHOLE, **extra})
    assert whole.to_dict() == {**WHOLE, **extra}


def test_nested_objects_are_of_their_classes(shapes: ModuleType) -> None:
    part = shapes.Part(n=1)
    data = {"part": {"n": 1}, "either": [{"n": 1}], "by_name": {"a": {"n": 1}}}
    whole = shapes.Whole.from_dict({**WHOLE, **data})
    assert [whole.part, *whole.either, whole.by_name["a"], whole.lists[0][0]] == [part] * 4
    assert whole.moments[0].year == 2026


def test_maps_of_objects(shapes: ModuleType) -> None:
    data = {"leaves": {"a": {"m": 1}}, "trees": {"b": {"leaves": {}}}}
    tree = shapes.Tree.from_dict(data)
    assert (tree.leaves["a"].m, tree.trees["b"].leaves) == (1, {})
    assert tree.to_dict() == data


def test_null_everywhere(shapes: ModuleType) -> None:
    names = SHAPES["Whole"]["properties"]
    whole = shapes.Whole.from_dict(dict.fromkeys(names))
    assert (whole.maybe, whole.moments, whole.lists) == (None, [], [])
    assert whole.to_dict() == {"moments": [], "lists": []}


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"maybe": 5}, "maybe: expected a string, got 5"),
        ({"moments": [MONDAY, "soon"]}, 'moments[1]: expected a timestamp, got "soon"'),
        ({"moments": {}}, "moments: expected a list, got an object"),
        ({"lists": [[{"n": 1}], [{"n": True}]]}, "lists[1][0].n: expected an integer, got true"),
        ({"lists": [5]}, "lists[0]: expected a list, got 5"),
        ({"until": 1.5}, "until: expected a timestamp, got 1.5"),
        ({"part": {}}, "part.n: expected an integer, got nothing"),
        ({"either": 5}, "either: expected an object or a string or a list, got 5"),
        ({"either": [{"n": "1"}]}, 'either[0].n: expected an integer, got "1"'),
        ({"when": "soon"}, 'when: expected a timestamp or an integer, got "soon"'),
        ({"by_name": {"a.b": {"n": None}}}, 'by_name["a.b"].n: expected an integer, got null'),
        ({"by_name": []}, "by_name: expected an object, got a list"),
        ({"kinds": ["a", None]}, "kinds[1]: expected a string, got null"),
        ({"mixed": [1, None, "2"]}, 'mixed[2]: expected an integer, got "2"'),
        ({"self": {**WHOLE, "class": "no"}}, 'self.class: expected true or false, got "no"'),
        ({"camelCase": True}, "camelCase: expected a number, got true"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_breaks_the_spec_is_named(
    shapes: ModuleType, extra: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        shapes.Whole.from_dict({**WHOLE, **extra})
    assert type(caught.value).__name__ == "SpecError"
    assert str(caught.value) == message


def test_numbers_that_mean_the_same(shapes: ModuleType) -> None:
    """3.0 is an integer to JSON Schema, and 3 is a number."""
    whole = shapes.Whole.from_dict({**WHOLE, "part": {"n": 3.0}, "camelCase": 3})
    assert repr((whole.part.n, whole.camel_case)) == "(3, 3)"


def test_names_that_python_reserves_end_in_an_underscore(shapes: ModuleType) -> None:
    whole = shapes.Whole.from_dict({**WHOLE, "class": True, "self": WHOLE, "camelCase": 1})
    assert (whole.class_, whole.self_.maybe, whole.camel_case) == (True, "x", 1)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (
            {"x": {"oneOf": [PART, {"$ref": "#/components/schemas/Leaf"}]}},
            "two members of one kind in the union x",
        ),
        (
            {"x": {"type": "string", "format": "date"}},
            "a property of this format: date_property",
        ),
        ({"_x": {"type": "integer"}, "x": {"type": "integer"}}, "two fields named x in Whole"),
    ],
)
def test_a_shape_without_code_is_refused(
    tmp_path: Path, fields: dict[str, Any], reason: str
) -> None:
    whole = {"type": "object", "properties": fields}
    parts = {name: SHAPES[name] for name in ("Leaf", "Part")}
    status, said = generate(tmp_path, {**parts, "Whole": whole})
    assert status == 1
    assert reason in said
