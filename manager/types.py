"""The types of arguments, as the signatures of the managers name them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, Protocol, Required, TypeAlias, TypedDict

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from ollama_api.models.message import Message
    from ollama_api.models.tool import Tool
    from ollama_api.models.tool_call import ToolCall

__all__ = [
    "JSON",
    "BinaryFile",
    "FormatInput",
    "ImageInput",
    "ImagesInput",
    "JSONObject",
    "KeepAlive",
    "MessageDict",
    "MessageInput",
    "Prompt",
    "Role",
    "Think",
    "ToolInput",
]

JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str | int | float | bool | None"
"""Any JSON value."""

JSONObject: TypeAlias = dict[str, Any]
"""A JSON object whose content is the caller's business, such as a JSON schema."""

Role: TypeAlias = Literal["system", "user", "assistant", "tool", "developer"]
"""Who speaks. A few models tell ``developer`` from ``system``."""


class BinaryFile(Protocol):
    """A file opened for reading bytes, ``io.BytesIO`` for one."""

    def read(self) -> bytes:
        """Return all that is left."""
        ...


ImageInput: TypeAlias = "bytes | bytearray | memoryview | os.PathLike[str] | BinaryFile | str"
"""An image: its bytes, the path of its file (a ``Path``, never a string), or base64 text."""

ImagesInput: TypeAlias = "ImageInput | Sequence[ImageInput]"
"""One image or several."""


class MessageDict(TypedDict, total=False):
    """A message of a conversation as a dict."""

    role: Required[Role]
    content: str
    thinking: str | None
    images: Sequence[ImageInput] | None
    tool_calls: Sequence[ToolCall | Mapping[str, Any]] | None
    tool_name: str | None
    tool_call_id: str | None


MessageInput: TypeAlias = "Message | MessageDict | Mapping[str, Any]"
"""A message of a conversation."""

Prompt: TypeAlias = "str | Sequence[MessageInput]"
"""What to ask: a text, or a conversation."""

ToolInput: TypeAlias = "Tool | Mapping[str, Any] | Callable[..., object]"
"""A tool that a model may call: a Python function, or its description in Ollama's form."""

FormatInput: TypeAlias = "Literal['json'] | Mapping[str, Any] | type[object]"
"""The form of an answer: any JSON, what fits a JSON schema, or what fits a type."""

KeepAlive: TypeAlias = float | str | timedelta
"""How long a model stays loaded: seconds, a duration such as ``"5m"``, or a timedelta."""

Think: TypeAlias = bool | Literal["low", "medium", "high", "max"]
"""Whether, or how hard, a model thinks before it answers."""
