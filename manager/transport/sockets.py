"""Sockets for connections: opened, connected without waiting, and discarded whatever happens."""

from __future__ import annotations

import errno
import os
import select
import socket
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from manager.transport.addresses import Address, SocketAddress

__all__ = [
    "begin_connect",
    "discard",
    "finish_connect",
    "new_socket",
    "open_socket",
    "unopened",
    "wait_for",
]

_IN_PROGRESS = {errno.EINPROGRESS, errno.EALREADY, errno.EINTR}
if sys.platform == "win32":  # elsewhere it would mean that something has run out
    _IN_PROGRESS.add(errno.EWOULDBLOCK)


def new_socket(address: Address) -> socket.socket:
    """Return a TCP socket that can connect to ``address``; raises OSError."""
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    _set_options(sock)
    return sock


def unopened() -> socket.socket:
    """Return a socket without a descriptor, for ``open_socket``.

    With ``new_socket``, a signal handler that raises before the caller has the socket would leave
    it to the garbage collector, with a ResourceWarning.
    """
    return socket.socket.__new__(socket.socket)


def open_socket(sock: socket.socket, address: Address) -> None:
    """Make ``sock`` a TCP socket that can connect to ``address``; raises OSError."""
    socket.socket.__init__(sock, address.family, socket.SOCK_STREAM)
    _set_options(sock)


def _set_options(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def discard(sock: socket.socket) -> None:
    """Close a socket, even one that ``open_socket`` did not finish opening."""
    # In one step: an exception of a signal handler would lose the descriptor of ``detach``.
    socket.SocketType.close(sock)


def begin_connect(sock: socket.socket, sockaddr: SocketAddress) -> bool:
    """Begin to connect a non-blocking socket; return whether it is connected already.

    Raises:
        OSError: The connection was refused at once.
    """
    error = sock.connect_ex(sockaddr)
    if sys.platform == "linux" and error in _IN_PROGRESS:
        # Over loopback the answer is there by now, and asking again is cheaper than waiting for
        # it; other platforms may lose the error of a refused connection that way.
        error = sock.connect_ex(sockaddr)
    if error in _IN_PROGRESS:
        return False
    if error not in (0, errno.EISCONN):
        raise OSError(error, os.strerror(error))
    return True


def finish_connect(sock: socket.socket, sockaddr: SocketAddress) -> None:
    """Check that a connection was made, and not to the socket itself; raises OSError.

    Where nothing listens at a port of this machine, the system may choose that same port for the
    connecting end, and the two ends of the socket meet (TCP's simultaneous open).
    """
    error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if not error and sock.getsockname()[:2] == sockaddr[:2]:
        error = errno.ECONNREFUSED
    if error:
        raise OSError(error, os.strerror(error))


def wait_for(
    sock: socket.socket | int, seconds: float | None, *, readable: bool, writable: bool
) -> bool:
    """Wait until a socket can be read or written, or has ended; return whether that is so.

    Args:
        sock: The socket, or its descriptor.
        seconds: How long at most; None for any time.
        readable: Whether something to read is waited for.
        writable: Whether room to write is waited for.

    Raises:
        OSError: It is not a socket that is open.
        ValueError: It is closed.
    """
    if not hasattr(select, "poll"):  # Windows, or eventlet took it away
        found = select.select([sock] if readable else [], [sock] if writable else [], [], seconds)
        return any(found)
    # A new object each time: no two threads may use the same one at once.
    poll = select.poll()
    poll.register(sock, readable * select.POLLIN | writable * select.POLLOUT)
    return bool(poll.poll(None if seconds is None else seconds * 1000))
