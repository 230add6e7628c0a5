"""Where a connection is to lead, and in words why it was not made; pure."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, NamedTuple

from manager.transport.exceptions import ConnectFailed, ConnectTimedOut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from manager.transport.addresses import Address

__all__ = ["Destination", "Failure"]

_MOST_NAMED = 5  # addresses in an error message: enough to see the pattern, and still one line

# The system's own words differ from platform to platform; these are the usual reasons.
_REASONS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EHOSTUNREACH: "no route to host",
    errno.ENETUNREACH: "network is unreachable",
    errno.ETIMEDOUT: "no answer",
    errno.EMFILE: "too many open files",
}


class Failure(NamedTuple):
    """An attempt that failed."""

    address: Address
    error: OSError


class Destination(NamedTuple):
    """What is dialed, and how long that may take.

    Attributes:
        host: A name or an IP address, without brackets.
        port: 1 to 65535.
        seconds: The limit for the name lookup and all attempts together; None for no limit.
    """

    host: str
    port: int
    seconds: float | None

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def timed_out(self) -> ConnectTimedOut:
        """Return the error for addresses that did not answer in time."""
        return ConnectTimedOut(f"no connection to {self} within {self.seconds:g} s")

    def not_resolved_in_time(self) -> ConnectTimedOut:
        """Return the error for a name lookup that did not end in time."""
        return ConnectTimedOut(
            f"no connection to {self} within {self.seconds:g} s: its name was not resolved in time"
        )

    def not_resolved(self, reason: str) -> ConnectFailed:
        """Return the error for a name lookup that failed."""
        return ConnectFailed(f"the name {self.host!r} cannot be resolved: {reason}")

    def failed(self, failures: Sequence[Failure]) -> ConnectFailed:
        """Return the error for attempts that all failed; its cause is the last one's error."""
        if len(failures) == 1 and failures[0].address.ip == self.host:
            reasons = [_reason(failures[0].error)]
        else:
            named = failures[:_MOST_NAMED]
            reasons = [f"{failure.address.ip}: {_reason(failure.error)}" for failure in named]
        if len(failures) > _MOST_NAMED:
            reasons.append(f"and {len(failures) - _MOST_NAMED} more")
        error = ConnectFailed(f"no connection to {self}: {'; '.join(reasons)}")
        error.__cause__ = failures[-1].error
        return error


def _reason(error: OSError) -> str:
    if error.errno is None:
        return str(error) or type(error).__name__
    return _REASONS.get(error.errno) or os.strerror(error.errno).lower()
