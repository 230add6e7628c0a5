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
            connection = await _adopt(await dial_async(route.host, route.port, None), made)
            try:
                if route.tunnel is not None:
                    await _dig(connection, Tunnel(route.tunnel, route.proxy_fields))
                await _secure(connection, context, name)
            except BaseException:
                connection.close()
                raise
            return connection
    except TimeoutError:
        raise ConnectTimedOut(f"no connection to {route.server_host} in time") from None


async def _adopt(sock: socket.socket, made: Callable[[AsyncConnection], object]) -> AsyncConnection:
    """Hand a socket over to the event loop."""
    connection = AsyncConnection(sock)
    is_taken_over = False

    def take_over() -> AsyncConnection:
        nonlocal is_taken_over
        is_taken_over = True
        return connection

    try:
        made(connection)
        # TLS comes later: cancelled in its handshake, this would leave the socket open
        await asyncio.get_running_loop().create_connection(take_over, sock=sock)
    except BaseException as error:
        # What the event loop has taken over it closes itself, a moment later: by then another
        # socket may have the number of a descriptor that was closed here.
        if not is_taken_over:
            sock.close()
        if not isinstance(error, OSError | ValueError):
            raise
        if connection.is_aborted:
            raise ConnectionLost("the connection was closed by this program") from None
        raise ConnectFailed(f"the connection failed: {_words(error)}") from error
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
