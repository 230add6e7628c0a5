"""From a route to a connection: dialling, the tunnel, TLS; written by hand, as its async twin."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from manager.transport._sync.connection import Connection
from manager.transport._sync.dial import dial
from manager.transport.deadlines import Limit
from manager.transport.exceptions import (
    ConnectFailed,
    ConnectionLost,
    ConnectTimedOut,
    InvalidAnswer,
    TransferTimedOut,
)
from manager.transport.tunnel import Tunnel

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from manager.transport.route import Route

__all__ = ["open_connection"]


def open_connection(
    route: Route,
    context: ssl.SSLContext | None,
    seconds: float | None,
    made: Callable[[Connection], object],
) -> Connection:
    """Return a connection to the server.

    Args:
        route: The way there.
        context: How TLS is to be done, where it is.
        seconds: How long all of it may take; None for any time.
        made: Called with the connection as soon as it can be aborted.

    Raises:
        ConnectTimedOut: It took longer.
        ConnectFailed: It cannot be made.
        ConnectionLost: It was aborted.
    """
    limit = Limit(None, None if seconds is None else time.monotonic() + seconds)
    connection = Connection(dial(route.host, route.port, seconds))
    try:
        made(connection)
        if route.tunnel is not None:
            _dig(connection, Tunnel(route.tunnel, route.proxy_fields), limit)
        if context is not None and (name := route.tls_name) is not None:
            _secure(connection, context, name, limit)
    except BaseException:
        connection.close()
        raise
    return connection


def _dig(connection: Connection, tunnel: Tunnel, limit: Limit) -> None:
    try:
        connection.begin(tunnel.answer)
        connection.send(tunnel.request, limit)
        while not tunnel.answer.has_head:
            connection.receive(limit)
    except TransferTimedOut as error:
        raise ConnectTimedOut("the proxy did not connect to the server in time") from error
    except (ConnectionLost, InvalidAnswer) as error:
        raise tunnel.broke(error, by_us=connection.is_aborted) from error
    tunnel.check()


def _secure(connection: Connection, context: ssl.SSLContext, name: str, limit: Limit) -> None:
    try:
        connection.start_tls(context, name, limit)
    except TransferTimedOut as error:
        raise ConnectTimedOut(f"the TLS handshake with {name} was not complete in time") from error
    except (OSError, ValueError) as error:
        raise ConnectFailed(f"TLS with {name} failed: {_words(error)}") from error


def _words(error: Exception) -> str:
    return str(getattr(error, "verify_message", "") or error) or type(error).__name__
