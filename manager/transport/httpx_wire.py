"""The connection under an httpx answer, by the documented extensions network_stream and trace."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING, Any

from manager.transport.sockets import wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

__all__ = ["Wire"]


class Wire:
    """The connection that an exchange uses, as far as its transport says which one that is."""

    __slots__ = ("_is_ended", "_stream")

    def __init__(self) -> None:
        self._stream: Any = None
        self._is_ended = False

    @property
    def is_known(self) -> bool:
        """Whether there is a connection to end."""
        return self._stream is not None

    def note(self, response: httpx.Response) -> None:
        """Note the connection that an answer came by."""
        self._stream = response.extensions.get("network_stream")
        if self._is_ended:
            self.end()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Note a new connection: the extension ``trace``.

        What counts is what an event returns, not its name, which may change. Where no event
        returns a connection, it becomes known with the head of the answer.
        """
        stream = info.get("return_value")
        if hasattr(stream, "get_extra_info"):
            self._stream = stream
            if self._is_ended:  # while it was being made
                self.end()

    def end(self) -> bool:
        """End the connection, from any thread, also one that is made later.

        A thread that waits for data on it wakes up, which closing the socket would not do.

        Returns:
            Whether there was one to end.
        """
        self._is_ended = True
        with contextlib.suppress(Exception):  # a transport may put anything there
            # Of a copy: ssl.SSLSocket.shutdown() would drop the TLS layer under a blocked reader,
            # and what event loops hand out cannot always be shut down.
            with socket.socket() as same:
                # no descriptor is without a socket that closes it, whenever a signal handler raises
                os.dup2(self._socket().fileno(), same.fileno(), inheritable=False)
                same.shutdown(socket.SHUT_RDWR)
            return True
        return False

    def has_unread(self) -> bool:
        """Return whether data waits to be read, the end included; True where that is unknown."""
        try:
            return wait_for(self._socket().fileno(), 0, readable=True, writable=False)
        except Exception:  # no socket, or a closed one
            return True

    def _socket(self) -> Any:
        return self._stream.get_extra_info("socket")
