"""Whether a value satisfies a JSON schema: the keywords that grammars for models know."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from manager.simulator.json_types import is_list, is_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SLACK = 1e-9
_DEEPEST = 200


def satisfies(value: Any, schema: Any, resolve: Callable[[Any], Any], depth: int = 0) -> bool:
    """Whether a value satisfies a schema.

    Args:
        value: JSON-ready data.
        schema: A mapping, or a boolean.
        resolve: Gives the schema that a ``$ref`` means.
        depth: How many schemas this one is within.
    """
    if isinstance(schema, bool):
        return schema
    if not is_object(schema) or depth > _DEEPEST:
        return False

    def holds(part: Any, inner: Any = value) -> bool:
        return satisfies(inner, part, resolve, depth + 1)

    checks = (*_general(value, schema), *_combined(schema, holds, resolve))
    if not all(checks):
        return False
    if isinstance(value, str):
        return all(_text(value, schema))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return all(_number(value, schema))
    if is_list(value):
        return all(_array(value, schema, holds))
    if is_object(value):
        return all(_object(value, schema, holds))
    return True


def same(first: Any, second: Any) -> bool:
    """Whether two values are equal in JSON, where true is not 1."""
    if isinstance(first, bool) or isinstance(second, bool):
        return first is second
    if is_list(first) and is_list(second):
        pairs = zip(first, second, strict=False)
        return len(first) == len(second) and all(same(one, other) for one, other in pairs)
    if is_object(first) and is_object(second):
        keys = first.keys() == second.keys()
        return keys and all(same(first[key], second[key]) for key in first)
    return bool(first == second)


def is_of_type(value: Any, kind: Any) -> bool:
    """Whether a value is of a type, by the type's name in JSON schema."""
    match kind:
        case "integer":
            is_whole = isinstance(value, float) and value.is_integer()
            return (isinstance(value, int) and not isinstance(value, bool)) or is_whole
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
        case "array":
            return is_list(value)
        case "object":
            return is_object(value)
        case _:
            return False


def _general(value: Any, schema: dict[str, Any]) -> Iterator[bool]:
    if "type" in schema:
        kinds: Any = schema["type"]
        yield any(is_of_type(value, kind) for kind in (kinds if is_list(kinds) else [kinds]))
    if "const" in schema:
        yield same(value, schema["const"])
    if is_list(schema.get("enum")):
        yield any(same(value, entry) for entry in schema["enum"])


def _combined(
    schema: dict[str, Any], holds: Callable[[Any], bool], resolve: Callable[[Any], Any]
) -> Iterator[bool]:
    if "$ref" in schema:
        yield holds(resolve(schema["$ref"]))
    for part in schema.get("allOf") or ():
        yield holds(part)
    if schema.get("anyOf"):
        yield any(holds(part) for part in schema["anyOf"])
    if schema.get("oneOf"):
        yield sum(holds(part) for part in schema["oneOf"]) == 1
    if "not" in schema:
        yield not holds(schema["not"])
    if "if" in schema:
        yield holds(schema.get("then" if holds(schema["if"]) else "else", True))


def _text(value: str, schema: dict[str, Any]) -> Iterator[bool]:
    yield schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
    if isinstance(schema.get("pattern"), str):
        yield re.search(schema["pattern"], value) is not None


def _number(value: float, schema: dict[str, Any]) -> Iterator[bool]:
    low, high = schema.get("minimum", value), schema.get("maximum", value)
    yield low <= value <= high
    # Draft 4 wrote booleans here, which turn the bound beside them into an open one.
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if above is not None and above is not False:
        yield value > (low if above is True else above)
    if below is not None and below is not False:
        yield value < (high if below is True else below)
    if schema.get("multipleOf"):
        steps = value / schema["multipleOf"]
        yield abs(steps - round(steps)) < _SLACK


def _array(
    value: list[Any], schema: dict[str, Any], holds: Callable[[Any, Any], bool]
) -> Iterator[bool]:
    yield schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
    items: Any = schema.get("items", True)
    # Before 2020 a list of schemas stood under ``items``.
    first: list[Any] = items if is_list(items) else schema.get("prefixItems", [])
    rest = schema.get("additionalItems", True) if is_list(items) else items
    for index, entry in enumerate(value):
        yield holds(first[index] if index < len(first) else rest, entry)
    if schema.get("uniqueItems"):
        pairs = ((one, other) for n, one in enumerate(value) for other in value[:n])
        yield not any(same(one, other) for one, other in pairs)
    if "contains" in schema:
        count = sum(holds(schema["contains"], entry) for entry in value)
        yield schema.get("minContains", 1) <= count <= schema.get("maxContains", count)


def _object(
    value: dict[str, Any], schema: dict[str, Any], holds: Callable[[Any, Any], bool]
) -> Iterator[bool]:
    yield schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", len(value))
    yield all(key in value for key in schema.get("required") or ())
    dependent: dict[str, list[str]] = schema.get("dependentRequired") or {}
    for key, others in dependent.items():
        yield key not in value or all(other in value for other in others)
    named: dict[str, Any] = schema.get("properties") or {}
    patterns: dict[str, Any] = schema.get("patternProperties") or {}
    for key, entry in value.items():
        yield holds(schema.get("propertyNames", True), key)
        parts = [part for pattern, part in patterns.items() if re.search(pattern, key)]
        parts += [named[key]] if key in named else []
        yield all(holds(part, entry) for part in parts)
        yield bool(parts) or holds(schema.get("additionalProperties", True), entry)
