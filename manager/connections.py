"""What is done to a network stream of httpcore behind its back: ended, emptied, looked at."""

from __future__ import annotations

import contextlib
import os
import select
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

__all__ = ["connection_of", "discard_unread", "has_unread", "let_go", "shut_down"]


def connection_of(response: httpx.Response) -> Any:
    return response.extensions.get("network_stream")


def shut_down(connection: Any, owner: int) -> None:
    """End a network stream of httpcore, from any thread: whoever waits for it wakes up.

    Args:
        connection: The network stream, or None.
        owner: The process that opened it; in a forked child of that one nothing is done.
    """
    raw = connection.get_extra_info("socket") if connection is not None else None
    if raw is None or owner != os.getpid():
        return
    with contextlib.suppress(OSError):
        if isinstance(raw, socket.SocketType):
            # Not `raw.shutdown`: a TLS socket would drop its encryption first, and who reads from
            # it would be handed what is still encrypted.
            socket.SocketType.shutdown(raw, socket.SHUT_RDWR)
            return
        try:
            raw.shutdown(socket.SHUT_RDWR)
        except (TypeError, AttributeError):  # uvloop's sockets can only be looked at
            with _same_socket(raw) as same:
                same.shutdown(socket.SHUT_RDWR)


def _same_socket(raw: Any) -> socket.socket:
    return socket.socket(fileno=os.dup(raw.fileno()))


def discard_unread(connection: Any) -> None:
    """Make room in the buffer of a network stream that was shut down and has no reader.

    A peer that waits for room hears nothing of the end until there is some: then what it sends is
    refused.
    """
    raw = connection.get_extra_info("socket") if connection is not None else None
    if raw is None:
        return
    at_once = getattr(socket, "MSG_DONTWAIT", 0)  # where there is none, nothing is waited for
    with contextlib.suppress(OSError), _same_socket(raw) as same:
        while same.recv(1 << 16, at_once):
            pass


def let_go(connection: Any) -> None:
    """Close the descriptor that a forked child has of its parent's connection, and no more."""
    raw = connection.get_extra_info("socket") if connection is not None else None
    if isinstance(raw, socket.socket):  # an event loop's is registered with the parent's, too
        with contextlib.suppress(OSError):
            raw.close()


def has_unread(connection: Any) -> bool:
    """Whether there is something to read for a network stream of httpcore; also when unsure."""
    raw: Any = connection.get_extra_info("socket") if connection is not None else None
    try:
        if not hasattr(select, "poll"):
            return bool(select.select([raw], [], [], 0)[0])
        poll = select.poll()  # select() cannot watch descriptors above 1023
        poll.register(raw.fileno(), select.POLLIN)
        return bool(poll.poll(0))
    except (OSError, ValueError, TypeError, AttributeError):
        return True
