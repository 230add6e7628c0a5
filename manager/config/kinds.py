"""What a value may be: how it is read from TOML or Python, and from an environment variable."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeGuard, cast

import attrs

from manager.config.durations import is_duration
from manager.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Kind", "choice", "integer", "number", "optional", "require", "unset"]

# Longer waits overflow the clocks of some platforms; three years are for ever.
_MAX_SECONDS = 100_000_000
_MAX_UINT = 2**64 - 1
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,20}", re.ASCII)
# No control characters: they end a header, or forge a line of a log.
_ONE_LINE = re.compile(r"[^\x00-\x1f\x7f]*")
_GO_BOOLS = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}
_WORD_BOOLS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


def _same(value: object) -> object:
    return value


def _no_schema() -> Mapping[str, object]:
    return {}


def _either(*schemas: Mapping[str, object]) -> Mapping[str, object]:
    return {"anyOf": list(schemas)}


@attrs.frozen
class Kind:
    """One kind of value.

    Attributes:
        expected: What it must be; follows "must be" in an error.
        type_name: Its name in the documentation.
        read: Makes the value out of what TOML holds, or raises ``ValueError``, with a text where
            ``expected`` does not say enough. Reading what was read before changes nothing.
        from_text: Makes what ``read`` takes out of the text of an environment variable.
        from_caller: Makes what ``read`` takes out of what Python code gave.
        schema: JSON Schema of what TOML may hold, for editors; ``read`` is stricter.
    """

    expected: str
    type_name: str
    read: Callable[[object], object]
    from_text: Callable[[str], object] = _same
    from_caller: Callable[[object], object] = _same
    schema: Mapping[str, object] = attrs.field(factory=_no_schema, kw_only=True)


def require(condition: bool) -> None:
    """Raise the ``ValueError`` that says no more than ``expected`` does."""
    if not condition:
        raise ValueError


def is_line(value: object) -> TypeGuard[str]:
    """Say whether a value is text of one line that is not blank."""
    return isinstance(value, str) and bool(value.strip()) and bool(_ONE_LINE.fullmatch(value))


def is_list(value: object) -> TypeGuard[list[object] | tuple[object, ...]]:
    """Say whether a value is a list, or the tuple that was made of one."""
    return isinstance(value, list | tuple)


def read_line(value: object) -> str:
    """Read text of one line."""
    if not is_line(value):
        raise ValueError
    return value


def read_mapping(value: object) -> Mapping[str, object]:
    """Read a table."""
    require(isinstance(value, Mapping))
    mapping = cast("Mapping[object, object]", value)
    require(all(isinstance(name, str) for name in mapping))
    return cast("Mapping[str, object]", mapping)


def json_from_text(text: str) -> object:
    """Read the JSON that a list or a table is written as in an environment variable."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("must be written as JSON") from None


def bool_from_text(text: str) -> object:
    """Read a bool as people write it."""
    return _WORD_BOOLS.get(text.lower(), text)


def optional(kind: Kind) -> Kind:
    """Return the kind that also takes None, which TOML and the environment write ``"none"``."""

    def read(value: object) -> object:
        return None if value is None or value == "none" else kind.read(value)

    return attrs.evolve(
        kind,
        expected=f'{kind.expected}, or "none"',
        type_name=f'{kind.type_name} or "none"',
        read=read,
        schema=_either(kind.schema, {"const": "none"}),
    )


def unset(kind: Kind) -> Kind:
    """Return the kind whose None means that the key was not set."""

    def read(value: object) -> object:
        return None if value is None else kind.read(value)

    return attrs.evolve(kind, read=read)


def choice(*words: str) -> Kind:
    """Return the kind of one of these words."""

    def read(value: object) -> object:
        require(isinstance(value, str) and value in words)
        return value

    expected = "one of " + ", ".join(f'"{word}"' for word in words)
    type_name = " or ".join(f'"{word}"' for word in words)
    return Kind(expected, type_name, read, schema={"enum": list(words)})


