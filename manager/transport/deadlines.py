"""How long each step of a call may take, on the monotonic clock. No I/O."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from manager.transport.exceptions import TransferTimedOut

if TYPE_CHECKING:
    from manager.timeouts import ResolvedTimeouts

__all__ = ["Deadlines", "Limit"]

# The system may wake up a little early.
_TICK = 0.01


class Limit:
    """A limit on waiting for the peer: for each wait, for all of them together, or both.

    Args:
        silence: The seconds that a single wait may take; None for any time.
        until: The moment on the monotonic clock at which all waits are over; None for none. A
            peer that sends a byte now and then does not get past it.
    """

    __slots__ = ("silence", "until")

    def __init__(self, silence: float | None, until: float | None) -> None:
        self.silence = silence
        self.until = until

    def seconds(self) -> float | None:
        """Return how long the next wait may take, or None for any time.

        Raises:
            TransferTimedOut: The time is up.
        """
        if self.until is None:
            return self.silence
        left = self.until - time.monotonic()
        if left <= 0:
            raise TransferTimedOut("the time is up")
        return left if self.silence is None else min(left, self.silence)


class Deadlines:
    """The limits of one call, which begins now.

    Args:
        timeouts: The limits that are in force.
    """

    __slots__ = ("began", "end", "timeouts")

    def __init__(self, timeouts: ResolvedTimeouts) -> None:
        self.timeouts = timeouts
        self.began: float = time.monotonic()
        self.end: float | None = None if timeouts.total is None else self.began + timeouts.total

    def elapsed(self) -> float:
        """Return the seconds since the call began."""
        return time.monotonic() - self.began

    def left(self) -> float | None:
        """Return the seconds that are left of the total limit; negative once it has passed."""
        return None if self.end is None else self.end - time.monotonic()

    def is_over(self) -> bool:
        """Whether the total limit has passed, or is about to."""
        return self.end is not None and self.end - time.monotonic() < _TICK

    def connecting(self) -> float | None:
        """Return the seconds in which there has to be a connection."""
        return _smaller(self.timeouts.connect, self.left())

    def queueing(self) -> float | None:
        """Return the seconds in which another call has to make room for this one."""
        return _smaller(self.timeouts.first_token, self.left())

    def sending(self) -> Limit:
        """Return the limit for sending the request."""
        return Limit(self.timeouts.first_token, self.end)

    def answering(self) -> Limit:
        """Return the limit for the head of the answer, of a request that was sent now."""
        first = self.timeouts.first_token
        return Limit(
            None, self.end if first is None else _earlier(time.monotonic() + first, self.end)
        )

    def reading(self) -> Limit:
        """Return the limit for the body of a plain answer."""
        return Limit(self.timeouts.first_token, self.end)

    def streaming(self) -> Limit:
        """Return the limit for the body of a stream."""
        return Limit(self.timeouts.chunk, self.end)


def _smaller(seconds: float | None, left: float | None) -> float | None:
    if left is None:
        return seconds
    left = max(left, 0.0)
    return left if seconds is None else min(seconds, left)


def _earlier(moment: float, end: float | None) -> float:
    return moment if end is None else min(moment, end)
