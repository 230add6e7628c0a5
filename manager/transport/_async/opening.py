"""From a route to a connection: dialling, the tunnel, TLS; written by hand, as its sync twin."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from manager.transport._async.connection import AsyncConnection
from manager.transport._async.dial import dial_async
from manager.transport.deadlines import Limit
from manager.transport.exceptions import (
    ConnectFailed,
    ConnectionLost,
    ConnectTimedOut,
    InvalidAnswer,
)
from manager.transport.tunnel import Tunnel

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

    from manager.transport.route import Route

__all__ = ["open_connection_async"]

_NO_LIMIT = Limit(None, None)


async def open_connection_async(
    route: Route,
    context: ssl.SSLContext | None,
    seconds: float | None,
    made: Callable[[AsyncConnection], object],
) -> AsyncConnection:
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
    if context is None or (name := route.tls_name) is None:
        return await _adopt(await dial_async(route.host, route.port, seconds), made)
    try:
        async with asyncio.timeout(seconds):
            sock = await dial_async(route.host, route.port, None)
            if route.tunnel is None:
                return await _adopt(sock, made, context, name)
            connection = await _adopt(sock, made)
            try:
                await _dig(connection, Tunnel(route.tunnel, route.proxy_fields))
                await _secure(connection, context, name)
            except BaseException:
                connection.close()
                raise
            return connection
    except TimeoutError:
        raise ConnectTimedOut(f"no connection to {route.server_host} in time") from None


async def _adopt(
    sock: socket.socket,
    made: Callable[[AsyncConnection], object],
    context: ssl.SSLContext | None = None,
    name: str | None = None,
) -> AsyncConnection:
    """Hand a socket over to the event loop."""
    connection = AsyncConnection(sock)
    try:
        made(connection)
        await asyncio.get_running_loop().create_connection(
            lambda: connection, sock=sock, ssl=context, server_hostname=name
        )
    except (OSError, ValueError) as error:
        sock.close()
        if connection.is_aborted:
            raise ConnectionLost("the connection was closed by this program") from None
        what = "the connection" if name is None else f"TLS with {name}"
        raise ConnectFailed(f"{what} failed: {_words(error)}") from error
    except BaseException:
        sock.close()
        raise
    return connection


async def _dig(connection: AsyncConnection, tunnel: Tunnel) -> None:
    try:
        connection.begin(tunnel.answer)
        await connection.send(tunnel.request, _NO_LIMIT)
        while not tunnel.answer.has_head:
            await connection.receive(_NO_LIMIT)
    except (ConnectionLost, InvalidAnswer) as error:
        raise tunnel.broke(error, by_us=connection.is_aborted) from error
    tunnel.check()


async def _secure(connection: AsyncConnection, context: ssl.SSLContext, name: str) -> None:
    try:
        await connection.start_tls(context, name)
    except (OSError, ValueError) as error:
        raise ConnectFailed(f"TLS with {name} failed: {_words(error)}") from error


def _words(error: Exception) -> str:
    return str(getattr(error, "verify_message", "") or error) or type(error).__name__
