"""Types as JSON schemas, and answers as values of those types.

msgspec does the work for its own structs, dataclasses, attrs classes, typed dicts, named tuples,
enums, literals and builtin containers; pydantic does it for its own models, and is imported only
where the caller has imported it.
"""

from __future__ import annotations

import functools
import re
import sys
from types import FunctionType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar, cast

from manager.errors import InvalidRequestError, OutputParseError
from manager.json_values import check_json
from manager.narrowing import is_dict, is_list, is_mapping
from manager.spelling import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from manager.types import JSONObject

__all__ = ["build_format", "json_schema_of", "parse_output", "simplify_schema"]

T = TypeVar("T")

_REF = "#/$defs/"
_MAPS_OF_SCHEMAS = frozenset({"properties", "patternProperties", "dependentSchemas"})
_LISTS_OF_SCHEMAS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_SCHEMAS = frozenset(
    {"items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else"}
)
_PLACE = re.compile(r" - at `(.+)`$")


class _Codec(NamedTuple):
    schema: JSONObject
    decode: Callable[[str], object]


def build_format(
    format: object, *, argument: str = "format"
) -> Literal["json"] | JSONObject | None:
    """Return the ``format`` of a request.

    Args:
        format: ``"json"``, a JSON schema, or a type that the answer is to fit.
        argument: The name of the argument, for the error.

    Raises:
        InvalidRequestError: It is none of these.
    """
    if format is None:
        return None
    if isinstance(format, str):
        if format == "json":
            return "json"
        raise InvalidRequestError(
            f'{argument} must be "json", a JSON schema as a dict, or a type, got {shown(format)}',
            argument=argument,
            hint="Decode a schema in text form first: json.loads(...).",
        )
    if is_mapping(format):
        return cast("JSONObject", check_json(format, argument))
    return json_schema_of(format, argument=argument)


def json_schema_of(output_type: object, *, argument: str = "output_type") -> JSONObject:
    """Return the JSON schema of a type, as plain as Ollama's grammar likes it.

    References are resolved where the type is not recursive, titles are left out, and so are
    patterns that are not anchored at both ends, which the grammar cannot express;
    :func:`parse_output` still checks them.

    Args:
        output_type: A pydantic model, msgspec struct, attrs class, dataclass, typed dict, enum,
            or builtin type or container.
        argument: The name of the argument, for the error.

    Raises:
        InvalidRequestError: The type has no JSON schema.
    """
    schema: JSONObject = _copy(_codec(output_type, argument).schema)
    return schema


def parse_output(
    output_type: type[T],
    text: str,
    *,
    model: str | None = None,
    endpoint: str | None = None,
    request_id: str | None = None,
    attempts: int | None = None,
    partial: object = None,
) -> T:
    """Return the value that a model wrote down as JSON.

    Args:
        output_type: What :func:`json_schema_of` made the schema from.
        text: The whole text of the answer.
        model: The model that wrote it, for the error; the following ones likewise.
        endpoint: The method and path of the call.
        request_id: The id of the call.
        attempts: How often it was sent.
        partial: The answer that the text is from.

    Raises:
        OutputParseError: The text is no JSON or does not fit the type. ``text`` holds it,
            ``location`` is the place, such as ``$.items[2].price``.
        InvalidRequestError: The type has no JSON schema.
    """
    import msgspec

    codec = _codec(output_type, "output_type")
    try:
        return cast("T", codec.decode(text))
    except (msgspec.MsgspecError, ValueError) as error:
        reason, location = _explain(error)
        name = getattr(output_type, "__name__", str(output_type))
        raise OutputParseError(
            f"the answer does not fit {name}: {reason if text.strip() else 'it is empty'}",
            hint=_remedy(text, reason),
            model=model,
            endpoint=endpoint,
            request_id=request_id,
            attempts=attempts,
            partial=partial,
            text=text,
            location=location,
        ) from error


def simplify_schema(schema: Mapping[str, Any]) -> JSONObject:
    """Return a JSON schema without needless references, titles and unanchored patterns."""
    definitions = cast("dict[str, JSONObject]", schema.get("$defs", {}))
    kept: dict[str, JSONObject] = {}
    plain = _simplify(schema, definitions, kept)
    if kept:
        plain["$defs"] = kept
    return plain


def _codec(output_type: object, argument: str) -> _Codec:
    try:
        return _make_codec(output_type)
    except Exception as error:
        # Types run code of their own here: hooks, validators, annotations that do not resolve.
        name = getattr(output_type, "__name__", shown(output_type))
        raise InvalidRequestError(
            f"{argument} {name} has no JSON schema: {str(error).partition(chr(10))[0]}",
            argument=argument,
            hint="Use a pydantic model, msgspec struct, attrs class, dataclass, TypedDict, "
            "enum, or a builtin type or container of these.",
        ) from error


