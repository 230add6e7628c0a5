# generated from manager/transport/_async/carrier.py by codegen.sh - do not edit
"""What carries requests to the server: the engine, or an httpx transport. Types only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from manager.transport.deadlines import Deadlines, Limit

__all__ = ["Carried", "Carrier"]


class Carried(Protocol):
    """One request and its answer; one reader, but anybody may abort it."""

    asked_at: float | None
    """When the request had been sent, on the monotonic clock; None while no head is awaited."""
    is_read: bool
    """Whether the answer has been read to its end."""

    @property
    def status(self) -> int:
        """The status of the answer."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The header fields of the answer by lower-case name."""
        ...

    @property
    def sent_headers(self) -> Mapping[str, str]:
        """The header fields of the request, for the log."""
        ...

    def open(self, body: bytes | Iterable[bytes], deadlines: Deadlines) -> None:
        """Send the request and wait for the head of the answer; raises TransportError."""
        ...

    def read(self, limit: Limit) -> bytes | None:
        """Return the next piece of the body, None at its end; raises TransportError."""
        ...

    def read_all(self, limit: Limit) -> bytes:
        """Return the rest of the body; raises TransportError."""
        ...

    def has_unread(self) -> bool:
        """Whether more has arrived than was read, as far as can be told; from any thread."""
        ...

    def abort(self) -> None:
        """End the exchange, from any thread, unless it was released already."""
        ...

    def abort_unanswered(self) -> bool:
        """End it if the head of the answer has not arrived; return whether that was so."""
        ...

    def keep_for_parent(self) -> None:
        """In a forked child: leave the connection to the parent."""
        ...

    def release(self) -> None:
        """Give the connection back, or close it where the answer was not read to its end."""
        ...


class Carrier(Protocol):
    """Makes exchanges with one server."""

    def exchange(self, method: str, path: str, content_type: str | None) -> Carried:
        """Return an exchange that has not begun; ``path`` is below the server's address."""
        ...

    def abort_all(self) -> None:
        """End every exchange, from any thread; later ones are ended at once."""
        ...

    def close(self) -> None:
        """Close all connections that are not in use, and the others when they are released."""
        ...

    def keep_for_parent(self) -> None:
        """In a forked child: leave the connections to the parent."""
        ...
