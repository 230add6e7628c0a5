"""From a route to a connection: dialling, the tunnel, TLS; written by hand, as its async twin."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from manager.transport._sync.connection import Connection
from manager.transport._sync.dial import dial
from manager.transport.deadlines import Limit
from manager.transport.exceptions import ConnectFailed, ConnectTimedOut, TransferTimedOut
from manager.transport.tunnel import Tunnel

if TYPE_CHECKING:
    import socket
    import ssl

    from manager.transport.route import Route

__all__ = ["open_connection"]


def open_connection(
    route: Route, context: ssl.SSLContext | None, seconds: float | None
) -> Connection:
    """Return a connection to the server.

    Args:
        route: The way there.
        context: How TLS is to be done, where it is.
        seconds: How long all of it may take; None for any time.

    Raises:
        ConnectTimedOut: It took longer.
        ConnectFailed: It cannot be made.
    """
    until = None if seconds is None else time.monotonic() + seconds
    sock = dial(route.host, route.port, seconds)
    try:
        if route.is_secure:
            sock = _secured(sock, context, route.host, until)
        if route.tunnel is not None:
            sock = _dug(sock, Tunnel(route.tunnel, route.proxy_fields), Limit(None, until))
            sock = _secured(sock, context, route.server_host, until)
    except TransferTimedOut as error:
        sock.close()
        raise ConnectTimedOut(f"no connection to {route.server_host} in time") from error
    except BaseException:
        sock.close()
        raise
    return Connection(sock, secure=route.is_secure or route.tunnel is not None)


def _dug(sock: socket.socket, tunnel: Tunnel, limit: Limit) -> socket.socket:
    connection = Connection(sock, secure=False)
    connection.begin(tunnel.answer)
    connection.send(tunnel.request, limit)
    while not tunnel.answer.has_head:
        connection.receive(limit)
    tunnel.check()
    return connection.detach()


def _secured(
    sock: socket.socket, context: ssl.SSLContext | None, name: str, until: float | None
) -> socket.socket:
    assert context is not None
    sock.settimeout(Limit(None, until).seconds())
    try:
        return context.wrap_socket(sock, server_hostname=name)
    except TimeoutError:
        raise ConnectTimedOut(f"the TLS handshake with {name} was not complete in time") from None
    except (OSError, ValueError) as error:
        raise ConnectFailed(f"TLS with {name} failed: {_words(error)}") from error


def _words(error: Exception) -> str:
    return str(getattr(error, "verify_message", "") or error) or type(error).__name__
