"""What goes in and out of a handler: a request, a reply, a stream, an error."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from manager.simulator.direction import Scripted

JSON = "application/json; charset=utf-8"
PLAIN_JSON = "application/json"
NDJSON = "application/x-ndjson"
TEXT = "text/plain; charset=utf-8"

_SURROGATE = re.compile("[\ud800-\udfff]")
_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class ApiError(Exception):
    """An answer other than success, in Ollama's form.

    Args:
        status: The HTTP status.
        message: What stands under ``error``.
        extra: Further fields of the body, such as ``signin_url``.
    """

    def __init__(self, status: int, message: str, **extra: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.extra = extra

    @property
    def body(self) -> dict[str, str]:
        return {"error": self.message, **self.extra}


class ClientGone(Exception):
    """Whoever asked has hung up; nobody waits for an answer."""


class Request(NamedTuple):
    """One request, its body not read yet."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    chunks: Callable[[], Iterator[bytes]]
    """Reads the body piece by piece, once."""
    is_gone: Callable[[], bool]
    """Whether the client has hung up."""
    scripted: Scripted | None = None
    """What the model is to say, if a test has decided on that."""

    def body(self) -> bytes:
        return b"".join(self.chunks())


class Reply(NamedTuple):
    """A whole answer."""

    status: int
    content_type: str = ""
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class Stream(NamedTuple):
    """An answer line by line; an `ApiError` that the lines raise ends it."""

    lines: Iterator[bytes]


def encode(value: Any) -> bytes:
    """Compact JSON; half characters become the replacement character as they do in Go."""
    text = _encoder.encode(value)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text).encode()


def line(value: Any) -> bytes:
    """One line of a stream."""
    return encode(value) + b"\n"


def json_reply(value: Any, status: int = 200) -> Reply:
    """A JSON answer."""
    return Reply(status, JSON, encode(value))


def error_reply(error: ApiError, content_type: str = JSON) -> Reply:
    """The answer that an error is."""
    return Reply(error.status, content_type, encode(error.body))
