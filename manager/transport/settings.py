"""What the configuration means for HTTP: the client to make and the limits of its calls."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import attrs

from manager.errors import ConfigError
from manager.redaction import without_user
from manager.timeouts import ResolvedTimeouts
from manager.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from manager.config import ManagerConfig, RetryConfig

__all__ = ["ClientSettings", "HttpSettings", "http_settings"]


@attrs.frozen(kw_only=True)
class ClientSettings:
    """What an HTTP client is made with; equal settings make the same client."""

    base_url: str
    headers: Mapping[str, str] = attrs.field(repr=False)
    secure: bool
    verify: bool | str
    cert: str | tuple[str, str] | None
    proxy: str | None = attrs.field(repr=lambda url: repr(url and without_user(url)))
    trust_env: bool
    max_connections: int | None
    max_keepalive: int | None
    joins_chunks: bool

    def ssl_context(self) -> ssl.SSLContext | bool:
        """Return how to check certificates.

        Over plain http nothing is checked and nothing loaded: that would cost tens of ms.

        Raises:
            ConfigError: A file named under ``[client]`` cannot be used.
        """
        if not self.secure:
            return False
        if self.verify is True and self.cert is None:
            return True
        try:
            context = ssl.create_default_context(
                cafile=self.verify if isinstance(self.verify, str) else None
            )
            if self.cert is not None:
                chain = (self.cert, None) if isinstance(self.cert, str) else self.cert
                context.load_cert_chain(*chain)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"the certificates named by client.verify or client.cert cannot be used: {error}",
                hint="they must be PEM files that you may read",
            ) from error
        if self.verify is False:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


@attrs.frozen(kw_only=True)
class HttpSettings:
    """The client, and what holds for each call that starts from now on."""

    client: ClientSettings
    timeouts: ResolvedTimeouts
    retry: RetryConfig


def http_settings(config: ManagerConfig) -> HttpSettings:
    """Return what ``config`` means for HTTP.

    Raises:
        ConfigError: The API key, or the header authorization, would be sent in the clear.
    """
    address, client = config.server.host, config.client
    headers = {"user-agent": f"axiom-ollama-manager/{__version__}", "accept": "application/json"}
    headers.update(client.headers)
    in_the_clear = address.scheme != "https" and not address.is_loopback
    if in_the_clear and any(name.lower() == "authorization" for name in client.headers):
        raise ConfigError(
            f"the header authorization would be sent to {address} unencrypted",
            hint="use https in server.host, or leave the header out of client.headers",
            key="client.headers",
        )
    if client.api_key is not None:
        if in_the_clear:
            raise ConfigError(
                f"client.api_key would be sent to {address} unencrypted",
                hint="use https in server.host, or leave the key out",
                key="client.api_key",
            )
        headers["authorization"] = f"Bearer {client.api_key}"
    # a proxy would take requests to this machine off it
    proxy = None if address.is_loopback else client.proxy
    return HttpSettings(
        client=ClientSettings(
            base_url=address.base_url,
            headers=headers,
            secure=address.scheme == "https" or proxy is not None,
            verify=client.verify,
            cert=client.cert,
            proxy=proxy,
            trust_env=client.trust_env and not address.is_loopback,
            max_connections=client.max_connections,
            max_keepalive=client.max_keepalive,
            joins_chunks=client.transport == "auto",
        ),
        timeouts=ResolvedTimeouts(
            connect=client.connect_timeout,
            first_token=client.first_token_timeout,
            chunk=client.chunk_timeout,
            total=client.total_timeout,
        ),
        retry=config.retry,
    )
