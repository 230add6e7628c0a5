"""JSON bodies read as Go's decoder reads them, with its complaints."""

from __future__ import annotations

import json
from string import hexdigits
from typing import Any, NoReturn

from manager.simulator.exchange import ApiError

_WHITESPACE = " \t\n\r"
_LITERALS = ("true", "false", "null")


class _Constant(ValueError):
    """NaN or an infinity, which Python reads and Go does not."""


def _refuse_constant(name: str) -> NoReturn:
    raise _Constant(name)


_decoder = json.JSONDecoder(parse_constant=_refuse_constant)


def decode(body: bytes) -> Any:
    """Read the first JSON value of a body; what follows is ignored, as in Go.

    Raises:
        ApiError: 400 with the text that Ollama gives.
    """
    text = body.decode("utf-8", "replace").lstrip(_WHITESPACE)
    if not text:
        raise ApiError(400, "missing request body")
    try:
        value, _ = _decoder.raw_decode(text)
    except _Constant as error:
        name = str(error)
        where = "in numeric literal" if name.startswith("-") else "looking for beginning of value"
        raise ApiError(400, _invalid(name.lstrip("-")[:1], where)) from None
    except json.JSONDecodeError as error:
        raise ApiError(400, _complaint(text, error.msg, error.pos)) from None
    except RecursionError:
        raise ApiError(400, "exceeded max depth") from None
    except ValueError:
        # A number of thousands of digits, which Python refuses to read.
        raise ApiError(400, "json: cannot unmarshal number into Go value") from None
    return value


def _invalid(character: str, where: str) -> str:
    first = chr(character.encode("utf-8", "replace")[0])
    shown = {"'": "'\\''", '"': "'\"'", "\n": "'\\n'", "\t": "'\\t'", "\r": "'\\r'"}
    return f"invalid character {shown.get(first, f'{first!r}')} {where}"


def _complaint(text: str, message: str, position: int) -> str:
    if message.startswith("Illegal trailing comma"):
        position += 1
        while position < len(text) and text[position] in _WHITESPACE:
            position += 1
    if message.startswith("Unterminated string") or position >= len(text):
        return "unexpected EOF"
    character = text[position]
    if message.startswith(("Expecting property name", "Illegal trailing comma before end of obj")):
        return _invalid(character, "looking for beginning of object key string")
    if message.startswith("Expecting ':'"):
        return _invalid(character, "after object key")
    if message.startswith("Expecting ','"):
        if character == "." and text[position - 1].isdigit():
            after = text[position + 1 : position + 2]
            where = "after decimal point in numeric literal"
            return _invalid(after, where) if after else "unexpected EOF"
        inside = "object key:value pair" if _is_in_object(text, position) else "array element"
        return _invalid(character, f"after {inside}")
    if message.startswith("Invalid control character"):
        return _invalid(character, "in string literal")
    if message.startswith("Invalid \\escape"):
        return _invalid(text[position + 1], "in string escape code")
    if message.startswith("Invalid \\u"):
        digits = text[position + 1 : position + 5]
        wrong = next((digit for digit in digits if digit not in hexdigits), "")
        return _invalid(wrong, "in \\u hexadecimal character escape") if wrong else "unexpected EOF"
    return _value_complaint(text, position)


def _value_complaint(text: str, position: int) -> str:
    for literal in _LITERALS:
        if text[position] == literal[0]:
            for offset, expected in enumerate(literal):
                if position + offset >= len(text):
                    return "unexpected EOF"
                found = text[position + offset]
                if found != expected:
                    return _invalid(found, f"in literal {literal} (expecting '{expected}')")
    return _invalid(text[position], "looking for beginning of value")


def _is_in_object(text: str, position: int) -> bool:
    """Whether the innermost bracket that is open at a position is a brace."""
    open_brackets: list[str] = []
    in_string = skip = False
    for character in text[:position]:
        if skip:
            skip = False
        elif in_string:
            skip = character == "\\"
            in_string = character != '"'
        elif character == '"':
            in_string = True
        elif character in "{[":
            open_brackets.append(character)
        elif character in "}]" and open_brackets:
            open_brackets.pop()
    return bool(open_brackets) and open_brackets[-1] == "{"
