"""Ports for the servers that tests start."""

from __future__ import annotations

from collections import deque

from manager.testing.ports import Reservation

_KEPT = 200  # open files of this process; a test takes a few
_reserved: deque[Reservation] = deque()


def free_port() -> int:
    """Return a port of 127.0.0.1 at which nothing listens, and that no other test gets meanwhile.

    Tests of other workers ask for any free port all the time. One that got this one would meet
    who looks for the server of this test, before it is there or when it is gone.
    """
    if len(_reserved) == _KEPT:
        _reserved.popleft().close()
    _reserved.append(Reservation())
    return _reserved[-1].port
