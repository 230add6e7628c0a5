"""Model options: checked here, because Ollama ignores a misspelt one without a word."""

from __future__ import annotations

import math
import numbers
import operator
from typing import TYPE_CHECKING

from manager.errors import InvalidRequestError
from manager.json_values import check_json, validate_text
from manager.narrowing import is_array, is_mapping
from manager.spelling import did_you_mean, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ollama_api.models.options import OptionField, Options, OptionsDict

    from manager.types import JSON, JSONObject

__all__ = ["merge_options"]

# What other programs call it. Only ever used to suggest.
_ELSEWHERE = {
    "context_length": "num_ctx",
    "ctx_size": "num_ctx",
    "gpu_layers": "num_gpu",
    "max_completion_tokens": "num_predict",
    "max_new_tokens": "num_predict",
    "max_output_tokens": "num_predict",
    "max_tokens": "num_predict",
    "messages": "prompt",
    "model": "model_name",
    "n_ctx": "num_ctx",
    "n_gpu_layers": "num_gpu",
    "n_predict": "num_predict",
    "n_threads": "num_thread",
    "reasoning_effort": "think",
    "repetition_penalty": "repeat_penalty",
    "response_format": "format",
    "stop_sequences": "stop",
    "system_prompt": "system",
    "threads": "num_thread",
}
_INT64 = 2**63


def merge_options(
    options: Mapping[str, object] | OptionsDict | Options | None = None,
    extra_options: Mapping[str, object] | None = None,
    option_kwargs: Mapping[str, object] | None = None,
    *,
    arguments: Collection[str] = (),
    argument: str = "options",
) -> JSONObject | None:
    """Return the options of a request, or ``None`` where none is set.

    ``None`` as a value means "not set". A single string for ``stop`` counts as a list of one.

    Args:
        options: Options by name, or an ``Options`` record.
        extra_options: Options that this version does not know; any JSON is passed on.
        option_kwargs: Options that came as keywords of a call.
        arguments: The other keywords of that call, to suggest for a misspelt one.
        argument: What ``options`` is called, for the error.

    Raises:
        InvalidRequestError: An option is unknown, given twice, of the wrong type or out of range.
    """
    given, passed_on = _unpack(options, argument)
    extra = _check_mapping(extra_options, "extra_options")
    if not given and not passed_on and not extra and not option_kwargs:
        return None
    from ollama_api.models.options import OPTION_FIELDS

    merged: JSONObject = {}
    for name, value in given.items():
        if name not in OPTION_FIELDS:
            raise _unknown_option(name, argument, OPTION_FIELDS)
        if value is not None:
            merged[name] = _check_option(OPTION_FIELDS[name], value, f"{argument}.{name}")
    for name, value in (option_kwargs or {}).items():
        if name not in OPTION_FIELDS:
            raise _unknown_keyword(name, OPTION_FIELDS, arguments)
        if value is not None and name in merged:
            raise _given_twice(name, f"as a keyword and in {argument}")
        if value is not None:
            merged[name] = _check_option(OPTION_FIELDS[name], value, name)
    for place, values in ((argument, passed_on), ("extra_options", extra)):
        for name, value in values.items():
            if name in OPTION_FIELDS:
                raise _known_option(name)
            if name in merged:
                raise _given_twice(name, f"in {argument} and in extra_options")
            merged[name] = check_json(value, f"{place}.{name}")
    return merged or None


def _unpack(options: object, argument: str) -> tuple[Mapping[str, object], Mapping[str, object]]:
    """Return the options to check and those that are passed on knowingly."""
    if options is None or is_mapping(options):
        return _check_mapping(options, argument), {}
    from ollama_api.models.options import Options

    if not isinstance(options, Options):
        return _check_mapping(options, argument), {}
    passed_on = _check_mapping(options.additional_properties, argument)
    given = {key: value for key, value in options.to_dict().items() if key not in passed_on}
    return given, passed_on


