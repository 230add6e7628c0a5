"""The bytes of an answer as the typed result of its request, or the error that says why not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from manager.errors import ResponseDecodeError

if TYPE_CHECKING:
    from ollama_api.types import Request

    from manager.ndjson import LineTooLongError

__all__ = ["decode_answer", "line_too_long", "parse_json", "typed_result"]

T = TypeVar("T")

# How much of an answer that cannot be read its error shows.
_SHOWN = 500


def decode_answer(request: Request[T], content: bytes, **context: Any) -> T:
    """Return the result that the whole body of a good answer means.

    Args:
        request: What was asked.
        content: The body.
        context: What is known of the call, for the error.

    Raises:
        ResponseDecodeError: It is no valid JSON, or not what the spec promises.
    """
    if request.expects == "json":
        return typed_result(request, parse_json(content, **context), content, **context)
    return typed_result(request, content if request.expects == "text" else None, content, **context)


def parse_json(content: bytes, **context: Any) -> object:
    """Return the data of a JSON document that the server sent, None for an empty one.

    Raises:
        ResponseDecodeError: It is no valid JSON.
    """
    try:
        return msgspec.json.decode(content) if content else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _undecodable(content, error, context) from error


def typed_result(request: Request[T], data: object, content: bytes, **context: Any) -> T:
    """Return the typed form of ``data``; ``content`` is what it was parsed from.

    Raises:
        ResponseDecodeError: It is not what the spec promises.
    """
    try:
        return request.decode(data)
    except ValueError as error:  # SpecError
        raise _undecodable(content, error, context) from error


def line_too_long(error: LineTooLongError, **context: Any) -> ResponseDecodeError:
    """Return the error for a stream with a line that does not end."""
    return ResponseDecodeError(
        f"the server's answer cannot be read: {error}",
        hint="is `host` an Ollama server? none sends lines as long as this",
        **context,
    )


def _undecodable(content: bytes, error: Exception, context: dict[str, Any]) -> ResponseDecodeError:
    return ResponseDecodeError(
        f"the server's answer cannot be read: {error}",
        hint="is `host` an Ollama server, and is this package as new as it?",
        text=content[:_SHOWN].decode("utf-8", "replace"),
        **context,
    )
