from __future__ import annotations

import copy
import enum
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import attrs
import jsonschema
import msgspec
import pydantic
import pytest

from manager.errors import InvalidRequestError, OutputParseError
from manager.schemas import build_format, json_schema_of, parse_output


class Risk(enum.Enum):
    LOW = "low"
    HIGH = "high"


@dataclass
class Place:
    title: str
    height: float = 0.0


@dataclass
class Trip:
    start: Place
    end: Place
    risk: Risk
    stops: list[Place] = field(default_factory=list)
    note: str | None = None


@attrs.define
class AttrsCommand:
    command: str
    risk: Literal["low", "high"]


class StructCommand(msgspec.Struct):
    command: str
    risk: Annotated[int, msgspec.Meta(ge=0, le=3)]


class DictCommand(TypedDict):
    command: str
    risk: int


class TupleCommand(NamedTuple):
    command: str
    risk: int


class Inner(pydantic.BaseModel):
    title: str = pydantic.Field(pattern="[a-z]+")


class Outer(pydantic.BaseModel):
    inner: Inner
    exact: str = pydantic.Field(pattern="^[a-z]+$")
    others: list[Inner] = []


class Tree(pydantic.BaseModel):
    value: int
    children: list[Tree] = []


@dataclass
class Node:
    value: int
    next: Node | None = None


@dataclass
class HoldsModel:
    inner: Inner


def references(schema: Any) -> list[str]:
    if isinstance(schema, dict):
        own = [schema["$ref"]] if isinstance(schema.get("$ref"), str) else []
        return own + [ref for item in schema.values() for ref in references(item)]
    if isinstance(schema, list):
        return [ref for item in schema for ref in references(item)]
    return []


EXAMPLES: list[tuple[Any, str, Any]] = [
    (
        Trip,
        '{"start": {"title": "a"}, "end": {"title": "b", "height": 1}, "risk": "low"}',
        Trip(Place("a"), Place("b", 1.0), Risk.LOW),
    ),
    (AttrsCommand, '{"command": "ls", "risk": "low"}', AttrsCommand("ls", "low")),
    (StructCommand, '{"command": "ls", "risk": 3}', StructCommand("ls", 3)),
    (DictCommand, '{"command": "ls", "risk": 1}', {"command": "ls", "risk": 1}),
    (TupleCommand, '["ls", 1]', TupleCommand("ls", 1)),
    (
        Outer,
        '{"inner": {"title": "a"}, "exact": "b"}',
        Outer(inner=Inner(title="a"), exact="b"),
    ),
    (Tree, '{"value": 1, "children": [{"value": 2}]}', Tree(value=1, children=[Tree(value=2)])),
    (Node, '{"value": 1, "next": {"value": 2}}', Node(1, Node(2))),
    (list[Inner], '[{"title": "a"}]', [Inner(title="a")]),
    (HoldsModel, '{"inner": {"title": "a"}}', HoldsModel(Inner(title="a"))),
    (Risk, '"high"', Risk.HIGH),
    (list[int], "[1, 2]", [1, 2]),
    (dict[str, Place], '{"x": {"title": "a"}}', {"x": Place("a")}),
    (int, "3", 3),
    (str, '"x"', "x"),
    (bool, "true", True),
]


@pytest.mark.parametrize(
    ("output_type", "text", "value"), EXAMPLES, ids=lambda item: str(item)[:30]
)
def test_a_type_has_a_schema_and_reads_what_fits_it(
    output_type: Any, text: str, value: object
) -> None:
    schema = json_schema_of(output_type)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(msgspec.json.decode(text), schema)
    assert parse_output(output_type, text) == value


def test_references_are_resolved_and_titles_left_out() -> None:
    schema = json_schema_of(Trip)
    assert references(schema) == []
    assert "$defs" not in schema
    assert "title" not in schema
    assert schema["properties"]["start"] == {
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "height": {"type": "number", "default": 0.0},
        },
        "required": ["title"],
    }
    assert schema["required"] == ["start", "end", "risk"]


