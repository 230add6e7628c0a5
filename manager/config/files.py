"""The configuration file: where it is looked for, how it is read, and which line says what."""

from __future__ import annotations

import os
import re
import stat
import sys
from typing import TYPE_CHECKING, Any, cast

import attrs

from manager.config.keys import shown
from manager.config.layers import all_keys, unknown
from manager.config.model import TABLES
from manager.errors import ConfigError
from manager.spelling import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from manager.config.layers import Layer

__all__ = ["ConfigFile", "digest_of", "line_of", "locate", "read_config_file", "read_digest"]

FILE_NAME = "ollama-manager.toml"
_FOLDER = "ollama-manager"
_MAX_BYTES = 1_000_000
_POSITION = re.compile(r" \(at line (\d+), column \d+\)$")
_HEADER = re.compile(r"\s*\[{1,2}([^\[\]]+)\]{1,2}\s*(#.*)?$")
_ASSIGNMENT = re.compile(r"""\s*((?:[A-Za-z0-9_.\s-]|"[^"]*"|'[^']*')+?)\s*=""")
_WORD = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
_LONG_QUOTE = re.compile(r'"""|\'\'\'')
# What decides which program runs must not be writable for everybody.
_GUARDED = ("binary", "env")


@attrs.frozen
class ConfigFile:
    """A file that was read."""

    path: str
    text: str
    digest: str
    tables: Mapping[str, Any]
    is_guarded: bool


def locate(
    path: str | os.PathLike[str] | None, environ: Mapping[str, str]
) -> tuple[str | None, bool]:
    """Return where the file is, and whether it was named, so that it must exist.

    Never the current folder: the file can name a program to run.
    """
    if path is not None and not isinstance(path, str | os.PathLike):
        raise ConfigError(
            f"config_file must be the path of a file, got {type(path).__name__}", key="config_file"
        )
    named = (
        os.fspath(path) if path is not None else environ.get("OLLAMA_MANAGER_CONFIG", "").strip()
    )
    if path is not None and not named:
        raise ConfigError("config_file must be the path of a file, it is empty", key="config_file")
    if named:
        return os.path.abspath(os.path.expanduser(named)), True
    folder = _user_folder(environ)
    return os.path.join(folder, _FOLDER, FILE_NAME) if folder else None, False


def _user_folder(environ: Mapping[str, str]) -> str | None:
    if sys.platform == "linux":
        # What platformdirs says, without the 25 ms that its import takes.
        xdg = environ.get("XDG_CONFIG_HOME", "").strip()
        folder = xdg or os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".config")
    else:
        import platformdirs

        folder = platformdirs.user_config_dir()
    return folder if os.path.isabs(folder) else None


def digest_of(content: bytes) -> str:
    """Return what tells one content of the file from another."""
    import hashlib  # only where there is a file

    return hashlib.sha256(content).hexdigest()


def read_digest(path: str) -> str | None:
    """Return what tells the content of the file from another; None where there is none.

    No more is read than a configuration may have, and nothing of a pipe: that would wait for a
    writer.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        with open(path, "rb") as file:
            return digest_of(file.read(_MAX_BYTES + 1))
    except (OSError, ValueError):
        return None


def read_config_file(path: str, *, must_exist: bool) -> ConfigFile | None:
    """Read the file.

    Args:
        path: Where it is.
        must_exist: Whether its absence is an error.

    Raises:
        ConfigError: It cannot be read, is no UTF-8 or no TOML.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(_MAX_BYTES + 1)
            mode = os.fstat(file.fileno()).st_mode
    except (FileNotFoundError, NotADirectoryError):
        if must_exist:
            raise ConfigError(f"there is no configuration file {path}", file=path) from None
        return None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{path} cannot be read: {reason}", file=path) from error
    text = _decode(content, path)
    is_guarded = os.name != "posix" or not (stat.S_ISREG(mode) and mode & stat.S_IWOTH)
    return ConfigFile(path, text, digest_of(content), _parse(text, path), is_guarded)


def _decode(content: bytes, path: str) -> str:
    if len(content) > _MAX_BYTES:
        raise ConfigError(f"{path} is larger than {_MAX_BYTES} bytes", file=path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}, line {line}: it is no UTF-8", file=path, line=line) from None


def _parse(text: str, path: str) -> Mapping[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else "it is nested too deeply"
        found = _POSITION.search(reason)
        line = int(found[1]) if found else None
        place = f"{path}, line {line}" if line else path
        reason = _POSITION.sub("", reason)
        raise ConfigError(f"{place}: it is no TOML: {reason}", file=path, line=line) from None


def add_file(layer: Layer, file: ConfigFile) -> None:
    """Put what a file says into a layer."""
    known = {table.table: table for table in TABLES}
    for name, table in file.tables.items():
        line = line_of(file.text, (name,))
        place = _place(file.path, line)
        details = {"file": file.path, "line": line, "key": name}
        if name not in known:
            near = nearest(name, known)
            remedy = f"did you mean [{near}]?" if near else f"the tables are {', '.join(known)}"
            layer.refuse(f"{place}: unknown table {name}; {remedy}", **details)
        elif not isinstance(table, dict):
            message = f"{place}: {name} must be a table, [{name}], got {shown(table)}"
            layer.refuse(message, **details)
        else:
            _add_table(layer, file, name, cast("dict[str, object]", table))


def _add_table(layer: Layer, file: ConfigFile, table: str, values: dict[str, object]) -> None:
    for name, value in values.items():
        path = f"{table}.{name}"
        line = line_of(file.text, (table, name))
        place = _place(file.path, line)
        details = {"file": file.path, "line": line}
        about = all_keys().get(path)
        if about is None:
            message = f"{place}: unknown key {path}; {unknown(table, name)}"
            layer.refuse(message, key=path, **details)
        elif table == "server" and name in _GUARDED and not file.is_guarded:
            message = f"{place}: {path} is refused, since everybody may write to this file"
            layer.refuse(message, hint=f"chmod o-w {file.path}", key=path, **details)
        else:
            label = f"{place}: {path}"
            layer.set(about, value, where=place, label=label, details=details)


def _place(path: str, line: int | None) -> str:
    return path if line is None else f"{path}, line {line}"


def line_of(text: str, path: Sequence[str]) -> int | None:
    """Return the line, from 1, on which a key of a TOML file is first set or opened.

    ``tomllib`` does not tell. A scan of headers and assignments finds what people write; keys
    inside inline tables are given the line of their table.
    """
    wanted = list(path)
    table: list[str] = []
    best: tuple[int, int] | None = None
    quote: str | None = None
    for number, line in enumerate(text.splitlines(), 1):
        inside, quote = quote is not None, _quote_after(line, quote)
        if inside:
            continue
        if header := _HEADER.match(line):
            table = named = _words(header[1])
        elif assignment := _ASSIGNMENT.match(line):
            named = table + _words(assignment[1])
        else:
            continue
        depth = len(wanted) if named[: len(wanted)] == wanted else 0
        if not depth and named == wanted[: len(named)]:
            depth = len(named)
        if depth and (best is None or depth > best[0]):
            best = (depth, number)
    return best[1] if best else None


def _words(key: str) -> list[str]:
    return [word.strip("\"'") for word in _WORD.findall(key)]


def _quote_after(line: str, quote: str | None) -> str | None:
    """Say which long string is open at the end of a line."""
    for mark in _LONG_QUOTE.findall(line):
        if quote is None:
            quote = mark
        elif mark == quote:
            quote = None
    return quote
