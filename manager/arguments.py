"""The smaller arguments of a call, each checked by itself.

Each function returns the value as it is sent, or raises ``InvalidRequestError`` with the name of
the argument.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from manager.errors import InvalidRequestError
from manager.json_values import are_plain_texts, validate_text
from manager.keep_alive import check_keep_alive
from manager.narrowing import is_array, is_iterable
from manager.spelling import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "check_at_least_one",
    "check_callback",
    "check_context",
    "check_dimensions",
    "check_flag",
    "check_loading_keep_alive",
    "check_logprobs",
    "check_many_texts",
    "check_optional_flag",
    "check_optional_text",
    "check_prompt",
    "check_raw",
    "check_texts",
]

_MOST_LOGPROBS = 20


def check_flag(value: object, argument: str) -> bool:
    """Return ``value`` if it is a bool."""
    if isinstance(value, bool):
        return value
    raise InvalidRequestError(
        f"{argument} must be True or False, got {shown(value)}", argument=argument
    )


def check_optional_flag(value: object, argument: str) -> bool | None:
    """Return ``value`` if it is a bool or ``None``."""
    return None if value is None else check_flag(value, argument)


def check_optional_text(value: object, argument: str) -> str | None:
    """Return ``value`` if it is text that can be sent, or ``None``."""
    return None if value is None else validate_text(value, argument)


def check_prompt(prompt: object) -> str:
    """Return the prompt of a request to generate; with an empty one the server only loads."""
    text = validate_text(prompt, "prompt")
    if not text:
        raise InvalidRequestError(
            "prompt is empty",
            argument="prompt",
            hint="Ask something; load_model() loads a model without asking.",
        )
    return text


def check_raw(raw: object, **excluded: object) -> None:
    """Refuse what the server refuses beside ``raw=True``."""
    given = [name for name, value in excluded.items() if value]
    if raw and given:
        raise InvalidRequestError(
            f"raw=True sends the prompt as it is, and {given[0]} has no place in it",
            argument="raw",
            hint=f"Leave out raw or {given[0]}.",
        )


def check_logprobs(value: object) -> tuple[bool | None, int | None]:
    """Return whether to send token probabilities, and for how many of the likeliest."""
    if value is None or isinstance(value, bool):
        return value, None
    if isinstance(value, int) and 0 <= value <= _MOST_LOGPROBS:
        return True, value
    raise InvalidRequestError(
        f"logprobs must be True, False or a number from 0 to {_MOST_LOGPROBS}, got {shown(value)}",
        argument="logprobs",
        hint="A number asks for that many of the likeliest tokens at each place.",
    )


def check_context(context: object) -> list[int] | None:
    """Return the tokens of an earlier answer."""
    if context is None:
        return None
    if not is_array(context):
        raise InvalidRequestError(
            f"context must be a list of integers, got {type(context).__name__}",
            argument="context",
            hint="Give the context field of an earlier answer.",
        )
    tokens: list[int] = []
    for index, token in enumerate(context):
        if isinstance(token, bool) or not isinstance(token, int):
            raise InvalidRequestError(
                f"context[{index}] must be an integer, got {shown(token)}",
                argument=f"context[{index}]",
            )
        tokens.append(token)
    return tokens


def check_texts(text: object) -> str | list[str]:
    """Return what to embed: one text, or a list of texts that is not empty."""
    if isinstance(text, str):
        if text:
            return validate_text(text, "text")
        raise InvalidRequestError(
            "text is empty, and the server would answer with no vector for it", argument="text"
        )
    if not is_iterable(text) or isinstance(text, (set, frozenset)):
        raise InvalidRequestError(
            f"text must be a string or a list of strings, got {type(text).__name__}",
            argument="text",
        )
    texts = list(text)
    if not texts:
        raise InvalidRequestError("text is a list of nothing", argument="text", hint="Add a text.")
    if are_plain_texts(texts):
        return texts
    return [validate_text(item, f"text[{index}]") for index, item in enumerate(texts)]


def check_many_texts(texts: object) -> Iterator[object]:
    """Return what yields texts to embed; each is checked when its turn comes."""
    if isinstance(texts, str) or not is_iterable(texts) or isinstance(texts, (set, frozenset)):
        raise InvalidRequestError(
            f"texts must be a list of strings, or yield strings, got {type(texts).__name__}",
            argument="texts",
            hint="embed() takes one text." if isinstance(texts, str) else None,
        )
    return iter(texts)


def check_at_least_one(value: object, argument: str) -> int:
    """Return ``value`` if it is an integer from 1 on."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise InvalidRequestError(
        f"{argument} must be a positive integer, got {shown(value)}", argument=argument
    )


def check_callback(
    value: Callable[[int], object] | None, argument: str
) -> Callable[[int], object] | None:
    """Return ``value`` if it can be called, or ``None``."""
    if value is None or callable(value):
        return value
    raise InvalidRequestError(
        f"{argument} must be a function, got {shown(value)}", argument=argument
    )


def check_dimensions(value: object) -> int | None:
    """Return the length to shorten vectors to."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value
    raise InvalidRequestError(
        f"dimensions must be a positive integer, got {shown(value)}", argument="dimensions"
    )


def check_loading_keep_alive(value: object) -> float | str | None:
    """Return how long a model that is being loaded stays, which is not 0."""
    keep_alive = check_keep_alive(value)
    if keep_alive == 0 or (isinstance(keep_alive, str) and not re.search("[1-9]", keep_alive)):
        raise InvalidRequestError(
            "keep_alive is 0, which unloads the model instead of loading it",
            argument="keep_alive",
            hint="Use unload_model(), or give a time.",
        )
    return keep_alive
