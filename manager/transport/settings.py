"""What the configuration means for HTTP: where requests go, how, and within which limits."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import attrs

from manager.errors import ConfigError
from manager.timeouts import ResolvedTimeouts
from manager.transport.proxies import proxy_for
from manager.transport.tls import tls_settings
from manager.version import __version__

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from manager.config import ClientConfig, ManagerConfig, RetryConfig
    from manager.config.tables import Transport
    from manager.hosts import Address
    from manager.transport.proxies import Proxy
    from manager.transport.tls import TlsSettings

__all__ = ["ClientSettings", "HttpSettings", "http_settings"]


@attrs.frozen(kw_only=True)
class ClientSettings:
    """What an HTTP client is made with; equal settings make the same client.

    Attributes:
        base_url: The URL of the server, with what stands before the path of each operation.
        headers: What each request says, by name; no name is there twice, in whatever case.
        proxy: What carries the requests, if not a connection to the server.
        secure: Whether TLS is used: with the server, or with an https proxy.
        tls: How TLS is done with either.
        max_connections: How many connections may be open; None is no limit.
        max_keepalive: How many idle ones are kept; None is no limit.
        transport: What sends the requests, as configured.
    """

    base_url: str
    headers: Mapping[str, str] = attrs.field(repr=False)
    proxy: Proxy | None
    secure: bool
    tls: TlsSettings
    max_connections: int | None
    max_keepalive: int | None
    transport: Transport

    @property
    def needs_httpx(self) -> bool:
        """Whether httpx carries the calls: it was asked for, or the engine cannot get there."""
        proxy = self.proxy
        if self.transport == "httpx":
            return True
        if proxy is None or proxy.scheme == "http":
            return False
        # SOCKS, or TLS with the server within that with the proxy
        return proxy.scheme != "https" or self.base_url.startswith("https:")

    def ssl_context(self) -> ssl.SSLContext:
        """Return the context for TLS, which is made by the first call: that takes tens of ms.

        Raises:
            ConfigError: A file that a key or variable names cannot be used.
        """
        return self.tls.context


@attrs.frozen(kw_only=True)
class HttpSettings:
    """The client, and what holds for each call that starts from now on."""

    client: ClientSettings
    timeouts: ResolvedTimeouts
    retry: RetryConfig


def http_settings(config: ManagerConfig, environ: Mapping[str, str] | None = None) -> HttpSettings:
    """Return what ``config`` means for HTTP.

    Args:
        config: The configuration.
        environ: The environment; by default that of the process.

    Raises:
        ConfigError: The API key, or the header authorization, would be sent in the clear; or a
            variable that names a proxy is wrong.
    """
    address, client = config.server.host, config.client
    environ = os.environ if environ is None else environ
    # nothing of the environment matters for a server on this machine
    trust_env = client.trust_env and not address.is_loopback
    proxy = proxy_for(address, client.proxy, trust_env=trust_env, environ=environ)
    return HttpSettings(
        client=ClientSettings(
            base_url=address.base_url,
            headers=_headers(address, client),
            proxy=proxy,
            secure="https" in (address.scheme, proxy and proxy.scheme),
            tls=tls_settings(client.verify, client.cert, trust_env=trust_env, environ=environ),
            max_connections=client.max_connections,
            max_keepalive=client.max_keepalive,
            transport=client.transport,
        ),
        timeouts=ResolvedTimeouts(
            connect=client.connect_timeout,
            first_token=client.first_token_timeout,
            chunk=client.chunk_timeout,
            total=client.total_timeout,
        ),
        retry=config.retry,
    )


def _headers(address: Address, client: ClientConfig) -> dict[str, str]:
    """Return the headers of each request; those of the configuration replace our own."""
    in_the_clear = address.scheme != "https" and not address.is_loopback
    given = {name.lower() for name in client.headers}
    if in_the_clear and "authorization" in given:
        raise ConfigError(
            f"the header authorization would be sent to {address} unencrypted",
            hint="use https in server.host, or leave the header out of client.headers",
            key="client.headers",
        )
    ours = {"user-agent": f"axiom-ollama-manager/{__version__}", "accept": "application/json"}
    headers = {name: text for name, text in ours.items() if name not in given}
    headers.update(client.headers)
    if client.api_key is not None:
        if in_the_clear:
            raise ConfigError(
                f"client.api_key would be sent to {address} unencrypted",
                hint="use https in server.host, or leave the key out",
                key="client.api_key",
            )
        headers = {name: text for name, text in headers.items() if name.lower() != "authorization"}
        headers["authorization"] = f"Bearer {client.api_key}"
    return headers