def number(expected: str, type_name: str, *, least: float, most: float) -> Kind:
    """Return the kind of a number within these finite bounds; NaN is in none."""

    def read(value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError
        require(least <= value <= most)
        return value

    schema = {"type": "number", "minimum": least, "maximum": most}
    return Kind(expected, type_name, read, _number_from_text, schema=schema)


def integer(expected: str, *, least: int, most: int) -> Kind:
    """Return the kind of a whole number within these bounds."""

    def read(value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError
        require(least <= value <= most)
        return value

    schema = {"type": "integer", "minimum": least, "maximum": most}
    return Kind(expected, "integer", read, _integer_from_text, schema=schema)


def _number_from_text(text: str) -> object:
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def _integer_from_text(text: str) -> object:
    return int(text) if _INTEGER.fullmatch(text) else text


def _read_linger(value: object) -> object:
    return value if value == math.inf else SECONDS.read(value)


def _linger_from_text(text: str) -> object:
    return math.inf if text == "inf" else _number_from_text(text)


def _read_bool(value: object) -> object:
    require(isinstance(value, bool))
    return value


def _read_jitter(value: object) -> object:
    return True if value == "full" else _read_bool(value)


def _read_go_bool(value: object) -> object:
    if isinstance(value, str) and value in _GO_BOOLS:
        return _GO_BOOLS[value]
    require(isinstance(value, int) and value in (0, 1))
    return bool(value)


def _read_debug(value: object) -> object:
    if isinstance(value, int | str) and value in (2, "2"):
        return 2
    return _read_go_bool(value)


def _read_duration(value: object) -> object:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not is_duration(text):
        raise ValueError
    return text


def _read_words(value: object) -> object:
    """Read what Ollama splits at commas; kept in that form."""
    if not is_list(value):
        return read_line(value)
    words = [read_line(word) for word in value]
    require(not any("," in word for word in words))
    return read_line(",".join(words))


def _read_key(value: object) -> object:
    text = read_line(value).strip()
    require(text.isascii() and " " not in text)
    return text


def _read_keep_alive(value: object) -> object:
    from manager.keep_alive import check_keep_alive

    return _checked(check_keep_alive, value)


def _read_think(value: object) -> object:
    from manager.keep_alive import check_think

    return _checked(check_think, value)


def _checked(check: Callable[[object], object], value: object) -> object:
    try:
        return check(value)
    except InvalidRequestError:
        raise ValueError from None


def _think_from_text(text: str) -> object:
    return {"true": True, "false": False}.get(text.lower(), text)


_BOOL = {"type": "boolean"}
_LINE = {"type": "string", "minLength": 1}
_GO_WORDS = {"enum": [0, 1, *_GO_BOOLS]}

BOOL = Kind("true or false", "bool", _read_bool, bool_from_text, schema=_BOOL)
JITTER = Kind(
    'true (or "full") or false',
    'bool or "full"',
    _read_jitter,
    bool_from_text,
    schema=_either(_BOOL, {"const": "full"}),
)
GO_BOOL = unset(
    Kind(
        'true or false (or "1", "0", "t", "f")',
        "bool",
        _read_go_bool,
        schema=_either(_BOOL, _GO_WORDS),
    )
)
DEBUG = unset(
    Kind(
        "false, true or 2 (trace)",
        "bool or 2",
        _read_debug,
        schema=_either(_BOOL, _GO_WORDS, {"enum": [2, "2"]}),
    )
)
UINT = unset(integer("a whole number, 0 or more", least=0, most=_MAX_UINT))
COUNT = integer("a whole number from 1 to 1000000", least=1, most=1_000_000)
SECONDS = number("a number of seconds, 0 or more", "seconds", least=0, most=_MAX_SECONDS)
WAIT = number("a number of seconds above 0", "seconds", least=1e-6, most=_MAX_SECONDS)
FACTOR = number("a number from 1 to 1000", "number", least=1, most=1000)
TEXT = unset(Kind("one line of text", "text", read_line, schema=_LINE))
DURATION = unset(
    Kind(
        'a duration as Ollama writes it, such as "5m" or 300',
        "duration",
        _read_duration,
        schema=_either(_LINE, {"type": "integer"}),
    )
)
KEEP_ALIVE = unset(
    Kind(
        'seconds as a number, or a duration such as "5m"',
        "seconds or duration",
        _read_keep_alive,
        _number_from_text,
        schema=_either(_LINE, {"type": "number"}),
    )
)
LINGER = Kind(
    "a number of seconds, 0 or more, or inf",
    "seconds or inf",
    _read_linger,
    _linger_from_text,
    schema={"type": "number", "minimum": 0},
)
WORDS = unset(
    Kind(
        "text or a list of text without commas",
        "text or list",
        _read_words,
        schema=_either(_LINE, {"type": "array", "items": _LINE}),
    )
)
KEY = unset(Kind("one word of ASCII text", "text", _read_key, schema=_LINE))
THINK = unset(
    Kind(
        "true, false or a level",
        "bool or text",
        _read_think,
        _think_from_text,
        schema=_either(_BOOL, _LINE),
    )
)
