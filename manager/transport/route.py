"""The way to the server: directly, through a proxy that forwards, or through a tunnel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from manager.hosts import parse_host
from manager.transport.http1 import field_lines

if TYPE_CHECKING:
    from manager.transport.settings import ClientSettings

__all__ = ["Route", "route_to"]


@attrs.frozen(kw_only=True)
class Route:
    """How requests get to the server.

    Attributes:
        host: Where the connection goes: to the server, or to the proxy.
        port: Its port.
        is_secure: Whether TLS begins with that connection.
        tunnel: ``host:port`` that a proxy is asked to connect to; TLS with the server follows.
        server_host: The server, without a port.
        prefix: What stands before the path of an operation in the request line.
        authority: The value of the header ``Host``.
        proxy_fields: What only the proxy is to see, as header lines; of a tunnel's request, else
            of each request.
    """

    host: str
    port: int
    is_secure: bool
    tunnel: str | None = None
    server_host: str
    prefix: str
    authority: str
    proxy_fields: bytes = attrs.field(default=b"", repr=False)

    @property
    def tls_name(self) -> str | None:
        """The name that is asked for, and that the certificate has to have; None without TLS."""
        if self.tunnel is None and not self.is_secure:
            return None
        name = self.host if self.tunnel is None else self.server_host
        return name.rstrip(".")  # as in certificates, RFC 6125 section 2.2


def route_to(settings: ClientSettings) -> Route:
    """Return the way to the server of ``settings``.

    Source: RFC 9112 section 3.2 (forms of the request target), RFC 9110 section 9.3.6 (CONNECT).
    """
    server = parse_host(settings.base_url)
    default_port = 443 if server.scheme == "https" else 80
    bracketed = f"[{server.host}]" if ":" in server.host else server.host
    authority = bracketed if server.port == default_port else f"{bracketed}:{server.port}"
    is_secure = server.scheme == "https"
    proxy = settings.proxy
    if proxy is None:
        return Route(
            host=server.host,
            port=server.port,
            is_secure=is_secure,
            server_host=server.host,
            prefix=server.path,
            authority=authority,
        )
    credentials = proxy.authorization
    return Route(
        host=proxy.host,
        port=proxy.port,
        is_secure=proxy.scheme == "https",
        tunnel=f"{bracketed}:{server.port}" if is_secure else None,
        server_host=server.host,
        prefix=server.path if is_secure else f"http://{authority}{server.path}",
        authority=authority,
        proxy_fields=b""
        if credentials is None
        else field_lines([("Proxy-Authorization", credentials)]),
    )
