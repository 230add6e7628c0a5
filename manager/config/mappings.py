"""Values that are tables themselves: variables, headers, options."""

from __future__ import annotations

import re

from manager.config.kinds import Kind, json_from_text, read_mapping
from manager.errors import InvalidRequestError

__all__ = ["ENVIRONMENT", "HEADERS", "OPTIONS"]

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_TEXT = re.compile(r"[\t\x20-\x7e]*")
# Where a request ends, and what the connection becomes after it, is the transport's to say.
_FRAMING = frozenset({"content-length", "transfer-encoding", "upgrade"})


def _read_environment(value: object) -> object:
    variables: dict[str, str] = {}
    for name, item in read_mapping(value).items():
        if not _VARIABLE.fullmatch(name):
            word, assigns, _ = name.partition("=")  # what follows may be a secret
            raise ValueError(f"names {word + assigns!r}, which cannot be a variable")
        if name == "OLLAMA_HOST":
            raise ValueError("must not set OLLAMA_HOST: the address has a key of its own, host")
        text = str(item).lower() if isinstance(item, bool | int) else item
        if not isinstance(text, str) or "\0" in text:
            raise ValueError(f"must give {name} a text")
        variables[name] = text
    return variables


def _read_headers(value: object) -> object:
    headers: dict[str, str] = {}
    for name, text in read_mapping(value).items():
        if not _HEADER.fullmatch(name):
            raise ValueError(f"names {name!r}, which cannot be a header (RFC 9110)")
        if not isinstance(text, str) or not _HEADER_TEXT.fullmatch(text):
            raise ValueError(f"must give the header {name} one line of ASCII text")
        if name.lower() in _FRAMING:
            raise ValueError(f"must not set {name}, which each request says for itself")
        headers[name] = text.strip()  # spaces around it are no part of it
    spelled = {name.lower(): name for name in headers}
    for name in headers:
        if (other := spelled[name.lower()]) != name:
            raise ValueError(f"must not set both {name} and {other}: it is the same header")
    return headers


def _read_options(value: object) -> object:
    options = read_mapping(value)
    if not options:
        return {}
    from manager.options import merge_options

    try:
        return merge_options(options) or {}
    except InvalidRequestError as error:
        raise ValueError(f"cannot be used: {error}") from None


_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}

ENVIRONMENT = Kind(
    "a table of variables, each a text",
    "table of text",
    _read_environment,
    json_from_text,
    schema={"type": "object", "additionalProperties": {"type": ["string", "boolean", "integer"]}},
)
HEADERS = Kind(
    "a table of headers, each a text", "table of text", _read_headers, json_from_text, schema=_TEXTS
)
OPTIONS = Kind(
    "a table of options", "table", _read_options, json_from_text, schema={"type": "object"}
)
