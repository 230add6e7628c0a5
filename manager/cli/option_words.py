"""``--option key=value`` and ``--format``: from words to what a call takes. Pure but for files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from manager.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["read_format", "read_keep_alive", "read_options"]


def read_options(words: Sequence[str]) -> dict[str, Any]:
    """Read model options; what they may be is checked by the call that they go to.

    Args:
        words: ``key=value`` each; a value is JSON if it can be, otherwise text.

    Returns:
        The values by name; ``stop`` given several times is a list.

    Raises:
        InvalidRequestError: A word has no ``=``, or an option is given twice.
    """
    options: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        name = name.strip()
        if not equals or not name:
            raise InvalidRequestError(
                f"--option must be KEY=VALUE, got {word!r}",
                argument="option",
                hint="for example --option temperature=0.2",
            )
        if name == "stop":
            options[name] = [*options.get(name, []), *_stops(text)]
        elif name in options:
            raise InvalidRequestError(f"--option {name} is given twice", argument=name)
        else:
            options[name] = _value(text)
    return options


def _stops(text: str) -> list[Any]:
    """A stop text is taken literally, be it ``3`` or ``null``; a JSON list is several."""
    value = _value(text)
    return value if isinstance(value, list) else [text]  # pyright: ignore[reportUnknownVariableType]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def read_format(text: str | None) -> Literal["json"] | dict[str, Any] | None:
    """Read ``--format``.

    Args:
        text: ``json``, a JSON schema, or the path of a file that holds one.

    Raises:
        InvalidRequestError: It is none of these.
    """
    if text is None or text == "json":
        return text  # type: ignore[return-value]
    schema = text
    if not text.lstrip().startswith("{"):
        try:
            with open(text, encoding="utf-8") as file:
                schema = file.read()
        except (OSError, ValueError) as error:
            raise _bad_format(f"{text!r} cannot be read: {error}") from None
    try:
        value = json.loads(schema)
    except ValueError as error:
        raise _bad_format(f"its JSON is broken: {error}") from None
    if not isinstance(value, dict):
        raise _bad_format("a JSON schema is an object")
    return value  # pyright: ignore[reportUnknownVariableType]


def _bad_format(reason: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"--format: {reason}",
        argument="format",
        hint="give json, a JSON schema, or the path of a file that holds one",
    )


def read_keep_alive(text: str | None) -> float | str | None:
    """Read ``--keep-alive``: a bare number is seconds, anything else a duration of Ollama's."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return text
