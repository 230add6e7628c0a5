"""How the steps of an exchange are limited and ended; ``httpx_steps_async`` is the async form.

Nothing ends a blocking call of code that is not ours but the end of the connection that it waits
for. Where that is not known, the limits are those that the transport keeps by itself.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from manager.transport.httpx_errors import StepEnded
from manager.waiting_sync import later_sync

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    import httpx

    from manager.transport._sync.connection import Connection
    from manager.transport.deadlines import Limit
    from manager.transport.httpx_wire import Wire

__all__ = ["Step", "Steps", "close_forgotten_sync", "close_transport_sync"]

T = TypeVar("T")

Step: TypeAlias = "Callable[[], T]"
"""A part of an exchange, which waits for the network."""

# A transport that keeps its own limits ends a step in better order.
_GRACE: Final = 0.1
# Closing sockets takes no time; longer than this only a lock that nobody releases takes.
_CLOSING: Final = 1.0


class Steps:
    """Runs the steps of one exchange one after the other.

    Args:
        wire: The connection that the exchange uses.
    """

    __slots__ = ("_is_late", "_stop_timer", "_wire", "is_busy")

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._is_late = False
        self._stop_timer: Callable[[], None] | None = None
        self.is_busy: bool = False
        """Whether a step is under way."""

    @property
    def extensions(self) -> dict[str, Any]:
        """What has to be added to a request, so that its steps can be ended."""
        return {"trace": self._wire.trace}

    @property
    def can_interrupt(self) -> bool:
        """Whether a step can be ended from outside."""
        return self._wire.is_known

    def run(self, step: Step[T], limit: Limit) -> T:
        """Return the result of a step.

        Args:
            step: What is to be done.
            limit: How long it may take. The transport itself limits how long it may be silent.

        Raises:
            StepEnded: It took longer.
            TransferTimedOut: The time was up before it began.
        """
        seconds = limit.seconds()
        self.is_busy = True
        try:
            if limit.until is not None:
                self.tighten(seconds)
            result = step()
        except Exception:
            if self._is_late:
                raise StepEnded from None
            raise
        finally:
            self.is_busy = False
            if self._stop_timer is not None:
                self._stop_timer()
                self._stop_timer = None
        if self._is_late:
            raise StepEnded
        return result

    def apart(self, step: Step[T]) -> T:
        """Return the result of a step that nothing cancels."""
        return step()

    def begin_to_send(self) -> None:
        """Do nothing: the connection is known."""

    def close_after(self, close: Callable[[], None]) -> bool:
        """Return False: no step was left."""
        return False

    def tighten(self, seconds: float | None) -> None:
        """Give the step that calls this so much time from now on, at most."""
        if seconds is None:
            return
        stop_other, stop = self._stop_timer, later_sync(seconds + _GRACE, self._end_late)

        def stop_both() -> None:
            stop()
            if stop_other is not None:
                stop_other()

        self._stop_timer = stop_both

    def _end_late(self) -> None:
        if self.is_busy:
            self._is_late = True
            self._wire.end()

    def interrupt(self) -> bool:
        """End the step that is under way, from any thread; return whether that is possible."""
        return self._wire.end()

    def close_soon(self, close: Callable[[], None]) -> None:
        """Close what nobody reads any more, from any thread and without waiting.

        On a thread of its own: the garbage collector may ask for it, in the middle of anything.
        """

        def run() -> None:
            with suppress(Exception):
                close()

        with suppress(RuntimeError):  # the interpreter ends
            threading.Thread(target=run, daemon=True).start()


def close_transport_sync(transport: httpx.BaseTransport) -> None:
    """Close a transport that nothing uses.

    A signal handler that raised may have left its lock held: then a thread waits, for ever.
    """
    thread = threading.Thread(target=_close, args=(transport,), daemon=True)
    thread.start()
    thread.join(_CLOSING)


def _close(transport: httpx.BaseTransport) -> None:
    with suppress(Exception):  # of the connections that it has lost, perhaps
        transport.close()


def close_forgotten_sync(connection: Connection) -> None:
    """Close a connection that nobody can be waiting for."""
    connection.close()
