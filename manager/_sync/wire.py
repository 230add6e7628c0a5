# generated from manager/_async/wire.py by codegen.sh - do not edit
"""What the calls of a manager do to a connection of httpcore."""

from __future__ import annotations

import os
import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from manager.connections import shut_down
from manager.lean_httpx import httpx

if TYPE_CHECKING:
    from collections.abc import Callable

    from manager.calls import Call

__all__ = ["Wire", "sent_now"]

sent_now: ContextVar[Call[Any] | None] = ContextVar("sent_now", default=None)

# Of a call with a total limit so many bytes are sent at a time: each piece may take a while.
_PIECE = 65_536


class Wire:
    """Lets each call know the connection that it is sent on, and sends and reads in its limits.

    httpcore tells of the connection only once it answers, and its timeouts begin anew with each
    byte. A head that waits for its body is sent with it; one without a body, to a proxy, with the
    empty piece that httpcore writes at the end of each request.

    Args:
        connection: The network stream; its ``write`` is replaced, and at times its ``read``.
    """

    def __init__(self, connection: Any) -> None:
        # the connection has this object, not the other way round
        self._known: Callable[[], Any] = weakref.ref(connection)
        self._owner = os.getpid()
        kind: Any = connection.__class__
        self._write: Any = kind.write
        self._read: Any = kind.read
        self._read_chunks: Any = getattr(kind, "read_chunks", None)
        self._left: Callable[[], float | None] = _no_limit
        self._head = b""
        connection.write = self._send

    def _send(self, data: bytes, timeout: float | None = None) -> None:
        call = sent_now.get()
        if call is not None:
            call.hold.take(self)
            if call.head_waits:
                self._head, call.head_waits = data, False
                return
        if self._head:
            data, self._head = self._head + data, b""
        if call is None or call.timeouts.total is None:
            self._write(self._known(), data, timeout)
            return
        for start in range(0, len(data), _PIECE):
            if (left := _smaller(timeout, call.left())) is not None and left <= 0:
                raise httpx.WriteTimeout("the request was not read in time")
            self._write(self._known(), data[start : start + _PIECE], left)

    def _receive(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data: bytes = self._read(self._known(), max_bytes, self._left_of(timeout))
        return data

    def _receive_chunks(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data: bytes = self._read_chunks(self._known(), max_bytes, self._left_of(timeout))
        return data

    def _left_of(self, timeout: float | None) -> float | None:
        left = _smaller(timeout, self._left())
        if left is not None and left <= 0:
            raise httpx.ReadTimeout("the answer did not come in time")
        return left

    def read_within(self, left: Callable[[], float | None]) -> None:
        """Have each read end in time; ``left`` tells how many seconds there are."""
        self._left = left
        if (connection := self._known()) is not None:
            connection.read = self._receive
            if self._read_chunks is not None:
                connection.read_chunks = self._receive_chunks

    def read_freely(self) -> None:
        """Have the connection read as it was made to, without a detour."""
        self._left = _no_limit
        if (connection := self._known()) is not None:
            connection.__dict__.pop("read", None)
            connection.__dict__.pop("read_chunks", None)

    def hang_up(self) -> None:
        """End the connection: whoever waits for it wakes up."""
        shut_down(self._known(), self._owner)


def _no_limit() -> None:
    return None


def _smaller(timeout: float | None, left: float | None) -> float | None:
    if left is None or timeout is None:
        return timeout if left is None else left
    return min(timeout, left)
