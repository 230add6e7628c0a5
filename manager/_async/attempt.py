"""One sending of a request: its place among the connections, and the exchange with the server."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from manager.in_flight import Waiting
from manager.transport.exceptions import ConnectionLost

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Mapping

    from manager.in_flight import InFlight
    from manager.transport._async.carrier import AsyncCarried
    from manager.transport.call import Call
    from manager.transport.deadlines import Limit
    from manager.transport.queue import Slot, SlotQueue

__all__ = ["AsyncAttempt"]


class AsyncAttempt:
    """Owns a slot and an exchange until its end.

    Args:
        call: What is sent.
        exchange: How; it has not begun.
        slot: The right to a connection.
        slots: Where the slot is from.
    """

    __slots__ = ("__weakref__", "_exchange", "_slot", "_slots", "call")

    def __init__(
        self, call: Call[Any], exchange: AsyncCarried, slot: Slot, slots: SlotQueue
    ) -> None:
        self.call = call
        self._exchange = exchange
        self._slot = slot
        self._slots = slots

    @property
    def status(self) -> int:
        """The status of the answer."""
        return self._exchange.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The header fields of the answer by lower-case name."""
        return self._exchange.headers

    async def open(self, in_flight: InFlight[Any]) -> None:
        """Send the request and wait for the head of the answer.

        Raises:
            TransportError: There is no answer.
        """
        call, exchange = self.call, self._exchange
        call.begin_attempt(lambda: exchange.sent_headers)
        try:
            in_flight.asked(self)
            if call.is_over:  # its stream was closed while it waited to be sent again
                raise ConnectionLost("the stream was closed")
            content = cast("bytes | AsyncIterable[bytes] | None", call.request.content)
            await exchange.open(call.body if content is None else content, call.deadlines)
        finally:
            in_flight.answered(self)

    async def read(self, limit: Limit) -> bytes | None:
        """Return the next piece of the body, None at its end.

        Raises:
            TransportError: It did not arrive.
        """
        return await self._exchange.read(limit)

    async def read_all(self) -> bytes:
        """Return the whole body.

        Raises:
            TransportError: It did not arrive in full.
        """
        return await self._exchange.read_all(self.call.deadlines.reading())

    @property
    def is_read(self) -> bool:
        """Whether the answer has been read to its end."""
        return self._exchange.is_read

    def has_unread(self) -> bool:
        """Whether more has arrived than was read; from any thread."""
        return self._exchange.has_unread()

    def waiting(self) -> Waiting | None:
        """Return for how long the head of the answer has been waited for, if it is now."""
        since = self._exchange.asked_at
        if since is None:
            return None
        return Waiting(self.call.request.operation_id, self.call.model, since, begun=False)

    def resend(self) -> None:
        """End the exchange if its answer has not begun, so that the request is sent again."""
        since = self._exchange.asked_at
        if self._exchange.abort_unanswered() and since is not None:
            self.call.waited(time.monotonic() - since)  # in vain, and for no fault of its own

    def abort(self) -> None:
        """End the exchange, from any thread: who waits for it wakes up, the server stops."""
        self._exchange.abort()

    def free_slot(self) -> None:
        """Let another call have a connection, whenever this one's exchange ends."""
        self._slots.free(self._slot)

    async def end(self) -> None:
        """Give back the connection and the slot; only for who reads. A second time is harmless."""
        try:
            await self._exchange.release()
        finally:
            self.free_slot()

    def keep_for_parent(self) -> None:
        """In a forked child: leave the exchange to the parent."""
        self._exchange.keep_for_parent()
