"""The supervisor's end of one connection to a manager."""

from __future__ import annotations

import os
import sys

from manager.supervisor.loop import READ, WRITE
from manager.supervisor.protocol import LineBuffer, encode, peer_of, receive_with_fd
from manager.supervisor.wire_values import BadMessageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping
    from typing import Any

    from manager.supervisor.loop import Loop
    from manager.supervisor.settings import ServerSettings

__all__ = ["Client"]

_MAX_UNREAD = 4 << 20


class Client:
    """A connection: lines in, lines out, and the manager's process behind it.

    It is gone when the connection ends, or when that process ends: a forked child of the
    manager's program can keep the connection open.

    Args:
        number: Which client of this supervisor it is.
        connection: The accepted socket.
        loop: The loop to live in.
        received: Hears of each message.
        gone: Hears once that it is over.
    """

    def __init__(
        self,
        number: int,
        connection: socket.socket,
        loop: Loop,
        received: Callable[[Client, dict[str, Any]], None],
        gone: Callable[[Client], None],
    ) -> None:
        self.number = number
        self.greeted = False
        self.attached = False
        self.in_flight: int | None = None
        self.settings: ServerSettings | None = None  # of its newest lease
        self._socket = connection
        self._loop = loop
        self._received = received
        self._gone = gone
        self._buffer = LineBuffer()
        self._unsent = b""
        self._process: int | None = None
        self._open = True
        connection.setblocking(False)
        loop.watch(connection.fileno(), READ, self._readable)

    def allowed(self) -> bool:
        """Whether the peer is the user that this process runs as."""
        try:
            return peer_of(self._socket).uid == os.geteuid()
        except OSError:  # it is gone already
            return False

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message; one who does not read is dropped in the end.

        Args:
            message: JSON-ready data.
        """
        self.send_line(encode(message))

    def send_line(self, line: bytes) -> None:
        """Do as ``send``, with what ``encode`` made of the message.

        Args:
            line: The same for several clients, perhaps.
        """
        if not self._open:
            return
        self._unsent += line
        self._flush()
        if len(self._unsent) > _MAX_UNREAD:
            self.close()

    def close(self) -> None:
        """End it, from this side or after the other."""
        if not self._open:
            return
        self._open = False
        self._loop.unwatch(self._socket.fileno())
        self._socket.close()
        if self._process is not None:
            self._loop.unwatch(self._process)
            os.close(self._process)
        self._gone(self)

    def _readable(self) -> None:
        try:
            data, fds = receive_with_fd(self._socket)
        except BlockingIOError:
            if self._unsent:
                self._flush()
            return
        except OSError:
            data, fds = b"", []
        self._watch_process(fds)
        if not data:
            self.close()
            return
        try:
            messages = list(self._buffer.feed(data))
        except (ValueError, RecursionError):
            self.close()  # not our protocol
            return
        for message in messages:
            if not self._open:
                return
            try:
                self._received(self, message)
            except BadMessageError:
                self.close()

    def _watch_process(self, fds: list[int]) -> None:
        for fd in fds:
            try:
                if self._process is not None or sys.platform != "linux":
                    raise OSError
                self._loop.watch(fd, READ, self.close)
                self._process = fd
            except OSError:  # or nothing that can be watched
                os.close(fd)

    def _flush(self) -> None:
        try:
            while self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self._unsent = b""  # the end of the connection will be read next
        if self._open:
            events = READ | WRITE if self._unsent else READ
            self._loop.watch(self._socket.fileno(), events, self._readable)
