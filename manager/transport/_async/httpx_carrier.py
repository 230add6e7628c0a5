"""An httpx transport, stock or the user's own, as what carries the calls of a manager."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

import httpx

from manager.errors import ConfigError
from manager.forks import keep
from manager.transport._async.httpx_exchange import AsyncHttpxExchange
from manager.transport._async.httpx_shared import AsyncSharedTransport, stock_transports_async
from manager.transport.cookies import Cookies
from manager.transport.exceptions import ConnectionLost

if TYPE_CHECKING:
    from manager.transport.settings import ClientSettings

__all__ = ["AsyncHttpxCarrier"]


class AsyncHttpxCarrier:
    """Makes exchanges that an httpx transport carries, without redirects, hooks and auth flows.

    httpx's stock transport loses connections when exchanges are interrupted: its pool keeps some
    that no request refers to. So it is replaced after each interruption, and the old one is closed
    when its other exchanges have ended. A user's own transport is neither replaced nor closed.

    Args:
        settings: Where the server is, and how to get there.
        transport: The user's own transport; None for httpx's.

    Raises:
        ConfigError: The transport cannot be used, or a package is missing that a proxy needs.
    """

    def __init__(
        self, settings: ClientSettings, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        if not isinstance(transport, httpx.AsyncBaseTransport | None):
            raise ConfigError(
                f"the transport must be an httpx.AsyncBaseTransport, not {type(transport).__name__}"
            )
        self.cookies: Cookies = Cookies()
        self._base_url = settings.base_url
        self._fields = list(settings.headers.items())
        self._make = None if transport is not None else stock_transports_async(settings)
        self._shared = self._new(transport)
        self._retired: list[AsyncSharedTransport] = []
        self._exchanges: weakref.WeakSet[AsyncHttpxExchange] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._is_closed = False

    def _new(self, transport: httpx.AsyncBaseTransport | None = None) -> AsyncSharedTransport:
        if self._make is not None:
            return AsyncSharedTransport(self._make(), is_stock=True)
        assert transport is not None
        return AsyncSharedTransport(transport, is_stock=False)

    def exchange(self, method: str, path: str, content_type: str | None) -> AsyncHttpxExchange:
        """Return an exchange that has not begun.

        Args:
            method: The method, in capitals.
            path: The path below the server's address, quoted, and a query.
            content_type: What the body is; None without one.
        """
        fields = list(self._fields)
        if content_type is not None:
            fields.append(("Content-Type", content_type))
        if (cookies := self.cookies.header()) is not None:
            fields.append(("Cookie", cookies))
        return AsyncHttpxExchange(self, method, self._base_url + path, fields)

    async def enter(self, exchange: AsyncHttpxExchange) -> AsyncSharedTransport:
        """Return the transport for an exchange, which has to leave it.

        Raises:
            ConnectionLost: The carrier is closed.
        """
        for retired in list(self._retired):  # their exchanges may have been forgotten
            await retired.close_if_unused()
        while True:
            with self._lock:
                if self._is_closed:
                    raise ConnectionLost("the connection was closed by this program")
                self._exchanges.add(exchange)
                shared = self._shared
                is_replaced = shared.is_damaged and shared.is_stock
                if is_replaced:
                    self._shared = self._new()
                    self._retired = [old for old in self._retired if not old.is_closed]
                    self._retired.append(shared)
            if is_replaced:
                await shared.retire()
            elif await shared.join(exchange):
                return shared

    def abort_all(self) -> None:
        """End every exchange, from any thread; later ones are ended at once."""
        self._is_closed = True
        with self._lock:
            exchanges = list(self._exchanges)
        for exchange in exchanges:
            exchange.abort()

    async def close(self) -> None:
        """Close all connections that are not in use, and the others when they are released."""
        self._is_closed = True
        for shared in [*self._retired, self._shared]:
            await shared.retire()

    def keep_for_parent(self) -> None:
        """In a forked child: leave the connections to the parent."""
        keep(self, *list(self._exchanges))
