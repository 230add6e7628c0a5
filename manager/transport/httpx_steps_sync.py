"""How the steps of an exchange are limited and ended; ``httpx_steps_async`` is the async form.

Nothing ends a blocking call of code that is not ours. So the limits are those that the transport
keeps by itself, and a step under way is only ended where its socket can be shut down.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    import httpx

    from manager.transport._sync.connection import Connection

__all__ = ["Step", "Steps", "close_forgotten_sync", "close_transport_sync"]

T = TypeVar("T")

Step: TypeAlias = "Callable[[], T]"
"""A part of an exchange, which waits for the network."""

# Closing sockets takes no time; longer than this only a lock that nobody releases takes.
_CLOSING: Final = 1.0


class Steps:
    """Runs the steps of one exchange one after the other."""

    can_interrupt = False
    """Whether a step can be ended from outside, whatever the transport does in it."""

    __slots__ = ("is_busy",)

    def __init__(self) -> None:
        self.is_busy: bool = False
        """Whether a step is under way."""

    def run(self, step: Step[T], seconds: float | None) -> T:
        """Return the result of a step, however long it takes."""
        self.is_busy = True
        try:
            return step()
        finally:
            self.is_busy = False

    def interrupt(self) -> None:
        """Do nothing: the step goes on."""

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
