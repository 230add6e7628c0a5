"""The socket of an httpx answer, by the documented extension ``network_stream``."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING, Any

from manager.transport.sockets import wait_for

if TYPE_CHECKING:
    import httpx

__all__ = ["has_unread", "shut_down"]


def shut_down(response: httpx.Response) -> bool:
    """End the connection of an answer, from any thread; return whether that could be done.

    A thread that waits for data on it wakes up, which closing the socket would not do.
    """
    sock = _socket_of(response)
    if sock is None:
        return False
    with contextlib.suppress(OSError, ValueError, AttributeError):
        # Of a copy: ssl.SSLSocket.shutdown() would drop the TLS layer under a blocked reader,
        # and what event loops hand out cannot always be shut down.
        with socket.socket() as same:
            # no descriptor is without a socket that closes it, whenever a signal handler raises
            os.dup2(sock.fileno(), same.fileno(), inheritable=False)
            same.shutdown(socket.SHUT_RDWR)
        return True
    return False


def has_unread(response: httpx.Response) -> bool:
    """Return whether data waits to be read, the end of the connection included; True if unknown."""
    sock = _socket_of(response)
    try:
        return wait_for(sock.fileno(), 0, readable=True, writable=False)
    except (AttributeError, OSError, ValueError):  # no socket, or a closed one
        return True


def _socket_of(response: httpx.Response) -> Any:
    stream = response.extensions.get("network_stream")
    try:
        return None if stream is None else stream.get_extra_info("socket")
    except Exception:  # a transport may put anything there
        return None
