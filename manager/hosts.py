"""Where the server is: ``OLLAMA_HOST`` by Ollama's own rules, but mistakes are errors."""

from __future__ import annotations

import ipaddress
import re

import attrs

from manager.errors import ConfigError

__all__ = ["DEFAULT_HOST", "Address", "needs_lookup", "parse_host", "read_authority"]

DEFAULT_HOST = "127.0.0.1:11434"

_DEFAULT_PORTS = {"http": 80, "https": 443, "": 11434}
_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")
_PATH = re.compile(r"[A-Za-z0-9/._~!$&'()*+,;=:@%-]*")
_NUMERIC_LABEL = re.compile(r"([0-9]+|0[xX][0-9a-fA-F]*)\.?")
_FORMS = 'for example "127.0.0.1:11434", "http://gpu-box:11434" or "https://example.com/ollama"'


@attrs.frozen
class Address:
    """Where a server listens, or is reached.

    Attributes:
        scheme: ``http`` or ``https``.
        host: A name or an IP address, without brackets; ``0.0.0.0`` and ``::`` mean "all".
        port: 1 to 65535.
        path: What stands before every endpoint's path: ``""`` or ``/prefix``.
    """

    scheme: str
    host: str
    port: int
    path: str = ""

    @property
    def listen(self) -> str:
        """``host:port`` as the server binds it, with brackets around IPv6."""
        return f"{_bracketed(self.host)}:{self.port}"

    @property
    def origin(self) -> str:
        """``scheme://host:port``, with the host as configured."""
        return f"{self.scheme}://{self.listen}"

    @property
    def base_url(self) -> str:
        """The URL to connect to: "all addresses" becomes the loopback address.

        Source: Ollama ``envconfig.ConnectableHost``.
        """
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        return f"{self.scheme}://{_bracketed(host)}:{self.port}{self.path}"

    @property
    def is_local(self) -> bool:
        """Whether it is this machine's own, to be started: plain http, no path, and loopback."""
        return self.scheme == "http" and not self.path and self.is_loopback

    @property
    def is_loopback(self) -> bool:
        """Whether what is sent there never leaves this machine."""
        if self.host.rstrip(".").lower() == "localhost":
            return True
        try:
            ip = ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return ip.is_loopback or ip.is_unspecified

    def __str__(self) -> str:
        return self.origin + self.path


def parse_host(text: str, *, source: str = "host") -> Address:
    """Read an address in the forms that Ollama takes.

    Without a scheme it is http on port 11434; ``http://`` and ``https://`` mean ports 80 and 443;
    exactly ``ollama.com`` means https. A path is kept. Spaces and quotes around it are dropped.

    Args:
        text: The address.
        source: Where it came from, for the error: a keyword, a variable, a file and line.

    Raises:
        ConfigError: It is empty, or its scheme, host or port is none. (Ollama would fall back to
            the default port without a word.)

    Source: Ollama ``envconfig.Host``.
    """
    try:
        return _parse(text.strip().strip("\"'").strip())
    except ValueError as error:
        raise ConfigError(
            f"{source} must be the address of a server: {error}", hint=_FORMS, key="server.host"
        ) from None


def needs_lookup(host: str) -> bool:
    """Whether somebody has to be asked for the address of a host."""
    if host.rstrip(".").lower() == "localhost":
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False


def read_authority(authority: str) -> tuple[str, int | None]:
    """Read ``host``, ``host:port``, ``[IPv6]:port`` or ``IPv6``.

    Returns:
        The host, without brackets, and the port, if there is one.

    Raises:
        ValueError: It is none of these; the message quotes it.
    """
    host, port = _split_port(authority)
    return _read_name(host), None if port is None else _read_port(port)


def _parse(text: str) -> Address:
    if not text:
        raise ValueError("it is empty")
    if text == "ollama.com":
        return Address("https", "ollama.com", 443)
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "", text
    if scheme not in _DEFAULT_PORTS or (separator and not scheme):
        raise ValueError(f"the scheme must be http or https, in lower case, got {scheme!r}")
    authority, _, path = rest.partition("/")
    if "@" in authority:
        # Never quoted back: it may hold a password.
        raise ValueError("it must not hold a user or password; use api_key or headers for that")
    if not _PATH.fullmatch(path):
        raise ValueError(f"the path {'/' + path!r} holds a character that a URL path cannot have")
    host, port = read_authority(authority)
    path = path.rstrip("/")
    return Address(
        scheme=scheme or "http",
        host=host,
        port=_DEFAULT_PORTS[scheme] if port is None else port,
        path=f"/{path}" if path else "",
    )


def _split_port(authority: str) -> tuple[str, str | None]:
    """Split as Go's ``net.SplitHostPort`` does; a bare IPv6 address has no port."""
    if authority.startswith("["):
        inside, closed, after = authority[1:].partition("]")
        if not closed or (after and not after.startswith(":")) or ":" not in inside:
            raise ValueError(f"{authority!r} is no IPv6 address in brackets")
        return inside, after[1:] if after else None
    host, colon, port = authority.partition(":")
    if ":" in port:
        return authority, None
    if not colon and not host:
        raise ValueError("it names no host")
    # ":8080" binds every address, in Go as here.
    return host or "0.0.0.0", port if colon else None  # noqa: S104


def _read_name(host: str) -> str:
    if ":" in host and "%" in host:
        raise ValueError(f"{host!r} holds a zone, which is not supported")
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return _checked_name(host)
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return str(mapped or ip)


def _checked_name(host: str) -> str:
    if host.isdecimal():
        raise ValueError(f"{host!r} is a port without a host; write 127.0.0.1:{host}")
    # "127.1" and "0x7f000001" are read as IPv4 by some resolvers and as names by others.
    if _NUMERIC_LABEL.fullmatch(host.rstrip(".").rpartition(".")[2]):
        raise ValueError(f"{host!r} is no IPv4 address")
    if len(host) > 253 or not _NAME.fullmatch(host):
        raise ValueError(f"{host!r} is no host name or IP address")
    return host


def _read_port(port: str) -> int:
    if not (port.isascii() and port.isdecimal() and len(port) <= 10 and 0 < int(port) < 65536):
        raise ValueError(f"the port must be a whole number from 1 to 65535, got {port!r}")
    return int(port)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
