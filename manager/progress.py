"""Progress of a pull, push or create."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from manager.default import DEFAULT
from manager.errors import InvalidRequestError
from manager.timeouts import Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable

    from ollama_api.models import ProgressResponse

    from manager.timeouts import TimeoutInput

__all__ = ["Headway", "ProgressListener", "check_listener", "progress_timeouts", "upload_timeouts"]

ProgressListener: TypeAlias = "Callable[[ProgressResponse], object]"


class Headway:
    """Tells whether a pull or push comes further than it had been, however often it begins."""

    def __init__(self) -> None:
        self._completed: dict[str, int] = {}

    def made_by(self, progress: ProgressResponse) -> bool:
        """Take in the next line, and return whether more of a layer is there than ever before."""
        digest, completed = progress.digest, progress.completed
        if not digest or not completed or completed <= self._completed.get(digest, 0):
            return False
        self._completed[digest] = completed
        return True


def check_listener(listener: object) -> None:
    """Check what is to be called with each line.

    Raises:
        InvalidRequestError: It cannot be called.
    """
    if listener is not None and not callable(listener):
        raise InvalidRequestError(
            f"on_progress must be a function, got {type(listener).__name__}",
            argument="on_progress",
            hint="it is called with each ProgressResponse",
        )


def progress_timeouts(timeout: TimeoutInput) -> TimeoutInput:
    """Return the limits of a pull, push or create: unless given, any silence is allowed.

    Checking the digest of a large layer takes minutes in which Ollama says nothing.
    """
    return Timeouts(first_token=None, chunk=None) if timeout is DEFAULT else timeout


def upload_timeouts(timeout: TimeoutInput) -> TimeoutInput:
    """Return the limits of an upload, of which a number is the longest silence.

    By default there is none: a disk may be slow to take a large file in. A plain call would take
    the number for all the time that it may last.
    """
    if timeout is DEFAULT:
        return Timeouts(first_token=None)
    if timeout is None or isinstance(timeout, Timeouts):
        return timeout
    return Timeouts(first_token=timeout)
