"""A port for a server that another process starts."""

from __future__ import annotations

import socket
import sys

__all__ = ["Reservation"]


class Reservation:
    """A free port of 127.0.0.1, kept for a server that is to listen there, maybe again and again.

    On Linux nobody who asks for any free port gets it until the reservation is closed: a socket
    is bound to it and does not listen. A server that sets ``SO_REUSEADDR``, as Ollama's does,
    listens there all the same, see socket(7). Other systems would refuse that server, so there
    the port has only been free a moment ago.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind(("127.0.0.1", 0))
        except OSError:
            self.close()
            raise
        self.port: int = self._socket.getsockname()[1]
        if sys.platform != "linux":
            self.close()

    def close(self) -> None:
        """Let others have the port."""
        self._socket.close()
