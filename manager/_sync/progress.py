# generated from manager/_async/progress.py by codegen.sh - do not edit
"""Follows a pull, push or create to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manager.errors import ServerUnavailableError, StreamInterruptedError
from manager.events import ModelProgress
from manager.progress import check_listener, progress_timeouts

if TYPE_CHECKING:
    from ollama_api.models import ProgressResponse
    from ollama_api.types import Request

    from manager._sync.lines import Lines
    from manager._sync.session import Session
    from manager.progress import ProgressListener
    from manager.timeouts import TimeoutInput

__all__ = ["follow_progress"]


def follow_progress(
    session: Session,
    request: Request[ProgressResponse],
    *,
    model: str,
    source: str | None = None,
    on_progress: ProgressListener | None,
    timeout: TimeoutInput,
) -> ProgressResponse:
    """Send ``request``, report each line, and return the last one.

    Args:
        session: Sends it.
        request: A pull, push or create.
        model: What it makes or moves.
        source: The model that may be missing, where that is another one.
        on_progress: Called with each line.
        timeout: As for ``pull_model``.

    Raises:
        APIError: A line says that it failed.
        StreamInterruptedError: The stream ended without ``success``.
    """
    check_listener(on_progress)
    lines = session.stream(request, model=source or model, timeout=progress_timeouts(timeout))
    try:
        last = _follow(session, lines, request.operation_id, model, on_progress)
    finally:
        lines.close()
    return last


def _follow(
    session: Session,
    lines: Lines[ProgressResponse],
    operation: str,
    model: str,
    on_progress: ProgressListener | None,
) -> ProgressResponse:
    try:
        for progress in lines:
            if session.events.active:
                session.events.emit(
                    ModelProgress(model=model, operation=operation, progress=progress)
                )
            if on_progress is not None:
                on_progress(progress)
            if progress.status == "success":
                lines.complete()
                return progress
    except ServerUnavailableError as error:
        raise StreamInterruptedError(
            f"{operation} broke off: {error.message}",
            hint="call it again; a pull goes on where it was",
            model=model,
            endpoint=error.endpoint,
            attempts=error.attempts,
            request_id=error.request_id,
        ) from error
    raise lines.interrupted()
