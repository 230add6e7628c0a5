"""An httpx transport that several exchanges use; replaced where it may have lost connections."""

from __future__ import annotations

import threading
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx

from manager.errors import ConfigError
from manager.transport.httpx_steps_async import close_transport_async

if TYPE_CHECKING:
    from collections.abc import Callable

    from manager.transport.settings import ClientSettings

__all__ = ["AsyncSharedTransport", "stock_transports_async"]


class AsyncSharedTransport:
    """A transport, and the exchanges that use it; closed when the last one has ended.

    No lock: an exchange joins before it looks whether the transport is retired, and retiring comes
    before the look whether it is used. So at least one of the two sees the other.

    Args:
        transport: The transport.
        is_stock: Whether it is one of ours, which may be replaced and has to be closed.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, *, is_stock: bool) -> None:
        self.transport: httpx.AsyncBaseTransport = transport
        self.is_stock: bool = is_stock
        self.is_damaged: bool = False
        """Whether an exchange was interrupted, so that connections may be lost in its pool."""
        # weakly: one that is forgotten uses nothing any more
        self._users: weakref.WeakSet[Any] = weakref.WeakSet()
        self._is_retired = False
        self._closing = threading.Lock()  # acquired once and never released

    @property
    def is_closed(self) -> bool:
        """Whether it is closed, or being closed."""
        return self._closing.locked()

    async def join(self, exchange: object) -> bool:
        """Note that an exchange uses the transport; return False if it must use another one."""
        self._users.add(exchange)
        if self._is_retired:
            await self.leave(exchange)
            return False
        return True

    async def leave(self, exchange: object) -> None:
        """Note that an exchange has ended."""
        self._users.discard(exchange)
        await self.close_if_unused()

    async def retire(self) -> None:
        """Close the transport as soon as it is not used."""
        self._is_retired = True
        await self.close_if_unused()

    async def close_if_unused(self) -> None:
        """Close a retired transport that nothing uses; one of the user's stays open."""
        if not self.is_stock or not self._is_retired or self._users:
            return
        if self._closing.acquire(blocking=False):
            await close_transport_async(self.transport)


def stock_transports_async(settings: ClientSettings) -> Callable[[], httpx.AsyncBaseTransport]:
    """Return what makes httpx's own transport for a server, again and again.

    Its pool has no limit: the queue of the manager is the only one. A limit of the pool would count
    the connections that it has lost, and end in calls that wait for none.

    Raises:
        ConfigError: A proxy or a certificate cannot be used, or a package for it is missing.
    """
    given: Any = settings.proxy
    url: str | None = getattr(given, "url", given)
    # what takes tens of ms is made once, and only for TLS
    has_secure_proxy = url is not None and url.startswith("https:")
    is_secure = has_secure_proxy or settings.base_url.startswith("https:")
    context = settings.ssl_context() if is_secure else None
    try:
        proxy = None
        if url is not None:
            proxy = httpx.Proxy(url, ssl_context=context if has_secure_proxy else None)
        make = partial(
            httpx.AsyncHTTPTransport,
            verify=context or False,
            trust_env=False,  # the settings have taken in the environment
            limits=httpx.Limits(
                max_connections=None, max_keepalive_connections=settings.max_keepalive
            ),
            proxy=proxy,
        )
        make()  # is all there?
    except ImportError as error:
        raise ConfigError(
            "a SOCKS proxy needs the package socksio, which is not installed",
            hint="pip install 'httpx[socks]'",
            key="client.proxy",
        ) from error
    except (ValueError, httpx.InvalidURL):
        raise ConfigError(  # without the URL, which may hold a password
            "httpx cannot use the proxy",
            hint="its URL has to begin with http://, https://, socks5:// or socks5h://",
            key="client.proxy",
        ) from None
    return make