def _check_mapping(value: object, argument: str) -> Mapping[str, object]:
    if value is None:
        return {}
    if not is_mapping(value):
        raise InvalidRequestError(
            f"{argument} must be a mapping, got {type(value).__name__}",
            argument=argument,
            hint='Write it as {"name": value}.',
        )
    checked: dict[str, object] = {}
    for name, item in value.items():
        if not isinstance(name, str) or not name:
            raise InvalidRequestError(
                f"{argument} has the key {shown(name)}; keys must be names", argument=argument
            )
        checked[name] = item
    return checked


def _check_option(field: OptionField, value: object, place: str) -> JSON:
    if field.type == "integer":
        return _check_range(field, _check_integer(value, place), place)
    if field.type == "number":
        return _check_range(field, _check_number(value, place), place)
    if field.type == "boolean":
        if not isinstance(value, bool):
            raise _ill_typed(place, "True or False", value)
        return value
    if field.type == "string":
        return validate_text(value, place)
    return _check_texts(value, place)


def _check_integer(value: object, place: str) -> int:
    if isinstance(value, bool):
        raise _ill_typed(place, "an integer", value)
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise _ill_typed(place, "an integer", value) from None
    if not -_INT64 <= number < _INT64:
        raise InvalidRequestError(f"{place} does not fit 64 bits: {shown(number)}", argument=place)
    return number


def _check_number(value: object, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise _ill_typed(place, "a number", value)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InvalidRequestError(
            f"{place} must be a finite number, got {shown(value)}", argument=place
        )
    return number


def _check_range(field: OptionField, number: float, place: str) -> float:
    low, high = field.minimum, field.maximum
    if (low is None or number >= low) and (high is None or number <= high):
        return number
    if high is None:
        span = f"at least {low:g}"
    elif low is None:
        span = f"at most {high:g}"
    else:
        span = f"from {low:.15g} to {high:.15g}"
    raise InvalidRequestError(
        f"{place} must be {span}, got {number}", argument=place, hint=field.description or None
    )


def _check_texts(value: object, place: str) -> list[JSON]:
    texts: object = [value] if isinstance(value, str) else value
    if not is_array(texts):
        raise _ill_typed(place, "a list of strings", value)
    checked: list[JSON] = []
    for index, text in enumerate(texts):
        item = f"{place}[{index}]"
        checked.append(validate_text(text, item))
        if not text:
            raise InvalidRequestError(
                f"{item} is empty and would end every answer at once", argument=item
            )
    return checked


def _ill_typed(place: str, wanted: str, value: object) -> InvalidRequestError:
    return InvalidRequestError(
        f"{place} must be {wanted}, got {type(value).__name__} {shown(value)}", argument=place
    )


def _known_option(name: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"extra_options holds {name}, which is a known option",
        argument=f"extra_options.{name}",
        hint=f"Give it as the keyword {name}=... or in options, where it is checked.",
    )


def _given_twice(name: str, where: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"{name} is given twice, {where}",
        argument=name,
        hint="Leave out one of the two.",
    )


def _unknown_option(name: str, argument: str, known: Collection[str]) -> InvalidRequestError:
    guess = _guess(name, known)
    passing = (
        "extra_options passes on options that this version does not know."
        if argument == "options"
        else f"Options.from_dict({{...}}) as {argument} passes on what this version does not know."
    )
    return InvalidRequestError(
        f'{argument} has no option "{name}"',
        argument=f"{argument}.{name}",
        hint=f"{guess} {passing}" if guess else passing,
    )


def _unknown_keyword(
    name: str, known: Collection[str], arguments: Collection[str]
) -> InvalidRequestError:
    guess = _guess(name, [*known, *arguments])
    passing = "extra_options passes on options that this version does not know."
    return InvalidRequestError(
        f"{name} is neither an argument nor a known option",
        argument=name,
        hint=f"{guess} {passing}" if guess else passing,
    )


def _guess(name: str, candidates: Collection[str]) -> str | None:
    match = _ELSEWHERE.get(name)
    return f'Did you mean "{match}"?' if match in candidates else did_you_mean(name, candidates)
