"""The fields of each request, by the name of its type in Ollama."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from manager.simulator import go_json
from manager.simulator.exchange import ApiError
from manager.simulator.fields import (
    Place,
    anything,
    boolean,
    duration,
    image,
    integer,
    kind_of,
    list_of,
    mapping,
    string,
    string_mapping,
    struct,
    think,
)
from manager.simulator.json_types import is_object

if TYPE_CHECKING:
    from manager.simulator.fields import (
        Kind,
    )

IMAGES = list_of(image, "[]api.ImageData")


def _arguments(value: Any, place: Place) -> dict[str, Any]:
    if not is_object(value):
        raise ApiError(400, "Value looks like object, but can't find closing '}' symbol")
    return value


_TOOL_CALL = struct(
    "api.ToolCall",
    {
        "id": string,
        "function": struct(
            "api.ToolCallFunction", {"index": integer, "name": string, "arguments": _arguments}
        ),
    },
)
MESSAGE = struct(
    "api.Alias",
    {
        "role": string,
        "content": string,
        "thinking": string,
        "images": IMAGES,
        "tool_calls": list_of(_TOOL_CALL, "[]api.ToolCall"),
        "tool_name": string,
        "tool_call_id": string,
    },
)
MESSAGES = list_of(MESSAGE, "[]api.Message")
_KNOWN_PARAMETERS = struct(
    "api.ToolFunctionParameters",
    {"type": string, "properties": mapping, "required": list_of(string, "[]string")},
    name="ToolFunctionParameters",
)


def _parameters(value: Any, place: Place) -> dict[str, Any]:
    # Kept whole: what the tool asks of its arguments may stand in fields unknown to Ollama.
    _KNOWN_PARAMETERS(value, place)
    return mapping(value, place)


TOOL = struct(
    "api.Tool",
    {
        "type": string,
        "items": anything,
        "function": struct(
            "api.ToolFunction",
            {"name": string, "description": string, "parameters": _parameters},
            name="ToolFunction",
        ),
    },
    name="Tool",
)
_RUN: dict[str, Kind] = {
    "model": string,
    "stream": boolean,
    "format": anything,
    "keep_alive": duration,
    "options": mapping,
    "think": think,
    "truncate": boolean,
    "shift": boolean,
    "_debug_render_only": boolean,
    "logprobs": boolean,
    "top_logprobs": integer,
}
_NAMED: dict[str, Kind] = {"model": string, "name": string}
_TRANSFER: dict[str, Kind] = {
    **_NAMED,
    "insecure": boolean,
    "username": string,
    "password": string,
    "stream": boolean,
}

FIELDS: dict[str, dict[str, Kind]] = {
    "ChatRequest": {**_RUN, "messages": MESSAGES, "tools": list_of(TOOL, "api.Tools")},
    "GenerateRequest": {
        **_RUN,
        "prompt": string,
        "suffix": string,
        "system": string,
        "template": string,
        "context": list_of(integer, "[]int"),
        "raw": boolean,
        "images": IMAGES,
    },
    "EmbedRequest": {
        "model": string,
        "input": anything,
        "keep_alive": duration,
        "truncate": boolean,
        "dimensions": integer,
        "options": mapping,
    },
    "EmbeddingRequest": {
        "model": string,
        "prompt": string,
        "keep_alive": duration,
        "options": mapping,
    },
    "PullRequest": _TRANSFER,
    "PushRequest": _TRANSFER,
    "DeleteRequest": _NAMED,
    "ShowRequest": {
        **_NAMED,
        "system": string,
        "template": string,
        "verbose": boolean,
        "options": mapping,
    },
    "CopyRequest": {"source": string, "destination": string},
    "CreateRequest": {
        **_NAMED,
        **dict.fromkeys(
            (
                "quantize",
                "quantization",
                "draft_quantize",
                "from",
                "remote_host",
                "template",
                "system",
                "renderer",
                "parser",
                "requires",
            ),
            string,
        ),
        "stream": boolean,
        "files": string_mapping,
        "draft_files": string_mapping,
        "adapters": string_mapping,
        "license": anything,
        "parameters": mapping,
        "messages": MESSAGES,
        "info": mapping,
    },
}


def decode_request(go_type: str, body: bytes) -> dict[str, Any]:
    """Read the body of a request.

    Args:
        go_type: The name of the type in Ollama's API, such as ``ChatRequest``.
        body: The body as it came.

    Returns:
        The fields that were given; null counts as not given.

    Raises:
        ApiError: 400 with Ollama's own text.
    """
    value = go_json.decode(body)
    if value is None:
        return {}
    if not is_object(value):
        text = f"json: cannot unmarshal {kind_of(value)} into Go value of type api.{go_type}"
        raise ApiError(400, text)
    fields: dict[str, Any] = struct(go_type, FIELDS[go_type])(value, Place(go_type, ""))
    return fields
