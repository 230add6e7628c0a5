"""How the steps of an exchange are limited and ended; ``httpx_steps_sync`` is the sync form."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from manager.transport.httpx_errors import StepEnded
from manager.waiting_async import perform_async, whole_async

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import TypeAlias

    import httpx

    from manager.transport._async.connection import AsyncConnection
    from manager.transport.deadlines import Limit
    from manager.transport.httpx_wire import Wire

__all__ = ["AsyncSteps", "Step", "close_forgotten_async", "close_transport_async"]

T = TypeVar("T")

Step: TypeAlias = "Callable[[], Awaitable[T]]"
"""A part of an exchange, which waits for the network."""

# A transport that keeps its own limits ends a step in better order than cancelling does.
_GRACE: Final = 0.1


class AsyncSteps:
    """Runs the steps of one exchange one after the other, on the event loop of the first.

    Args:
        wire: The connection that the exchange uses.
    """

    __slots__ = ("_is_left", "_is_sending", "_loop", "_scope", "_task", "_wire")

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scope: asyncio.Timeout | None = None
        self._task: asyncio.Task[Any] | None = None
        self._is_sending = False
        self._is_left = False

    @property
    def extensions(self) -> dict[str, Any]:
        """What has to be added to a request, so that its steps can be ended: nothing."""
        return {}

    @property
    def can_interrupt(self) -> bool:
        """Whether a step can be ended from outside."""
        return True

    @property
    def is_busy(self) -> bool:
        """Whether a step is under way."""
        return self._scope is not None

    async def run(self, step: Step[T], limit: Limit) -> T:
        """Return the result of a step.

        Args:
            step: What is to be done.
            limit: How long it may take.

        Raises:
            StepEnded: It took longer, or was interrupted.
            TransferTimedOut: The time was up before it began.
        """
        self._loop = asyncio.get_running_loop()
        seconds = limit.seconds()
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

    async def apart(self, step: Step[T]) -> T:
        """Return the result of a step that is not cancelled while it makes a connection.

        Cancelling it then would leave the connection to the garbage collector. It goes on instead,
        until it begins to send.
        """
        self._task = task = asyncio.get_running_loop().create_task(_awaited(step))
        task.add_done_callback(_look_at)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self._is_left = True
            if self._is_sending:
                task.cancel()
            raise

    def begin_to_send(self) -> None:
        """Note that there is a connection.

        Raises:
            StepEnded: Nobody waits for the step any more.
        """
        if self._is_left:
            raise StepEnded
        self._is_sending = True

    def close_after(self, close: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Close something when the step that was left has ended; return False if none was."""
        task = self._task
        if task is None or task.done():
            return False
        task.add_done_callback(lambda _: self.close_soon(close))
        return True

    def tighten(self, seconds: float | None) -> None:
        """Give the step that calls this so much time from now on, at most."""
        if seconds is not None and self._scope is not None and self._loop is not None:
            end, until = self._loop.time() + seconds + _GRACE, self._scope.when()
            self._scope.reschedule(end if until is None else min(end, until))

    def interrupt(self) -> bool:
        """End the step that is under way, from any thread; return whether that is possible."""
        self._wire.end()  # at once, however busy the event loop is
        if self._loop is not None:
            with suppress(RuntimeError):  # the event loop is closed
                self._loop.call_soon_threadsafe(self._end_step)
        return True

    def _end_step(self) -> None:
        if self._scope is not None:
            with suppress(RuntimeError):  # it is over
                self._scope.reschedule(0)

    def close_soon(self, close: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Close what nobody reads any more, from any thread and without waiting."""

        async def run() -> None:
            with suppress(Exception):
                await close()

        if self._loop is not None:
            perform_async(self._loop, run)


async def _awaited(step: Step[T]) -> T:
    return await step()


def _look_at(task: asyncio.Task[Any]) -> None:
    """Asyncio complains of an error that nobody has looked at."""
    if not task.cancelled():
        task.exception()


async def close_transport_async(transport: httpx.AsyncBaseTransport) -> None:
    """Close a transport that nothing uses, also where nobody waits for it any more."""
    with suppress(Exception):  # of the connections that it has lost, perhaps
        await whole_async(transport.aclose)


def close_forgotten_async(connection: AsyncConnection) -> None:
    """Do nothing: the event loop closes what was aborted."""
