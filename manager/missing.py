"""What to say about a model that is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manager.names import closest_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from manager.errors import ModelNotFoundError

__all__ = ["explain_missing"]


def explain_missing(error: ModelNotFoundError, local_models: Iterable[str]) -> ModelNotFoundError:
    """Add the local models that are close in name to ``error``, and how to pull what was meant."""
    if error.model is None:
        return error
    suggestions = closest_names(error.model, list(local_models))
    error.details["suggestions"] = suggestions
    pull = f"get it with pull_model({error.model!r})"
    if suggestions:
        error.hint = f"did you mean {' or '.join(map(repr, suggestions))}? Otherwise {pull}"
    else:
        error.hint = f"{pull}, or see list_models() for what is there"
    return error
