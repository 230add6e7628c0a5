"""Progress of a pull, push or create."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from manager.timeouts import DEFAULT, Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable

    from ollama_api.models import ProgressResponse

    from manager.timeouts import TimeoutInput

__all__ = ["ProgressListener", "progress_timeouts"]

ProgressListener: TypeAlias = "Callable[[ProgressResponse], object]"


def progress_timeouts(timeout: TimeoutInput) -> TimeoutInput:
    """Return the limits of a pull, push or create: unless given, any silence is allowed.

    Checking the digest of a large layer takes minutes in which Ollama says nothing.
    """
    return Timeouts(first_token=None, chunk=None) if timeout is DEFAULT else timeout
