"""What of a request or an answer may be written to a log, and how much of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["MAX_TEXT", "redact_headers", "summarize_body", "without_secrets", "without_user"]

MAX_TEXT = 2_000
"""Longer texts are cut after this many characters."""

_SECRET_HEADER = re.compile(r"auth|token|key|secret|cookie|passw|credential|signature", re.I)
_MASK = "***"
_USER = re.compile(r"^([^/]*//)[^/]*@")
_MAX_ITEMS = 100
_MAX_DEPTH = 20
_VECTORS = frozenset({"embedding", "embeddings"})
_PICTURES = frozenset({"images", "image"})


def redact_headers(
    headers: Mapping[str, str], secret: Collection[str] = frozenset()
) -> dict[str, str]:
    """Return headers without the value of any that may be a credential.

    Args:
        headers: The headers.
        secret: Names of others, in lower case, whose values are to be left out.
    """
    return {
        name: _MASK
        if _SECRET_HEADER.search(name) or name.lower() in secret
        else _cut(_harmless(name, str(text)))
        for name, text in headers.items()
    }


def _harmless(name: str, text: str) -> str:
    return without_secrets(text) if name.lower() == "location" else text


def without_user(url: str) -> str:
    """Return a URL without the user and password that it may hold."""
    return _USER.sub(r"\1***@", url)


def without_secrets(url: str) -> str:
    """Return a URL without what may hold a password or a token: user, query and fragment."""
    return without_user(re.split(r"[?#]", url, maxsplit=1)[0])


def summarize_body(body: object) -> object:
    """Return a body as a log shows it: long texts cut, embeddings and images counted.

    Args:
        body: JSON-ready data, text or bytes.
    """
    return _summarize(body, 0)


def _summarize(value: object, depth: int) -> object:
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, bytes | bytearray):
        return f"<{len(value)} bytes>"
    if depth >= _MAX_DEPTH:
        return "<nested too deeply>"
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, object]", value).items()
        return {str(name): _summarize_field(str(name), item, depth) for name, item in items}
    if isinstance(value, list | tuple):
        items_ = cast("list[object]", value)
        shown = [_summarize(item, depth + 1) for item in items_[:_MAX_ITEMS]]
        more = len(items_) - _MAX_ITEMS
        return [*shown, f"<{more} more>"] if more > 0 else shown
    if value is None or isinstance(value, bool | int | float):
        return value
    return f"<{type(value).__name__}>"


def _summarize_field(name: str, item: object, depth: int) -> object:
    if name in _VECTORS and isinstance(item, list | tuple):
        return _count_vectors(cast("list[object]", item))
    if name in _PICTURES:
        return _count_pictures(item)
    return _summarize(item, depth + 1)


def _count_vectors(vectors: list[object]) -> str:
    first = vectors[0] if vectors else None
    if isinstance(first, list | tuple):
        size = len(cast("list[object]", first))
        return f"<{len(vectors)} vectors of {size} numbers>"
    return f"<{len(vectors)} numbers>"


def _count_pictures(item: object) -> object:
    if isinstance(item, str | bytes):
        return f"<image of {len(item)} characters>"
    if isinstance(item, list | tuple):
        return [_count_pictures(picture) for picture in cast("list[object]", item)]
    return None if item is None else f"<{type(item).__name__}>"


def _cut(text: str) -> str:
    if len(text) <= MAX_TEXT:
        return text
    return f"{text[:MAX_TEXT]}... <{len(text) - MAX_TEXT} more characters>"