def _make_codec(output_type: object) -> _Codec:
    try:
        return _cached_codec(output_type)
    except TypeError:
        # Unhashable (metadata of an Annotated), or no type at all, which raises again.
        return _build_codec(output_type)


def _build_codec(output_type: object) -> _Codec:
    import msgspec

    if isinstance(output_type, str):
        raise TypeError("it is a text; give the type itself")
    pydantic = sys.modules.get("pydantic")
    if pydantic is None or not _is_pydantic(output_type):
        try:
            schema = msgspec.json.schema(output_type)
        except TypeError:
            # A pydantic model inside a list or a dataclass is foreign to msgspec. A function is
            # no type, but pydantic would describe its arguments.
            if pydantic is None or isinstance(output_type, FunctionType):
                raise
        else:
            decoder = msgspec.json.Decoder(cast("type[object]", output_type))
            return _Codec(simplify_schema(schema), decoder.decode)
    adapter: Any = pydantic.TypeAdapter(output_type)
    return _Codec(simplify_schema(adapter.json_schema()), adapter.validate_json)


_cached_codec = functools.lru_cache(maxsize=128)(_build_codec)


def _is_pydantic(output_type: object) -> bool:
    return hasattr(output_type, "__pydantic_core_schema__")


def _simplify(
    node: Mapping[str, Any],
    definitions: Mapping[str, JSONObject],
    kept: dict[str, JSONObject],
) -> JSONObject:
    """Return one schema made plain; definitions that must stay are put into ``kept``."""
    reference = node.get("$ref")
    if isinstance(reference, str) and (name := reference.removeprefix(_REF)) in definitions:
        siblings = {key: value for key, value in node.items() if key not in ("$ref", "$defs")}
        if _is_recursive(name, definitions):
            if name not in kept:
                kept[name] = {}  # Holds the place while its own content is made plain.
                kept[name] = _simplify(definitions[name], definitions, kept)
            return {"$ref": reference, **siblings}
        return _simplify(definitions[name] | siblings, definitions, kept)
    plain: JSONObject = {}
    for key, value in node.items():
        if key in ("title", "$defs", "discriminator"):
            continue
        if key == "pattern" and not _is_anchored(value):
            continue
        plain[key] = _simplify_value(key, value, definitions, kept)
    return plain


def _simplify_value(
    key: str,
    value: Any,
    definitions: Mapping[str, JSONObject],
    kept: dict[str, JSONObject],
) -> Any:
    if key in _MAPS_OF_SCHEMAS and is_dict(value):
        return {name: _simplify_any(item, definitions, kept) for name, item in value.items()}
    if key in _LISTS_OF_SCHEMAS and is_list(value):
        return [_simplify_any(item, definitions, kept) for item in value]
    if key in _SCHEMAS:
        return _simplify_any(value, definitions, kept)
    return value


def _simplify_any(
    value: Any,
    definitions: Mapping[str, JSONObject],
    kept: dict[str, JSONObject],
) -> Any:
    return _simplify(value, definitions, kept) if is_dict(value) else value


def _is_recursive(name: str, definitions: Mapping[str, JSONObject]) -> bool:
    seen: set[str] = set()
    waiting = list(_references(definitions[name]))
    while waiting:
        reached = waiting.pop()
        if reached == name:
            return True
        if reached not in seen and reached in definitions:
            seen.add(reached)
            waiting.extend(_references(definitions[reached]))
    return False


def _references(value: object) -> set[str]:
    if is_dict(value):
        found: set[str] = set()
        for key, item in value.items():
            if key == "$ref" and isinstance(item, str):
                found.add(item.removeprefix(_REF))
            else:
                found |= _references(item)
        return found
    if is_list(value):
        return {name for item in value for name in _references(item)}
    return set()


def _is_anchored(pattern: object) -> bool:
    return isinstance(pattern, str) and pattern.startswith("^") and pattern.endswith("$")


def _copy(value: Any) -> Any:
    if is_dict(value):
        return {key: _copy(item) for key, item in value.items()}
    if is_list(value):
        return [_copy(item) for item in value]
    return value


def _explain(error: Exception) -> tuple[str, str | None]:
    """Return why a text did not fit, and where."""
    errors = getattr(error, "errors", None)
    if callable(errors):  # pydantic
        first = cast("list[dict[str, Any]]", errors())[0]
        steps = cast("tuple[int | str, ...]", first["loc"])
        place = "$" + "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in steps)
        return f"{first['msg']} at {place}", place
    message = str(error)
    match = _PLACE.search(message)
    if match is None:
        return message, None
    return f"{message[: match.start()]} at {match[1]}", match[1]


def _remedy(text: str, reason: str) -> str:
    if not text.strip() or "truncated" in reason or "EOF" in reason:
        return "The answer seems cut off: raise num_predict or num_ctx, or shorten the prompt."
    return "The text is in error.text; ask again, or describe the wanted form in the prompt."
