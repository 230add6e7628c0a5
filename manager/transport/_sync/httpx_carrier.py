# generated from manager/transport/_async/httpx_carrier.py by codegen.sh - do not edit
"""httpx transports, stock or the user's own, as what carries the calls of a manager."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING

import httpx

from manager.errors import ConfigError
from manager.forks import keep
from manager.transport._sync.httpx_exchange import HttpxExchange
from manager.transport._sync.httpx_lease import Lease, stock_transports_sync
from manager.transport.cookies import Cookies
from manager.transport.exceptions import ConnectionLost

if TYPE_CHECKING:
    from manager.transport.settings import ClientSettings

__all__ = ["HttpxCarrier"]


class HttpxCarrier:
    """Makes exchanges that httpx transports carry, without redirects, hooks and auth flows.

    When an exchange is interrupted, the pool of httpx's transport may keep a connection that no
    request refers to, for ever. So each exchange has a transport to itself, with one connection;
    after an interruption it is closed, else the next exchange takes it. A user's own transport is
    neither replaced nor closed, and serves all exchanges.

    Args:
        settings: Where the server is, and how to get there.
        transport: The user's own transport; None for httpx's.

    Raises:
        ConfigError: The transport cannot be used, or a package is missing that a proxy needs.
    """

    def __init__(
        self, settings: ClientSettings, transport: httpx.BaseTransport | None = None
    ) -> None:
        if not isinstance(transport, httpx.BaseTransport | None):
            raise ConfigError(
                f"the transport must be an httpx.BaseTransport, not {type(transport).__name__}"
            )
        self.cookies: Cookies = Cookies()
        self._base_url = settings.base_url
        self._fields = list(settings.headers.items())
        self._own = transport
        self._make = None if transport is not None else stock_transports_sync(settings)
        self._max_idle = settings.max_keepalive
        # the last one given back is used first, so that the others may grow old
        self._idle: deque[Lease] = deque()
        # strongly: what is forgotten is to be closed before it is collected
        self._leased: set[Lease] = set()
        self._exchanges: weakref.WeakSet[HttpxExchange] = weakref.WeakSet()
        self._lock = threading.Lock()  # of `_exchanges` alone
        self._is_closed = False

    def exchange(self, method: str, path: str, content_type: str | None) -> HttpxExchange:
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
        return HttpxExchange(self, method, self._base_url + path, fields)

    def take(self, exchange: HttpxExchange) -> Lease:
        """Return a transport for an exchange, which has to put it back.

        Raises:
            ConnectionLost: The carrier is closed.
        """
        with self._lock:
            self._exchanges.add(exchange)
        if self._is_closed:
            raise ConnectionLost("the connection was closed by this program")
        if self._own is not None:
            return Lease(self._own, is_stock=False)
        try:
            lease = self._idle.pop()
        except IndexError:
            assert self._make is not None
            lease = Lease(self._make(), is_stock=True)
        self._leased.add(lease)
        return lease

    def put(self, lease: Lease) -> None:
        """Keep a transport for the next exchange, or close what is of no use."""
        if lease not in self._leased:  # put back already, or the user's
            return
        self._leased.discard(lease)
        if lease.is_damaged:
            lease.close()
            return
        self._idle.append(lease)
        while self._is_closed or (self._max_idle is not None and len(self._idle) > self._max_idle):
            try:
                surplus = self._idle.popleft()
            except IndexError:  # another thread was quicker
                break
            surplus.close()

    def abort_all(self) -> None:
        """End every connection, from any thread; later exchanges are ended at once."""
        self._is_closed = True
        with self._lock:
            exchanges = list(self._exchanges)
        for exchange in exchanges:
            exchange.abort()
        for lease in list(self._idle):
            lease.wire.end()

    def close(self) -> None:
        """Close all connections that are not in use, and the others when they are released."""
        self._is_closed = True
        while self._idle:
            try:
                lease = self._idle.pop()
            except IndexError:  # another thread was quicker
                break
            lease.close()

    def keep_for_parent(self) -> None:
        """In a forked child: leave the connections to the parent."""
        keep(self, *list(self._exchanges))
