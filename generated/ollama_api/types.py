"""What the generated models and request builders share."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable
from datetime import datetime
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from attrs import frozen

Content: TypeAlias = bytes | Iterable[bytes] | AsyncIterable[bytes]
"""A body of bytes, whole or in pieces."""

T_co = TypeVar("T_co", covariant=True)


@frozen(kw_only=True)
class Request(Generic[T_co]):
    """One call, ready to be sent; a transport sends it and passes what comes back to `decode`.

    Attributes:
        operation_id (str): The operation's name in the spec.
        method (str): The HTTP method, in capitals.
        path (str): The path below the server's address, quoted.
        json (dict[str, Any] | None): The body as a JSON object.
        content (Content | None): The body as bytes.
        expects (Literal["json", "text", "nothing"]): The form of a good answer's body.
        decode (Callable[[Any], T_co]): Turns a good answer's body into the result: a parsed JSON
            value, or the text where text is expected; it raises KeyError, TypeError, ValueError or
            AttributeError for one that breaks the spec.
    """

    operation_id: str
    method: str
    path: str
    json: dict[str, Any] | None = None
    content: Content | None = None
    expects: Literal["json", "text", "nothing"] = "json"
    decode: Callable[[Any], T_co]


def decode_nothing(body: object) -> None:
    """Ignore the body of an answer that has nothing to say."""


def decode_text(body: object) -> str:
    """Return a body of text; bytes are read as UTF-8."""
    if isinstance(body, bytes):
        return body.decode("utf-8", "replace")
    return "" if body is None else str(body)


def parse_timestamp(text: str) -> datetime:
    """Read a timestamp as RFC 3339 has it, cut to microseconds, or in another common form.

    Args:
        text: The timestamp.

    Returns:
        The moment; without a time zone only where the text has none.

    Raises:
        ValueError: Not a timestamp.
    """
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return _parse_unusual_timestamp(text)


def _parse_unusual_timestamp(text: object) -> datetime:
    from dateutil import parser  # Slow to import, hardly ever needed.

    if not isinstance(text, str):
        raise ValueError(f"not a timestamp: {text!r}")
    try:
        return parser.isoparse(text)
    except ValueError:
        pass
    try:
        # What the text leaves out is filled in from the default, which must not become an answer.
        moment = parser.parse(text, default=datetime(2000, 1, 1))
        complete = moment == parser.parse(text, default=datetime(2001, 2, 2, 1, 1, 1, 1))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"not a timestamp: {text!r}") from error
    if not complete:
        raise ValueError(f"not a whole timestamp: {text!r}")
    return moment
