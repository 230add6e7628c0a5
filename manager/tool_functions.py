"""Python functions as tools that a model may call."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from manager.errors import InvalidRequestError
from manager.narrowing import is_dict, is_list
from manager.schemas import json_schema_of
from manager.spelling import shown

if TYPE_CHECKING:
    import inspect
    from collections.abc import Callable, Mapping

    from manager.types import JSONObject

__all__ = ["tool_from_function"]

_SECTION = re.compile(
    r"(Args|Arguments|Parameters|Params|Returns?|Yields?|Raises|Examples?|Notes?|Attributes"
    r"|Warnings?|See Also|References|Keyword Args|Keyword Arguments|Other Parameters|Todo):\s*"
)
_ARGUMENT_SECTIONS = ("Args", "Arguments", "Parameters", "Params", "Keyword Args")
_ARGUMENT = re.compile(r"(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)")


def tool_from_function(
    function: Callable[..., object], *, argument: str = "function"
) -> JSONObject:
    """Return the description of a Python function as a tool, in Ollama's form.

    The name is the function's, the description its docstring up to the first section, the
    parameters come from the annotations, their descriptions from ``Annotated[T, "..."]`` or from
    ``Args:`` of a Google-style docstring. What has a default is not required.

    Args:
        function: A function or method; it may be asynchronous.
        argument: What it is called, for the error.

    Raises:
        InvalidRequestError: A parameter has no annotation, or one without a JSON schema.
    """
    name = getattr(function, "__name__", None)
    if isinstance(function, type) or not isinstance(name, str) or not name.isidentifier():
        raise InvalidRequestError(
            f"{argument} is {shown(function)}, which is no function with a name",
            argument=argument,
            hint="Wrap it in a function: def name(...): ...",
        )
    summary, documented = _read_docstring(function)
    parameters = _describe_parameters(function, name, documented, argument)
    described: JSONObject = {"name": name, "parameters": parameters}
    if summary:
        described["description"] = summary
    return {"type": "function", "function": described}


def _describe_parameters(
    function: Callable[..., object], name: str, documented: Mapping[str, str], argument: str
) -> JSONObject:
    properties: JSONObject = {}
    definitions: JSONObject = {}
    required: list[str] = []
    hints = _hints(function, name, argument)
    for parameter in _signature(function, name, argument):
        schema = _describe_parameter(parameter, hints, name, argument)
        definitions.update(schema.pop("$defs", {}))
        if parameter.name in documented:
            schema.setdefault("description", documented[parameter.name])
        properties[parameter.name] = schema
        if parameter.default is parameter.empty:
            required.append(parameter.name)
    described: JSONObject = {"type": "object", "properties": properties}
    if required:
        described["required"] = required
    if definitions:
        described["$defs"] = definitions
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
        raise InvalidRequestError(
            f"{argument}: the parameter {parameter.name} of {name} has no annotation",
            argument=argument,
            hint=f"Annotate it, for example {parameter.name}: str.",
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
    if "type" not in read and all(isinstance(item, str) for item in read.get("enum", [0])):
        read["type"] = "string"
    return read


def _read_docstring(function: Callable[..., object]) -> tuple[str, dict[str, str]]:
    """Return the description and the descriptions of the arguments."""
    import inspect

    lines = (inspect.getdoc(function) or "").splitlines()
    sections = [index for index, line in enumerate(lines) if _SECTION.fullmatch(line)]
    summary = "\n".join(lines[: sections[0]] if sections else lines).strip()
    arguments: dict[str, str] = {}
    for start, end in zip(sections, [*sections[1:], len(lines)], strict=False):
        if lines[start].strip().rstrip(":") in _ARGUMENT_SECTIONS:
            arguments |= _read_arguments(lines[start + 1 : end])
    return summary, arguments


def _read_arguments(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    indent: int | None = None
    current = ""
    for line in lines:
        text = line.strip()
        if not text:
            continue
        depth = len(line) - len(line.lstrip())
        indent = depth if indent is None else indent
        match = _ARGUMENT.fullmatch(text) if depth <= indent else None
        if match:
            current = match[1]
            found[current] = match[2]
        elif current and depth > indent:
            found[current] = f"{found[current]} {text}".strip()
    return {name: text for name, text in found.items() if text}
