"""From a route to a connection: dialling, the tunnel, TLS; written by hand, as its sync twin."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from manager.transport._async.connection import AsyncConnection
from manager.transport._async.dial import dial_async
from manager.transport.deadlines import Limit
from manager.transport.exceptions import ConnectFailed, ConnectTimedOut
from manager.transport.tunnel import Tunnel

if TYPE_CHECKING:
    import socket
    import ssl

    from manager.transport.route import Route

__all__ = ["open_connection_async"]

_NO_LIMIT = Limit(None, None)


async def open_connection_async(
    route: Route, context: ssl.SSLContext | None, seconds: float | None
) -> AsyncConnection:
    """Return a connection to the server.

    Args:
        route: The way there.
        context: How TLS is to be done, where it is.
        seconds: How long all of it may take; None for any time.

    Raises:
        ConnectTimedOut: It took longer.
        ConnectFailed: It cannot be made.
    """
    if not route.is_secure and route.tunnel is None:
        return await _adopt(await dial_async(route.host, route.port, seconds))
    try:
        async with asyncio.timeout(seconds):
            connection = await _adopt(await dial_async(route.host, route.port, None))
            if route.is_secure and context is not None:
                await _secure(connection, context, route.host)
            if route.tunnel is not None and context is not None:
                await _dig(connection, Tunnel(route.tunnel, route.proxy_fields))
                await _secure(connection, context, route.server_host)
            return connection
    except TimeoutError:
        raise ConnectTimedOut(f"no connection to {route.server_host} in time") from None


async def _adopt(sock: socket.socket) -> AsyncConnection:
    connection: AsyncConnection | None = None

    def make() -> AsyncConnection:
        nonlocal connection
        connection = AsyncConnection()
        return connection

    try:
        # TLS comes later: cancelled in its handshake, this would leave the socket open
        await asyncio.get_running_loop().create_connection(make, sock=sock)
    except BaseException as error:
        # What the event loop has taken over it closes itself, a moment later: by then another
        # socket may have the number of a descriptor that was closed here.
        if connection is None:
            sock.close()
        if isinstance(error, OSError):
            raise ConnectFailed(f"the connection was lost: {_words(error)}") from error
        raise
    assert connection is not None
    return connection


async def _dig(connection: AsyncConnection, tunnel: Tunnel) -> None:
    try:
        connection.begin(tunnel.answer)
        await connection.send(tunnel.request, _NO_LIMIT)
        while not tunnel.answer.has_head:
            await connection.receive(_NO_LIMIT)
        tunnel.check()
    except BaseException:
        connection.close()
        raise


async def _secure(connection: AsyncConnection, context: ssl.SSLContext, name: str) -> None:
    try:
        await connection.start_tls(context, name)
    except (OSError, ValueError) as error:
        connection.close()
        raise ConnectFailed(f"TLS with {name} failed: {_words(error)}") from error
    except BaseException:
        connection.close()
        raise


def _words(error: Exception) -> str:
    return str(getattr(error, "verify_message", "") or error) or type(error).__name__
