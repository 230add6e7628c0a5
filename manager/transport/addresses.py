"""Which address of a server to connect to first, and when to try the next (RFC 8305); pure."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ATTEMPT_DELAY", "Address", "ConnectRace", "SocketAddress", "interleave"]

T = TypeVar("T")

SocketAddress: TypeAlias = tuple[str, int] | tuple[str, int, int, int]

ATTEMPT_DELAY = 0.25  # seconds; the "Connection Attempt Delay" that RFC 8305, section 5, recommends


class Address(NamedTuple):
    """An address to connect to.

    Attributes:
        family: The address family, as ``socket`` numbers it.
        sockaddr: What ``socket.connect`` takes.
    """

    family: int
    sockaddr: SocketAddress

    @property
    def ip(self) -> str:
        """The IP address as text."""
        return self.sockaddr[0]


def interleave(addresses: Iterable[Address]) -> list[Address]:
    """Return the addresses without duplicates, their families alternating (RFC 8305, section 4).

    Args:
        addresses: In the order of the resolver, which decides the first family and the order
            within each family.
    """
    families: dict[int, deque[Address]] = {}
    for address in dict.fromkeys(addresses):
        families.setdefault(address.family, deque()).append(address)
    ordered: list[Address] = []
    while families:
        for family, waiting in list(families.items()):
            ordered.append(waiting.popleft())
            if not waiting:
                del families[family]
    return ordered


class ConnectRace(Generic[T]):
    """Schedules the connection attempts of one dial; all times are the caller's monotonic clock.

    The next attempt starts 250 ms after the last one, or at once when an attempt fails. The first
    attempt that connects ends the race.

    Args:
        addresses: In the order in which they are to be tried.
    """

    def __init__(self, addresses: Iterable[T]) -> None:
        self._untried = deque(addresses)
        self._pending = 0
        self._next_at: float | None = None  # None: at once
        self._is_won = False

    def due(self, now: float) -> T | None:
        """Return the address to try now, or None if it is not time for another one."""
        return self._untried[0] if self.seconds_to_next(now) == 0 else None

    def seconds_to_next(self, now: float) -> float | None:
        """Return how long to wait before the next attempt, or None if there is no further one."""
        if self._is_won or not self._untried:
            return None
        return 0.0 if self._next_at is None else max(self._next_at - now, 0.0)

    def started(self, now: float) -> None:
        """Record that the attempt that was due has started."""
        self._untried.popleft()
        self._pending += 1
        self._next_at = now + ATTEMPT_DELAY

    def failed(self) -> None:
        """Record that an attempt has failed."""
        self._pending -= 1
        self._next_at = None

    def connected(self) -> None:
        """Record that an attempt has connected."""
        self._pending -= 1
        self._is_won = True

    @property
    def is_lost(self) -> bool:
        """Whether every address was tried, and every attempt failed."""
        return not (self._is_won or self._untried or self._pending)
