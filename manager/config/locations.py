"""Values that say where something is: addresses, programs, files, proxies."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from manager.config.kinds import (
    Kind,
    bool_from_text,
    is_line,
    is_list,
    json_from_text,
    read_line,
    require,
    unset,
)
from manager.config.proxy_url import PROXY_FORM, parse_proxy
from manager.errors import ConfigError
from manager.hosts import Address, parse_host

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BINARY", "CERTIFICATE", "HOST", "PATH", "PROXY", "VERIFY"]

_PROXY = "an http, https or socks5 URL"


def _read_host(value: object) -> object:
    if isinstance(value, Address):
        return value
    if not isinstance(value, str):
        raise ValueError
    try:
        return parse_host(value)
    except ConfigError as error:
        raise ValueError(error.message.removeprefix("host ")) from None


def _text_of(path: object) -> object:
    return os.fspath(cast("os.PathLike[str]", path)) if isinstance(path, os.PathLike) else path


def _read_path(value: object) -> str:
    # Relative to what? The server runs in "/", and a file has no current folder.
    path = os.path.expanduser(read_line(_text_of(value)))
    require(os.path.isabs(path))
    return path


def _absolute(value: object) -> object:
    """Take a relative path from a caller or a shell as one of their current folder."""
    text = _text_of(value)
    return os.path.abspath(os.path.expanduser(text)) if is_line(text) else text


def _read_binary(value: object) -> object:
    words = list(value) if is_list(value) else [value]
    require(bool(words))
    program = os.path.expanduser(read_line(_text_of(words[0])))
    # A bare name is looked up on PATH.
    require(os.path.isabs(program) or program == os.path.basename(program))
    arguments = [word for word in words[1:] if isinstance(word, str) and "\0" not in word]
    require(len(arguments) == len(words) - 1)
    return (program, *arguments)


def _absolute_binary(value: object) -> object:
    if is_list(value):
        return [_absolute_binary(value[0]), *value[1:]] if value else value
    text = _text_of(value)
    is_name = isinstance(text, str) and text == os.path.basename(text)
    return text if is_name else _absolute(text)


def _binary_from_text(text: str) -> object:
    # Not split at spaces: they are common in paths.
    return _absolute_binary(json_from_text(text) if text.startswith("[") else text)


def _read_verify(value: object) -> object:
    return value if isinstance(value, bool) else _read_path(value)


def _verify_from_text(text: str) -> object:
    return _absolute_verify(bool_from_text(text))


def _absolute_verify(value: object) -> object:
    return value if isinstance(value, bool) else _absolute(value)


def _read_certificate(value: object) -> object:
    if not is_list(value):
        return _read_path(value)
    require(len(value) == 2)
    return tuple(_read_path(path) for path in value)


def _absolute_certificate(value: object) -> object:
    return [_absolute(path) for path in value] if is_list(value) else _absolute(value)


def _certificate_from_text(text: str) -> object:
    return _absolute_certificate(json_from_text(text) if text.startswith("[") else text)


def _read_proxy(value: object) -> object:
    # Nothing of it is quoted: it may be a password.
    if not is_line(value):
        raise ValueError(f"must be {_PROXY}, got {type(value).__name__}")
    try:
        require("://" in value)
        parse_proxy(value, "client.proxy")
    except ValueError as error:
        reason = str(error) or "it has no scheme"
        raise ValueError(f"is not the URL of a proxy: {reason}; {PROXY_FORM}") from None
    return value


_LINE: Mapping[str, object] = {"type": "string", "minLength": 1}
_LINES: Mapping[str, object] = {"type": "array", "items": {"type": "string"}, "minItems": 1}

HOST = Kind("the address of a server", "address", _read_host, schema={"type": "string"})
PATH = unset(Kind("an absolute path", "path", _read_path, _absolute, _absolute, schema=_LINE))
BINARY = unset(
    Kind(
        "the name or absolute path of a program, or a list of words that begins with one",
        "path or list of words",
        _read_binary,
        _binary_from_text,
        _absolute_binary,
        schema={"anyOf": [_LINE, _LINES]},
    )
)
VERIFY = Kind(
    "true, false or the absolute path of a file of CA certificates",
    "bool or path",
    _read_verify,
    _verify_from_text,
    _absolute_verify,
    schema={"anyOf": [{"type": "boolean"}, _LINE]},
)
CERTIFICATE = unset(
    Kind(
        "the absolute path of a certificate, or a list of two: certificate and key",
        "path or two paths",
        _read_certificate,
        _certificate_from_text,
        _absolute_certificate,
        schema={"anyOf": [_LINE, {**_LINES, "minItems": 2, "maxItems": 2}]},
    )
)
PROXY = unset(Kind(_PROXY, "URL", _read_proxy, schema=_LINE))
