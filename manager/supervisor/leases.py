"""Who uses the server, and how long it stays after the last one leaves: a pure book of leases."""

from __future__ import annotations

from math import inf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LeaseBook"]


class LeaseBook:
    """The leases on one server, each with the linger that it leaves behind.

    A lease that ends keeps the server for its own ``linger`` more seconds, so the server stays
    until the latest of those moments. An endless linger is a lease that nobody need hold.
    """

    __slots__ = ("_endless", "_keep_until", "_lingers")

    def __init__(self) -> None:
        self._lingers: dict[int, float] = {}
        self._keep_until = -inf
        self._endless: set[int] = set()  # who has asked for that

    def __len__(self) -> int:
        # An endless lease counts on when its holder has gone.
        unheld = self.endless and inf not in self._lingers.values()
        return len(self._lingers) + (1 if unheld else 0)

    def __iter__(self) -> Iterator[int]:
        return iter(tuple(self._lingers))

    def __contains__(self, holder: int) -> bool:
        return holder in self._lingers

    @property
    def endless(self) -> bool:
        """Whether the server stays until it is stopped explicitly."""
        return bool(self._endless)

    def take(self, holder: int, linger: float) -> None:
        """Enter a lease, or renew it; an endless one stays even after its holder has gone.

        A holder that renews it with another linger takes its wish for an endless one back.

        Args:
            holder: Who takes it.
            linger: How many seconds the server stays after it ends; infinite: endless.
        """
        self._lingers[holder] = linger
        if linger == inf:
            self._endless.add(holder)
        else:
            self._endless.discard(holder)

    def end(self, holder: int, now: float) -> None:
        """End a lease; one that is not there is no error.

        Args:
            holder: Whose it is.
            now: The monotonic clock, in seconds.
        """
        linger = self._lingers.pop(holder, None)
        if linger is not None and linger < inf:
            self._keep_until = max(self._keep_until, now + linger)

    def end_all(self) -> None:
        """End every lease at once and forget every linger: what an explicit stop does."""
        self._lingers.clear()
        self._endless.clear()
        self._keep_until = -inf

    def others(self, holder: int) -> int:
        """Count the leases of others, an endless one included.

        Args:
            holder: Who asks.

        Returns:
            The number of leases that are not the asker's.
        """
        return len(self) - (1 if holder in self._lingers else 0)

    def expiry(self) -> float | None:
        """Return the moment at which nobody wants the server any more; None while somebody does.

        Returns:
            A moment on the monotonic clock, possibly long gone, or None.
        """
        if self._lingers or self.endless:
            return None
        return self._keep_until
