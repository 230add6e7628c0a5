"""An httpx transport in the hands of one exchange, and what makes transports of httpx's own."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx

from manager.errors import ConfigError
from manager.transport.httpx_steps_async import close_transport_async
from manager.transport.httpx_wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from manager.transport.settings import ClientSettings

__all__ = ["AsyncLease", "stock_transports_async"]


class AsyncLease:
    """A transport that one exchange uses at a time, if it is one of httpx's own.

    Args:
        transport: The transport.
        is_stock: Whether it is one of httpx's own, with at most one connection.
    """

    __slots__ = ("_closing", "is_damaged", "is_stock", "transport", "wire")

    def __init__(self, transport: httpx.AsyncBaseTransport, *, is_stock: bool) -> None:
        self.transport: httpx.AsyncBaseTransport = transport
        self.is_stock: bool = is_stock
        self.wire: Wire = Wire()
        """Its connection; it stays known while it is idle."""
        self.is_damaged: bool = False
        """Whether an exchange was interrupted, so that its connection may be lost."""
        self._closing = threading.Lock()  # acquired once and never released

    async def close(self) -> None:
        """Close the transport; one of the user's stays open."""
        if self.is_stock and self._closing.acquire(blocking=False):
            await close_transport_async(self.transport)


def stock_transports_async(settings: ClientSettings) -> Callable[[], httpx.AsyncBaseTransport]:
    """Return what makes transports of httpx's own for a server, one for each connection.

    Their pools have no limit. A limit would count the connections that a pool has lost, and end in
    calls that wait for none.

    Raises:
        ConfigError: A proxy or a certificate cannot be used, or a package for it is missing.
    """
    given: Any = settings.proxy
    url: str | None = getattr(given, "url", given)
    has_secure_proxy = url is not None and url.startswith("https:")
    # what takes tens of ms is done once, and only for TLS
    if has_secure_proxy or settings.base_url.startswith("https:"):
        context = settings.ssl_context()
    else:
        context = httpx.create_ssl_context(verify=False, trust_env=False)
    try:
        proxy = None
        if url is not None:
            proxy = httpx.Proxy(url, ssl_context=context if has_secure_proxy else None)
        idle = None if settings.max_keepalive != 0 else 0
        make = partial(
            httpx.AsyncHTTPTransport,
            verify=context,
            trust_env=False,  # the settings have taken in the environment
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=idle),
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
