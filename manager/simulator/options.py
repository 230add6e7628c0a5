"""The options of a request: their types, and which of them take effect on loading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from manager.simulator.exchange import ApiError
from manager.simulator.json_types import is_list

if TYPE_CHECKING:
    from collections.abc import Mapping

_TYPES = {
    **dict.fromkeys(
        (
            "num_keep", "seed", "num_predict", "top_k", "repeat_last_n", "num_ctx", "num_batch",
            "num_gpu", "main_gpu", "num_thread", "draft_num_predict",
        ),
        "integer",
    ),
    **dict.fromkeys(
        (
            "top_p", "min_p", "typical_p", "temperature", "repeat_penalty", "presence_penalty",
            "frequency_penalty",
        ),
        "float32",
    ),
    "use_mmap": "boolean",
    "stop": "array",
}  # fmt: skip
_ON_LOADING = (
    "draft_num_predict", "main_gpu", "num_batch", "num_ctx", "num_gpu", "num_thread", "use_mmap",
)  # fmt: skip
_LEAST_CONTEXT = 4


def effective(parameters: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the model with those of the request on top; unknown ones are dropped.

    Raises:
        ApiError: 500 for a wrong type, which is what Ollama answers.
    """
    result: dict[str, Any] = {}
    for name, value in (*parameters.items(), *asked.items()):
        kind = _TYPES.get(name)
        if kind is not None and value is not None:
            result[name] = _checked(name, value, kind)
    return result


def on_loading(options: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Those options that need the model to be loaded anew when they change."""
    return tuple((name, options[name]) for name in _ON_LOADING if name in options)


def context_length(options: Mapping[str, Any], default: int, limit: int) -> int:
    """How many tokens the model can keep in view."""
    return min(max(options.get("num_ctx") or default, _LEAST_CONTEXT), limit)


def _checked(name: str, value: Any, kind: str) -> Any:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "integer" and is_number:
        return int(value)
    if kind == "float32" and is_number:
        return float(value)
    if kind == "boolean" and isinstance(value, bool):
        return value
    if kind == "array" and is_list(value):
        if not all(isinstance(entry, str) for entry in value):
            raise ApiError(500, f'option "{name}" must be of an array of strings')
        return value
    raise ApiError(500, f'option "{name}" must be of type {kind}')
