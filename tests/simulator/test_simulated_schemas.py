"""Instances of JSON schemas: whatever the schema, the instance satisfies it."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manager.simulator.json_schema import UnsupportedSchemaError, instance

SCHEMAS: list[dict[str, Any] | bool] = [
    True,
    {},
    {"type": "object"},
    {"type": ["null", "integer"], "minimum": 3},
    {"const": {"a": [1]}},
    {"enum": [None, "b"]},
    {"type": "string", "minLength": 30, "maxLength": 31},
    {"type": "string", "maxLength": 0},
    {"type": "string", "pattern": "^[A-Z]{3}-\\d+$"},
    {"type": "string", "format": "date-time"},
    {"type": "integer", "exclusiveMinimum": 3, "maximum": 4},
    {"type": "integer", "multipleOf": 7, "minimum": 8},
    {"type": "integer", "multipleOf": 2.5, "minimum": 1},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.001},
    {"type": "number", "minimum": -2, "exclusiveMaximum": -1},
    {"type": "number", "multipleOf": 0.25, "minimum": 0.3},
    {"type": "array", "items": {"enum": [1, 2, 3]}, "uniqueItems": True, "minItems": 3},
    {"type": "array", "items": {"type": "boolean"}, "uniqueItems": True, "minItems": 2},
    {"type": "array", "maxItems": 0},
    {"minLength": 3},
    {"minimum": 3},
    {"items": {"type": "integer"}, "minItems": 2},
    {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
    {"allOf": [{"enum": [1, 2, 3]}, {"enum": [3, 4]}]},
    {"type": "string", "minLength": 3, "pattern": "^(?=a)"},
    {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "null"}], "items": False},
    {"type": "array", "contains": {"const": 5}},
    {"type": "object", "minProperties": 2, "additionalProperties": {"type": "integer"}},
    {"type": "object", "required": ["x"]},
    {"anyOf": [{"type": "null"}, {"type": "string"}]},
    {"oneOf": [{"type": "integer", "minimum": 2, "maximum": 1}, {"type": "boolean"}]},
    {"allOf": [{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
               {"properties": {"b": {"type": "string"}}, "required": ["b"]}]},
    {"allOf": [{"minimum": 3}, {"minimum": 5}, {"maximum": 6}], "type": "integer"},
    {"$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"type": "integer"}}, "$ref": "#/$defs/A"},
    {"$defs": {"N": {"type": "object", "required": ["v"], "properties": {
        "v": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#/$defs/N"}, {"type": "null"}]}}}},
     "$ref": "#/$defs/N"},
    {"$defs": {"N": {"type": "object", "required": ["kids"], "properties": {
        "kids": {"type": "array", "items": {"$ref": "#/$defs/N"}}}}}, "$ref": "#/$defs/N"},
    {"$defs": {"a/b": {"type": "null"}}, "$ref": "#/$defs/a~1b"},
]  # fmt: skip


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_the_instance_satisfies_the_schema(schema: dict[str, Any] | bool) -> None:
    jsonschema.Draft202012Validator(schema).validate(instance(schema))


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"type": "foo"},
        {"type": "string", "pattern": "^a(?<=b)"},
        {"properties": {"a": 3}, "required": ["a"]},
        {"$ref": "#/$defs/missing"},
        {"$ref": "https://example.com/schema"},
        {"$defs": {"A": {"$ref": "#/$defs/A"}}, "$ref": "#/$defs/A"},
        {"type": "integer", "minimum": 3, "maximum": 2},
        {"type": "object", "properties": {"a": False}, "required": ["a"]},
        {"type": "array", "items": {"const": 1}, "uniqueItems": True, "minItems": 2},
    ],
    ids=str,
)
def test_what_cannot_be_satisfied_is_refused(schema: Any) -> None:
    with pytest.raises(UnsupportedSchemaError):
        instance(schema)


def test_texts_say_that_they_are_simulated_unless_there_is_a_hint() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    assert instance(schema) == {"city": "simulated city"}
    assert instance(schema, lambda name: name.upper()) == {"city": "CITY"}


def scalars() -> st.SearchStrategy[dict[str, Any]]:
    sizes = st.integers(min_value=0, max_value=40)
    bounds = st.integers(min_value=-1000, max_value=1000)
    texts = st.tuples(sizes, sizes).map(
        lambda pair: {"type": "string", "minLength": min(pair), "maxLength": max(pair)}
    )
    numbers = st.tuples(bounds, bounds, st.sampled_from(["integer", "number"])).map(
        lambda triple: {
            "type": triple[2], "minimum": min(triple[:2]), "maximum": max(triple[:2])
        }
    )  # fmt: skip
    others = st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"enum": ["a", 1, None]}])
    return texts | numbers | others


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from(["alpha", "beta", "gamma", "delta"])
    objects = st.tuples(st.dictionaries(names, inner), st.booleans()).map(
        lambda pair: {
            "type": "object", "properties": pair[0],
            "required": list(pair[0]) if pair[1] else [], "additionalProperties": False,
        }
    )  # fmt: skip
    arrays = st.tuples(inner, st.integers(min_value=0, max_value=3)).map(
        lambda pair: {"type": "array", "items": pair[0], "minItems": pair[1]}
    )
    choices = st.lists(inner, min_size=1, max_size=3).map(lambda options: {"anyOf": options})
    return objects | arrays | choices


@given(st.recursive(scalars(), containers, max_leaves=12))
@settings(deadline=None)
def test_any_schema_is_satisfied(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(schema).validate(instance(schema))
