"""How the steps of an exchange are limited and ended; ``httpx_steps_sync`` is the sync form."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from manager.transport.httpx_errors import StepEnded
from manager.waiting_async import whole_async

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import TypeAlias

    import httpx

    from manager.transport._async.connection import AsyncConnection

__all__ = ["AsyncSteps", "Step", "close_forgotten_async", "close_transport_async"]

T = TypeVar("T")

Step: TypeAlias = "Callable[[], Awaitable[T]]"
"""A part of an exchange, which waits for the network."""

# A transport that keeps its own limits ends a step in better order than cancelling does.
_GRACE: Final = 0.1

_closing: set[asyncio.Task[None]] = set()  # the event loop alone would let them be collected


class AsyncSteps:
    """Runs the steps of one exchange one after the other, on the event loop of the first."""

    can_interrupt = True
    """Whether a step can be ended from outside, whatever the transport does in it."""

    __slots__ = ("_loop", "_scope")

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scope: asyncio.Timeout | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a step is under way."""
        return self._scope is not None

    async def run(self, step: Step[T], seconds: float | None) -> T:
        """Return the result of a step.

        Args:
            step: What is to be done.
            seconds: How long it may take; None for any time.

        Raises:
            StepEnded: It took longer, or was interrupted.
        """
        self._loop = asyncio.get_running_loop()
        scope = asyncio.timeout(None if seconds is None else seconds + _GRACE)
        try:
            async with scope:
                self._scope = scope
                return await step()
        except TimeoutError:
            if scope.expired():
                raise StepEnded from None
            raise
        finally:
            self._scope = None

    def interrupt(self) -> None:
        """End the step that is under way, from any thread."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the event loop is closed
                self._loop.call_soon_threadsafe(self._end_step)

    def _end_step(self) -> None:
        if self._scope is not None:
            with suppress(RuntimeError):  # it is over
                self._scope.reschedule(0)

    def close_soon(self, close: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Close what nobody reads any more, from any thread and without waiting."""
        loop = self._loop
        if loop is None:
            return

        def begin() -> None:
            task = loop.create_task(close())
            _closing.add(task)
            task.add_done_callback(_closing.discard)
            task.add_done_callback(_look_at)

        with suppress(RuntimeError):  # the event loop is closed
            loop.call_soon_threadsafe(begin)


def _look_at(task: asyncio.Task[None]) -> None:
    """Asyncio complains of an error that nobody has looked at."""
    if not task.cancelled():
        task.exception()


async def close_transport_async(transport: httpx.AsyncBaseTransport) -> None:
    """Close a transport that nothing uses, also where nobody waits for it any more."""
    with suppress(Exception):  # of the connections that it has lost, perhaps
        await whole_async(transport.aclose)


def close_forgotten_async(connection: AsyncConnection) -> None:
    """Do nothing: the event loop closes what was aborted."""
