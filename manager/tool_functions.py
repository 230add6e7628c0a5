"""Python functions as tools that a model may call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from manager.docstrings import read_docstring
from manager.errors import InvalidRequestError
from manager.narrowing import is_dict, is_list
from manager.schemas import json_schema_of
from manager.spelling import shown

if TYPE_CHECKING:
    import inspect
    from collections.abc import Callable, Mapping

    from manager.types import JSONObject

__all__ = ["tool_from_function"]


def tool_from_function(
    function: Callable[..., object], *, argument: str = "function"
) -> JSONObject:
    """Return the description of a Python function as a tool, in Ollama's form.

    The name is the function's, the description its docstring up to the first section, the
    parameters come from the annotations, their descriptions from ``Annotated[T, "..."]`` or from
    the docstring, in the style of Google, numpy or Sphinx. What has a default is not required.

    Args:
        function: A function or method; it may be asynchronous.
        argument: What it is called, for the error.

    Raises:
        InvalidRequestError: A parameter has no annotation, or one that is recursive or without
            a JSON schema.
    """
    name = getattr(function, "__name__", None)
    if isinstance(function, type) or not isinstance(name, str) or not name.isidentifier():
        raise InvalidRequestError(
            f"{argument} is {shown(function)}, which is no function with a name",
            argument=argument,
            hint="Wrap it in a function: def name(...): ...",
        )
    import inspect

    summary, documented = read_docstring(inspect.getdoc(function) or "")
    parameters = _describe_parameters(function, name, documented, argument)
    described: JSONObject = {"name": name, "parameters": parameters}
    if summary:
        described["description"] = summary
    return {"type": "function", "function": described}


def _describe_parameters(
    function: Callable[..., object], name: str, documented: Mapping[str, str], argument: str
) -> JSONObject:
    properties: JSONObject = {}
    required: list[str] = []
    hints = _hints(function, name, argument)
    for parameter in _signature(function, name, argument):
        schema = _describe_parameter(parameter, hints, name, argument)
        if parameter.name in documented:
            schema.setdefault("description", documented[parameter.name])
        properties[parameter.name] = schema
        if parameter.default is parameter.empty:
            required.append(parameter.name)
    described: JSONObject = {"type": "object", "properties": properties}
    if required:
        described["required"] = required
    return described


def _signature(
    function: Callable[..., object], name: str, argument: str
) -> list[inspect.Parameter]:
    import inspect

    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        raise InvalidRequestError(
            f"{argument}: the parameters of {name} are unknown to Python: {error}",
            argument=argument,
            hint="Describe the tool as a dict instead.",
        ) from error
    for parameter in parameters:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise InvalidRequestError(
                f"{argument}: the parameter {parameter} of {name} cannot be given by name",
                argument=argument,
                hint="Models give arguments by name; write each of them out.",
            )
    return parameters


def _hints(function: Callable[..., object], name: str, argument: str) -> Mapping[str, object]:
    import typing

    try:
        # Of a method through its function; of a wrapper through what it wraps.
        return typing.get_type_hints(function, include_extras=True)
    except Exception as error:
        # Annotations in string form are code, and may raise anything.
        raise InvalidRequestError(
            f"{argument}: an annotation of {name} does not resolve: {error}",
            argument=argument,
            hint="Import the type at run time, not only under TYPE_CHECKING.",
        ) from error


def _describe_parameter(
    parameter: inspect.Parameter, hints: Mapping[str, object], name: str, argument: str
) -> JSONObject:
    if parameter.name not in hints:
        if parameter.name in ("self", "cls"):
            remedy = f"Give the method of an object: the_object.{name}."
        else:
            remedy = f"Annotate it, for example {parameter.name}: str."
        raise InvalidRequestError(
            f"{argument}: the parameter {parameter.name} of {name} has no annotation",
            argument=argument,
            hint=remedy,
        )
    annotation = hints[parameter.name]
    try:
        schema = json_schema_of(annotation, argument=parameter.name)
    except InvalidRequestError as error:
        raise InvalidRequestError(
            f"{argument}: the parameter {error.message.replace(' has', f' of {name} has', 1)}",
            argument=argument,
            hint=error.hint,
        ) from error
    if "$defs" in schema:
        raise InvalidRequestError(
            f"{argument}: the parameter {parameter.name} of {name} has a recursive type, of which "
            "Ollama would drop all but the first level",
            argument=argument,
            hint="Describe the tool as a dict, as deep as is needed, or take the JSON as a str.",
        )
    schema.pop("default", None)
    if parameter.default is None:
        schema = _without_null(schema)
    described = _annotated_description(annotation)
    if described:
        schema["description"] = described
    read: JSONObject = _as_ollama_reads(schema)
    return read


def _annotated_description(annotation: object) -> str | None:
    metadata: tuple[object, ...] = getattr(annotation, "__metadata__", ())
    return next((item for item in metadata if isinstance(item, str)), None)


def _without_null(schema: JSONObject) -> JSONObject:
    """Return the schema of ``T`` for ``T | None = None``: leaving it out says ``None``."""
    choices: list[JSONObject] = schema.get("anyOf", [])
    others = [choice for choice in choices if choice != {"type": "null"}]
    if len(others) == len(choices):
        return schema
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**others[0], **rest} if len(others) == 1 else {**rest, "anyOf": others}


def _as_ollama_reads(value: Any) -> Any:
    """Put ``const`` and ``oneOf``, which the server drops from tools, into words that it keeps."""
    if is_list(value):
        return [_as_ollama_reads(item) for item in value]
    if not is_dict(value):
        return value
    read: JSONObject = {}
    for key, item in value.items():
        if key == "properties":
            members: JSONObject = item
            read[key] = {name: _as_ollama_reads(member) for name, member in members.items()}
        elif key == "const":
            read["enum"] = [item]
        elif key in ("enum", "default", "examples"):
            read[key] = item
        else:
            read["anyOf" if key == "oneOf" else key] = _as_ollama_reads(item)
    # Prompt templates print the type of a parameter, an enum's too.
    if "type" not in read and (kind := _type_of(read.get("enum", []))):
        read["type"] = kind
    return read


_TYPES: dict[type[object], str] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    type(None): "null",
}


def _type_of(values: list[object]) -> str | list[str]:
    """Return the JSON type of some values, a list where they have several."""
    kinds = list(dict.fromkeys(_TYPES[type(value)] for value in values if type(value) in _TYPES))
    return kinds[0] if len(kinds) == 1 else kinds
