"""An instance of a JSON schema: the smallest that looks like an answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from manager.simulator.json_check import same, satisfies
from manager.simulator.json_numbers import number
from manager.simulator.json_types import is_list, is_object
from manager.simulator.patterns import matching

if TYPE_CHECKING:
    from collections.abc import Mapping

Hint = Callable[[str], str | None]
"""A plausible text for a property of a given name, if there is one."""

_MAX_DEPTH = 24
_DEEP = 10
"""From here on, only what is required."""
_TRIES = 12
_MOST_DIFFERENT = 1000
_FORMATS = {
    "date-time": "2026-01-01T12:00:00Z",
    "date": "2026-01-01",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "simulated@example.com",
    "idn-email": "simulated@example.com",
    "hostname": "simulated.example.com",
    "idn-hostname": "simulated.example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/simulated",
    "uri-reference": "https://example.com/simulated",
    "iri": "https://example.com/simulated",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "json-pointer": "/simulated",
    "regex": "simulated",
}
_OBJECT_WORDS = {"properties", "required", "additionalProperties", "minProperties"}
_ARRAY_WORDS = {"items", "prefixItems", "minItems", "maxItems", "contains", "uniqueItems"}
_STRING_WORDS = {"minLength", "maxLength", "pattern", "format"}
_LEAST = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}
_MOST = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}
_NUMBER_WORDS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}


class UnsupportedSchemaError(Exception):
    """A schema that no instance can be made for."""


def instance(schema: Any, hint: Hint | None = None) -> Any:
    """Make an instance of a schema.

    Covers types, properties, enum, const, anyOf, oneOf, allOf, local ``$ref``, lengths, ranges,
    patterns and formats. ``not``, ``if`` and the like do not guide the search, but what does not
    satisfy them is not taken either.

    Args:
        schema: The schema: a mapping, or True.
        hint: Gives texts for string properties that ask for nothing special.

    Returns:
        JSON-ready data.

    Raises:
        UnsupportedSchemaError: The type is unknown, a reference leads nowhere or round in
            circles, or nothing can satisfy the schema.
    """
    builder = _Builder(schema, hint or (lambda _name: None))
    for salt in range(_TRIES):
        value = builder.build(schema, "value", 0, salt)
        if builder.fits(value, schema):
            return value
    raise UnsupportedSchemaError("no value found that satisfies the schema")


class _Builder:
    def __init__(self, root: Any, hint: Hint) -> None:
        self._root = root
        self._hint = hint

    def fits(self, value: Any, schema: Any) -> bool:
        return satisfies(value, schema, self._resolve)

    def build(self, schema: Any, name: str, depth: int, salt: int = 0) -> Any:
        if depth > _MAX_DEPTH:
            raise UnsupportedSchemaError("the schema refers to itself without end")
        if schema is True or schema == {}:
            return self._string({}, name, salt)
        if not is_object(schema):
            raise UnsupportedSchemaError(f"not a schema: {schema!r}")
        flat = self._flatten(schema, depth)
        if "const" in flat:
            return flat["const"]
        if is_list(flat.get("enum")):
            return self._choice(flat, salt)
        for word in ("anyOf", "oneOf"):
            if flat.get(word):
                return self._first_possible(flat, word, name, depth, salt)
        return self._by_type(flat, name, depth, salt)

    def _flatten(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        """Follow the reference and merge what must all hold."""
        seen = 0
        while "$ref" in schema:
            seen += 1
            if seen > _MAX_DEPTH:
                raise UnsupportedSchemaError("a reference that leads round in circles")
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            schema = _merged(self._resolve(schema["$ref"]), rest)
        parts: list[Any] = schema.get("allOf") or []
        for part in parts:
            if is_object(part) and depth <= _MAX_DEPTH:
                flat = self._flatten(part, depth + 1)
                schema = _merged(flat, {k: v for k, v in schema.items() if k != "allOf"})
        return schema

    def _resolve(self, reference: Any) -> dict[str, Any]:
        target: Any = self._root
        text = str(reference)
        if not text.startswith("#"):
            raise UnsupportedSchemaError(f"only local references are followed, not {text}")
        for step in text[1:].split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            if not is_object(target) or key not in target:
                raise UnsupportedSchemaError(f"{text} leads nowhere")
            target = target[key]
        return target if is_object(target) else {}

    def _first_possible(
        self, flat: dict[str, Any], word: str, name: str, depth: int, salt: int
    ) -> Any:
        base = {key: value for key, value in flat.items() if key != word}
        options: list[Any] = flat[word]
        problem = UnsupportedSchemaError(f"no option of {word} can be satisfied")
        # Null comes last: it satisfies, but says nothing. Deep down it comes first: a schema that
        # contains itself ends there.
        is_deep = depth > _DEEP
        for option in sorted(options, key=lambda each: _is_null(each) != is_deep):
            for other in range(salt, salt + _TRIES):
                try:
                    merged = _merged(base, self._flatten({"allOf": [option]}, depth))
                    value = self.build(merged, name, depth + 1, other)
                except UnsupportedSchemaError as error:
                    problem = error
                    break
                # Of oneOf, no other may be satisfied as well.
                if self.fits(value, flat):
                    return value
        raise problem

    def _choice(self, flat: dict[str, Any], salt: int) -> Any:
        """One of the values of an enum that the rest of the schema allows."""
        allowed = [value for value in flat["enum"] if self.fits(value, flat)]
        choices = [value for value in allowed if value is not None] or allowed
        if not choices:
            raise UnsupportedSchemaError("the schema allows no value of its enum")
        return choices[salt % len(choices)]

    def _by_type(self, flat: dict[str, Any], name: str, depth: int, salt: int) -> Any:
        kind = _type_of(flat)
        match kind:
            case "object":
                return self._object(flat, depth)
            case "array":
                return self._array(flat, name, depth)
            case "string":
                return self._string(flat, name, salt)
            case "integer" | "number":
                found = number(flat, kind == "integer", salt)
                if found is None:
                    raise UnsupportedSchemaError("no number lies in the range")
                return found
            case "boolean":
                return salt % 2 == 0
            case "null":
                return None
            case _:
                raise UnsupportedSchemaError(f"unknown type {kind!r}")

    def _object(self, flat: dict[str, Any], depth: int) -> dict[str, Any]:
        properties: dict[str, Any] = flat.get("properties") or {}
        required: list[str] = flat.get("required") or []
        most = flat.get("maxProperties", math.inf)
        found: dict[str, Any] = {}
        for key, schema in properties.items():
            missing = sum(other not in found for other in required)
            is_optional = key not in required
            if is_optional and (depth > _DEEP or len(found) + missing >= most):
                continue
            try:
                found[key] = self.build(schema, key, depth + 1)
            except UnsupportedSchemaError:
                # What may be left out ends a schema that contains itself.
                if not is_optional:
                    raise
        extra = flat.get("additionalProperties", True)
        for key in required:
            if key not in found:
                found[key] = self.build(extra, key, depth + 1)
        added = 0
        while len(found) < flat.get("minProperties", 0):
            added += 1
            found.setdefault(f"key{added}", self.build(extra, f"key{added}", depth + 1))
        return found

    def _array(self, flat: dict[str, Any], name: str, depth: int) -> list[Any]:
        items: Any = flat.get("items", True)
        first: list[Any] = items if is_list(items) else flat.get("prefixItems", [])
        least, most = flat.get("minItems", 0), flat.get("maxItems", math.inf)
        entries = [self.build(schema, name, depth + 1) for schema in first[: int(min(most, 99))]]
        wanted = min(most, max(least, len(entries), 1))
        if "contains" in flat and len(entries) < most:
            count = flat.get("minContains", 1)
            # Where there is a rule for every entry, it holds for these too.
            wish = {"allOf": [flat["contains"], items]} if is_object(items) else flat["contains"]
            entries += [self.build(wish, name, depth + 1, n) for n in range(count)]
        if items is False or is_list(items):
            return entries
        salt = 0
        while len(entries) < wanted:
            try:
                entry = self.build(items, name, depth + 1, salt)
            except UnsupportedSchemaError:
                if len(entries) >= least:
                    break
                raise
            salt += 1
            if flat.get("uniqueItems") and any(same(entry, other) for other in entries):
                if salt > _MOST_DIFFERENT:
                    raise UnsupportedSchemaError("too few different items")
                continue
            entries.append(entry)
        return entries

    def _string(self, flat: Mapping[str, Any], name: str, salt: int) -> str:
        least, most = flat.get("minLength", 0), flat.get("maxLength")
        pattern = flat.get("pattern")
        if isinstance(pattern, str):
            text = matching(pattern, least + salt, most) or matching(pattern, least, most)
            if text is None:
                raise UnsupportedSchemaError(f"no text found for the pattern {pattern}")
            return text
        special = _FORMATS.get(flat.get("format", ""))
        text = special or self._hint(name) or f"simulated {name}"
        if salt and special is None:
            text = f"{text} {salt + 1}"
        if len(text) < least:
            text += "." * (least - len(text))
        if most is None or len(text) <= most:
            return text
        tail = str(salt + 1) if salt else ""
        return (text[: max(0, most - len(tail))] + tail)[:most] if most else ""


def _is_null(option: Any) -> bool:
    return is_object(option) and option.get("type") == "null"


def _merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Two schemas that must both hold, as one."""
    result = dict(first)
    for key, value in second.items():
        old = result.get(key)
        if key == "properties" and is_object(old):
            both = {name: {"allOf": [old[name], value[name]]} for name in old if name in value}
            result[key] = {**old, **value, **both}
        elif key == "type" and old is not None:
            result[key] = _common_types(old, value)
        elif key == "required" and is_list(old):
            result[key] = list(dict.fromkeys([*old, *value]))
        elif key == "enum" and is_list(old):
            result[key] = [entry for entry in old if any(same(entry, other) for other in value)]
        elif key in _LEAST and old is not None:
            result[key] = max(old, value)
        elif key in _MOST and old is not None:
            result[key] = min(old, value)
        else:
            result[key] = value
    return result


def _common_types(first: Any, second: Any) -> list[str]:
    """The types that two schemas have in common; every integer is a number."""
    ones: list[str] = first if is_list(first) else [first]
    others: list[str] = second if is_list(second) else [second]
    common = [kind for kind in ones if kind in others]
    for some, more in ((ones, others), (others, ones)):
        if "integer" in some and "number" in more and "integer" not in common:
            common.append("integer")
    if not common:
        raise UnsupportedSchemaError(f"nothing is both {first} and {second}")
    return common


def _type_of(flat: Mapping[str, Any]) -> str:
    kind: Any = flat.get("type")
    if is_list(kind):
        kind = next((entry for entry in kind if entry != "null"), "null")
    if kind is not None:
        return str(kind)
    for word, kinds_of in (
        ("object", _OBJECT_WORDS),
        ("array", _ARRAY_WORDS),
        ("number", _NUMBER_WORDS),
        ("string", _STRING_WORDS),
    ):
        if kinds_of & flat.keys():
            return word
    return "string"
