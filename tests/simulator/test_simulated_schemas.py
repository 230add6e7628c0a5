"""Instances of JSON schemas: whatever the schema, the instance satisfies it."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manager.simulator.json_check import satisfies
from manager.simulator.json_schema import UnsupportedSchemaError, instance
from manager.simulator.text import Question, answer

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
    {"oneOf": [{"type": "integer", "maximum": 5}, {"type": "integer", "minimum": 0}]},
    {"oneOf": [{"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]},
               {"type": "object", "properties": {"b": {"const": 2}}, "required": ["b"]}]},
    {"type": "integer", "enum": ["a", True, 3]},
    {"type": "string", "anyOf": [{"type": ["integer", "null"]}, {"minLength": 40}]},
    {"allOf": [{"properties": {"a": {"minimum": 3}}}, {"properties": {"a": {"maximum": 4}}}],
     "type": "object", "required": ["a"]},
    {"type": "object", "properties": {"a": {}, "b": {}, "c": {}}, "required": ["c"],
     "maxProperties": 2},
    {"type": "array", "items": {"type": "integer"}, "contains": {"minimum": 7}, "minItems": 2},
    {"type": "array", "items": {"enum": [1, True]}, "uniqueItems": True, "minItems": 2},
    {"type": "integer", "not": {"const": 0}},
    {"type": "string", "not": {"pattern": "value$"}},
    {"type": "array", "items": {}, "if": {"minItems": 1}, "then": {"maxItems": 3}},
    {"type": "object", "properties": {"ab": {"type": "string"}, "c": {}}, "required": ["ab"],
     "patternProperties": {"^a": {"minLength": 2}}, "propertyNames": {"maxLength": 2},
     "dependentRequired": {"ab": ["c"]}},
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
        {"type": "array", "items": {"type": "integer"}, "contains": {"type": "string"}},
        {"allOf": [{"type": "string"}, {"type": "integer"}]},
        {"type": "string", "enum": [1, 2]},
        {"oneOf": [{"const": 1}, {"const": 1}]},
        {"type": "object", "minProperties": 2, "maxProperties": 1},
        {"const": 1, "not": {}},
        {"type": "string", "if": True, "then": False},
        {"enum": [{"b": 1}], "propertyNames": {"const": "a"}},
        {"const": {"a": 1}, "dependentRequired": {"a": ["b"]}},
        {"const": [1, 1], "uniqueItems": True},
        {"const": 0.5, "type": "integer"},
        {"const": {"a": [1]}, "enum": [{"a": [True]}]},
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


def odd_scalars() -> st.SearchStrategy[dict[str, Any]]:
    """Schemas that people rarely write, some of which nothing satisfies."""
    values: st.SearchStrategy[Any] = st.sampled_from(["a", 1, True, None, 0.5, [1], {"b": 1}])
    bounds = st.integers(min_value=-9, max_value=9)
    types = st.sampled_from(["string", "integer", "number", "boolean", "null", "array", "object"])
    patterns = st.sampled_from(["^[a-z]+$", r"^\d{3}-\d{4}$", "^(foo|bar)$", "x+y*"])
    return st.fixed_dictionaries(
        {},
        optional={
            "type": types | st.lists(types, min_size=1, max_size=3, unique=True),
            "enum": st.lists(values, min_size=1, max_size=4),
            "const": values,
            "pattern": patterns,
            "minLength": st.integers(min_value=0, max_value=9),
            "exclusiveMinimum": bounds,
            "maximum": bounds,
            "multipleOf": st.sampled_from([1, 2, 3, 0.5, 0.25]),
            "maxProperties": st.integers(min_value=0, max_value=3),
            "uniqueItems": st.booleans(),
        },
    )


def odd_containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from(["alpha", "beta", "gamma"])
    several = st.lists(inner, min_size=1, max_size=3)
    few = st.integers(min_value=0, max_value=3)
    return st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(names, inner, max_size=3),
            "required": st.lists(names, max_size=2, unique=True),
            "additionalProperties": st.booleans() | inner,
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "a$"]), inner, max_size=1),
            "minProperties": few,
            "items": inner,
            "prefixItems": several,
            "minItems": few,
            "contains": inner,
            "anyOf": several,
            "oneOf": several,
            "allOf": several,
            "not": inner,
            "if": inner,
            "then": inner,
        },
    )


def self_containing(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema within which ``#/$defs/Node`` means one that contains itself."""
    node = {
        "type": "object",
        "required": ["value", "left", "right"],
        "properties": {
            "value": schema,
            "left": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/Node"}]},
            "right": {"oneOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
        },
    }
    return {"$ref": "#/$defs/Node", "$defs": {"Node": node}}


odd_schemas = st.recursive(odd_scalars(), odd_containers, max_leaves=8)


@given(odd_schemas)
@settings(deadline=None)
def test_odd_schemas_are_satisfied_or_refused(schema: dict[str, Any]) -> None:
    with contextlib.suppress(UnsupportedSchemaError):
        jsonschema.Draft202012Validator(schema).validate(instance(schema))


@given(scalars())
@settings(deadline=None)
def test_schemas_that_contain_themselves_end_soon(schema: dict[str, Any]) -> None:
    whole = self_containing(schema)
    value = instance(whole)
    jsonschema.Draft202012Validator(whole).validate(value)
    assert len(json.dumps(value)) < 20_000


@given(odd_schemas, st.data())
@settings(deadline=None)
def test_the_check_agrees_with_a_validator(schema: dict[str, Any], data: st.DataObject) -> None:
    simple = (
        st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "abc", "foo", 0.5])
    )
    values = st.recursive(
        simple,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["alpha", "beta", "b"]), inner, max_size=3)
        ),
        max_leaves=5,
    )
    value = data.draw(values)
    validator = jsonschema.Draft202012Validator(schema)
    assert satisfies(value, schema, lambda _reference: False) == validator.is_valid(value)


@given(st.dictionaries(st.sampled_from(["city", "days", "unit"]), scalars()), st.booleans())
@settings(deadline=None)
def test_the_calls_of_tools_satisfy_their_parameters(
    properties: dict[str, Any], all_required: bool
) -> None:
    parameters = {"type": "object", "properties": properties}
    if all_required:
        parameters["required"] = list(properties)
    other = {"function": {"name": "get_time", "parameters": {"type": "object"}}}
    tool = {"function": {"name": "get_weather", "parameters": parameters}}
    asked = [{"role": "user", "content": "What is the weather in Rome, for 'three days'?"}]
    (call,) = answer(Question("m", asked, tools=[other, tool])).tool_calls
    assert call["function"]["name"] == "get_weather"
    jsonschema.Draft202012Validator(parameters).validate(call["function"]["arguments"])