@pytest.mark.parametrize("recursive", [Tree, Node])
def test_only_recursive_references_stay(recursive: type[object]) -> None:
    schema = json_schema_of(recursive)
    name = recursive.__name__
    assert set(references(schema)) == {f"#/$defs/{name}"}
    assert set(schema["$defs"]) == {name}


def test_patterns_that_the_grammar_cannot_express_are_left_to_the_parser() -> None:
    schema = json_schema_of(Outer)
    assert "pattern" not in schema["properties"]["inner"]["properties"]["title"]
    assert schema["properties"]["exact"]["pattern"] == "^[a-z]+$"
    with pytest.raises(OutputParseError):
        parse_output(Outer, '{"inner": {"title": "1"}, "exact": "b"}')


def test_the_caller_may_change_the_schema_without_changing_the_next_one() -> None:
    before = copy.deepcopy(json_schema_of(Trip))
    json_schema_of(Trip)["properties"].clear()
    assert json_schema_of(Trip) == before


@pytest.mark.parametrize(
    ("output_type", "text", "location"),
    [
        (Trip, '{"start": {"title": 1}}', "$.start.title"),
        (Trip, "{}", None),
        (StructCommand, '{"command": "ls", "risk": 9}', "$.risk"),
        (Outer, '{"inner": {"title": 1}, "exact": "b"}', "$.inner.title"),
        (list[Inner], '[{"title": "a"}, {}]', "$[1].title"),
        (list[int], "[1, true]", "$[1]"),
        (int, '"3"', None),
        (int, "three", None),
        (int, "\ud800", None),
    ],
)
def test_what_does_not_fit_is_an_error_with_the_text_and_the_place(
    output_type: Any, text: str, location: str | None
) -> None:
    with pytest.raises(OutputParseError, match="does not fit") as caught:
        parse_output(output_type, text, model="m", request_id="r")
    error = caught.value
    assert error.text == text
    assert error.to_dict().get("location") in (location, "$" if location is None else location)
    assert error.model == "m"
    assert error.request_id == "r"
    assert error.__cause__ is not None


@pytest.mark.parametrize("text", ["", " \n", '{"command": "l', '{"inner": {'])
@pytest.mark.parametrize("output_type", [DictCommand, Outer])
def test_an_answer_that_was_cut_off_says_so(output_type: Any, text: str) -> None:
    with pytest.raises(OutputParseError) as caught:
        parse_output(output_type, text)
    assert "num_predict" in str(caught.value.hint)


class Plain:
    def __init__(self, value: int) -> None:
        self.value = value


@dataclass
class Unresolved:
    value: Missing  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    "output_type",
    [Plain, Unresolved, 3, object(), Plain(3), Inner(title="a"), lambda: 0, "Inner", "int"],
)
def test_a_type_without_a_schema_is_refused(output_type: Any) -> None:
    with pytest.raises(InvalidRequestError, match="output_type") as caught:
        json_schema_of(output_type)
    assert caught.value.argument == "output_type"
    assert "dataclass" in str(caught.value.hint)
    assert "\n" not in caught.value.message


def test_formats() -> None:
    assert build_format(None) is None
    assert build_format("json") == "json"
    assert build_format({"type": "object"}) == {"type": "object"}
    assert build_format(DictCommand) == json_schema_of(DictCommand)
    assert build_format(list[int]) == {"type": "array", "items": {"type": "integer"}}


@pytest.mark.parametrize("format", ["", "JSON", "yaml", '{"type": "object"}', 3, [1], Plain])
def test_other_formats_are_refused(format: object) -> None:
    with pytest.raises(InvalidRequestError, match="format") as caught:
        build_format(format)
    assert caught.value.argument == "format"


def test_a_schema_that_is_no_json_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match=r"format\.enum\[0\]"):
        build_format({"enum": [float("nan")]})


def test_pydantic_is_not_imported_for_types_that_do_without() -> None:
    program = (
        "import sys; from dataclasses import dataclass\n"
        "from manager.schemas import json_schema_of, parse_output\n"
        "assert 'msgspec' not in sys.modules\n"
        "@dataclass\nclass A:\n    x: int\n"
        "assert parse_output(A, '{\"x\": 1}') == A(1)\n"
        "assert 'pydantic' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
