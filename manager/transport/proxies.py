"""Which proxy carries the requests to the server, if any does."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from manager.config.proxy_url import PROXY_FORM, Proxy, parse_proxy
from manager.errors import ConfigError
from manager.transport.no_proxy import is_excepted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from manager.hosts import Address

__all__ = ["Proxy", "proxy_for", "system_proxies"]


_WITH_SETTINGS = ("darwin", "win32")


def system_proxies() -> Mapping[str, str]:
    """Return the proxies of the platform's own settings, by scheme, where it has such settings."""
    if sys.platform not in _WITH_SETTINGS:
        return {}
    from urllib.request import getproxies  # 66 ms

    return getproxies()


def proxy_for(
    server: Address,
    configured: str | None,
    *,
    trust_env: bool,
    environ: Mapping[str, str],
    stored: Callable[[], Mapping[str, str]] = system_proxies,
) -> Proxy | None:
    """Return the proxy for a server; one on this machine is always reached directly.

    A configured proxy comes first, then the variable for the scheme of the server, then that for
    all schemes, then the platform's settings; ``NO_PROXY`` applies to all but the first. A
    variable in lower case wins over one in upper case, also if it is empty.

    Args:
        server: The address of the server.
        configured: The value of ``client.proxy``.
        trust_env: Whether environment and platform are asked.
        environ: The environment.
        stored: Returns the proxies of the platform's settings, by scheme.

    Raises:
        ConfigError: The value that decides is not the URL of a proxy.
    """
    if server.is_loopback:
        return None
    if configured is not None:
        return _read(configured, "client.proxy", "correct client.proxy", key="client.proxy")
    if not trust_env:
        return None
    exceptions = environ.get("no_proxy", environ.get("NO_PROXY", ""))
    if is_excepted(server.host, server.port, exceptions):
        return None
    for scheme in (server.scheme, "all"):
        name, text = _variable(scheme, environ)
        if text:
            return _read(text, name, f"correct {name}, or unset it", variable=name)
    proxies = stored()
    text = (proxies.get(server.scheme) or proxies.get("all") or "").strip()
    if not text:
        return None
    name = f"the {server.scheme} proxy of the system's settings"
    return _read(text, name, "correct it there, or set client.trust_env to false")


def _variable(scheme: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the name of the variable for a scheme, and its value."""
    lower = f"{scheme}_proxy"
    name = lower if lower in environ else lower.upper()
    if name == "HTTP_PROXY" and "REQUEST_METHOD" in environ:
        # a CGI program finds the header "Proxy" of its request there
        return name, ""
    return name, environ.get(name, "").strip()


def _read(text: str, source: str, remedy: str, **details: Any) -> Proxy:
    reason = ""
    try:
        return parse_proxy(text, source)
    except ValueError as error:
        reason = str(error)
    raise ConfigError(
        f"{source} is not the URL of a proxy: {reason}",
        hint=f"{remedy}: {PROXY_FORM}",
        **details,
    )
