"""Tools that a model may call: dicts as Ollama describes them, or Python functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from manager.errors import InvalidRequestError
from manager.json_values import check_json, validate_text
from manager.narrowing import is_dict, is_iterable, is_list, is_mapping
from manager.spelling import did_you_mean, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ollama_api.models.tool import Tool

    from manager.types import JSONObject

__all__ = ["build_tools"]

_FORM = (
    'Write it as {"type": "function", "function": '
    '{"name": ..., "description": ..., "parameters": {...}}}, or give a Python function.'
)
_TOOL_KEYS = ("type", "function", "items")
_FUNCTION_KEYS = ("name", "description", "parameters")


def build_tools(tools: object, *, argument: str = "tools") -> list[Tool] | None:
    """Return the tools of a request.

    Args:
        tools: Python functions, dicts in Ollama's form, and ``Tool`` records, in any mixture.
        argument: The name of the argument, for the error.

    Raises:
        InvalidRequestError: One of them is malformed, no JSON, or a function whose parameters
            cannot be described, or two have one name.
    """
    if tools is None:
        return None
    if not is_iterable(tools):
        raise InvalidRequestError(
            f"{argument} must be a list of tools, got {type(tools).__name__}",
            argument=argument,
            hint="Put a single tool in a list: [...].",
        )
    from ollama_api.models.tool import Tool

    built: list[Tool] = []
    names: dict[str, int] = {}
    for index, item in enumerate(tools):
        place = f"{argument}[{index}]"
        described = _describe(item.to_dict() if isinstance(item, Tool) else item, place)
        name = described["function"]["name"]
        if name in names:
            raise InvalidRequestError(
                f'{place} and {argument}[{names[name]}] are both called "{name}"', argument=place
            )
        names[name] = index
        built.append(Tool.from_dict(described))
    return built or None


def _describe(item: object, place: str) -> JSONObject:
    if is_mapping(item):
        return _check_tool(item, place)
    if callable(item):
        from manager.tool_functions import tool_from_function  # few chats have any

        return tool_from_function(item, argument=place)
    raise InvalidRequestError(
        f"{place} is a {type(item).__name__}, which is no tool", argument=place, hint=_FORM
    )


def _check_tool(item: Mapping[object, object], place: str) -> JSONObject:
    tool = cast("JSONObject", check_json(item, place))
    if "function" not in tool and "name" in tool:
        raise InvalidRequestError(
            f"{place} is a function without the tool around it", argument=place, hint=_FORM
        )
    _check_keys(tool, _TOOL_KEYS, place)
    if tool.setdefault("type", "function") != "function":
        raise InvalidRequestError(
            f'{place}.type must be "function", got {shown(tool["type"])}', argument=f"{place}.type"
        )
    function = tool.get("function")
    if not is_dict(function):
        raise InvalidRequestError(f"{place} has no function", argument=place, hint=_FORM)
    _check_function(function, f"{place}.function")
    return tool


def _check_function(function: JSONObject, place: str) -> None:
    _check_keys(function, _FUNCTION_KEYS, place)
    name = validate_text(function.get("name", ""), f"{place}.name")
    if not name or not name.isprintable() or " " in name:
        raise InvalidRequestError(
            f"{place}.name must be a name without spaces, got {shown(name)}",
            argument=f"{place}.name",
        )
    if function.get("description") is None:
        function.pop("description", None)
    else:
        validate_text(function["description"], f"{place}.description")
    parameters = function.get("parameters")
    if parameters is None:
        function["parameters"] = {"type": "object", "properties": {}}
        return
    _check_parameters(parameters, f"{place}.parameters")


def _check_parameters(parameters: object, place: str) -> None:
    schema = _check_schema(parameters, place)
    if schema.setdefault("type", "object") != "object":
        raise InvalidRequestError(
            f'{place}.type must be "object", got {shown(schema["type"])}',
            argument=f"{place}.type",
            hint="The arguments of a tool have names; describe them under properties.",
        )
    properties: JSONObject = schema.setdefault("properties", {})
    required: list[object] = schema.get("required") or []
    for name in required:
        if name not in properties:
            raise InvalidRequestError(
                f"{place}.required names {shown(name)}, which properties do not have",
                argument=f"{place}.required",
                hint=did_you_mean(str(name), properties),
            )


def _check_schema(value: object, place: str) -> JSONObject:
    """Check the parts of a schema that the server reads with fixed types."""
    if not is_dict(value):
        raise InvalidRequestError(
            f"{place} must be a JSON schema, a dict, got {shown(value)}", argument=place
        )
    kind: object = value.get("type")
    if not (kind is None or isinstance(kind, str) or _is_list_of_strings(kind)):
        raise _malformed(f"{place}.type", "a string or a list of strings", kind)
    required: object = value.get("required")
    if required is not None and not _is_list_of_strings(required):
        raise _malformed(f"{place}.required", "a list of strings", required)
    properties: object = value.get("properties")
    if properties is not None:
        if not is_dict(properties):
            raise _malformed(f"{place}.properties", "a dict of JSON schemas", properties)
        for name, item in properties.items():
            _check_schema(item, f"{place}.properties.{name}")
    return value


def _is_list_of_strings(value: object) -> bool:
    return is_list(value) and all(isinstance(item, str) for item in value)


def _malformed(place: str, wanted: str, value: object) -> InvalidRequestError:
    return InvalidRequestError(f"{place} must be {wanted}, got {shown(value)}", argument=place)


def _check_keys(value: JSONObject, known: tuple[str, ...], place: str) -> None:
    for key in value:
        match = None if key in known else did_you_mean(key, known)
        # A key that is near no known one may be new in Ollama, and is passed on.
        if match:
            raise InvalidRequestError(
                f'{place} has the unknown key "{key}"', argument=f"{place}.{key}", hint=match
            )
