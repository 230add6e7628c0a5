"""Follows a pull, push or create to its end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from manager.default import DEFAULT
from manager.errors import (
    APIError,
    OllamaManagerError,
    ServerUnavailableError,
    StreamInterruptedError,
)
from manager.events import ModelProgress
from manager.progress import Headway, check_listener, progress_timeouts

if TYPE_CHECKING:
    from ollama_api.models import ProgressResponse
    from ollama_api.types import Request

    from manager._async.lines import AsyncLines
    from manager._async.session import AsyncSession
    from manager.progress import ProgressListener
    from manager.timeouts import TimeoutInput
    from manager.transport.retry import RetryInput

__all__ = ["follow_progress"]

# Asked for again, Ollama goes on where it was; a create would begin anew, with files half used.
_RESUMED = frozenset({"pull_model", "push_model"})
_AGAIN = {"pull_model": "call it again; a pull goes on where it was"}


async def follow_progress(
    session: AsyncSession,
    request: Request[ProgressResponse],
    *,
    model: str,
    source: str | None = None,
    on_progress: ProgressListener | None,
    timeout: TimeoutInput,
    retry: RetryInput = DEFAULT,
) -> ProgressResponse:
    """Send ``request``, report each line, and return the last one.

    Args:
        session: Sends it.
        request: A pull, push or create.
        model: What it makes or moves.
        source: The model that may be missing, where that is another one.
        on_progress: Called with each line.
        timeout: As for ``pull_model``.
        retry: As for ``pull_model``.

    Raises:
        APIError: A line says that it failed.
        StreamInterruptedError: The stream ended without ``success``.
    """
    check_listener(on_progress)
    lines = await session.stream(
        request, model=source or model, timeout=progress_timeouts(timeout), retry=retry
    )
    headway = Headway()
    while True:
        try:
            try:
                return await _follow(session, lines, model, on_progress, headway)
            finally:
                await lines.close()
        except (APIError, ServerUnavailableError) as error:
            operation = request.operation_id
            lines.call.has_begun(partial(_as_ended, operation), repeatable=operation in _RESUMED)
            lines = await session.transport.resume(lines, error)
        except OllamaManagerError as error:
            lines.call.fail(error)
            raise


async def _follow(
    session: AsyncSession,
    lines: AsyncLines[ProgressResponse],
    model: str,
    on_progress: ProgressListener | None,
    headway: Headway,
) -> ProgressResponse:
    async for progress in lines:
        if session.events.active:
            session.events.emit(
                ModelProgress(
                    model=model, operation=lines.call.request.operation_id, progress=progress
                )
            )
        if on_progress is not None:
            on_progress(progress)
        if headway.made_by(progress):
            lines.call.note_progress()
        if progress.status == "success":
            await lines.complete()
            return progress
    if lines.closed_by_us:
        raise lines.interrupted()
    raise ServerUnavailableError(
        "the stream ended before its last line", code="connection_lost", **lines.call.context
    )


def _as_ended(operation: str, error: OllamaManagerError) -> OllamaManagerError:
    """Return what a caller gets for the error that ended a stream which had begun."""
    if not isinstance(error, ServerUnavailableError):
        return error
    again = _AGAIN.get(operation, "call it again")
    return StreamInterruptedError(
        f"{operation} broke off: {error.message}",
        hint=again if error.retryable else error.hint,
        retryable=error.retryable,
        model=error.model,
        endpoint=error.endpoint,
        attempts=error.attempts,
        request_id=error.request_id,
        **dict(error.details, reason=error.code),
    )
