"""The URL of a proxy, as people write it: what is accepted, and what it means for HTTP."""

from __future__ import annotations

import re
from binascii import b2a_base64

import attrs

from manager.hosts import read_authority

__all__ = ["PROXY_FORM", "Proxy", "parse_proxy"]

PROXY_FORM = (
    "write http://proxy.example:3128 or http://user:password@proxy.example:3128, "
    "with / ? # @ of the password as %2F %3F %23 %40"
)
"""What to do about a URL that is refused."""

# The ports that httpx, curl and Go take where none is given.
_DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,19})://")
# Control characters and, of the surrogates, those that stand for no byte of the environment.
_UNUSABLE = re.compile("[\x00-\x1f\x7f\ud800-\udc7f\udd00-\udfff]")
_AUTHORITY_END = re.compile(r"[/?#]")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


@attrs.frozen(kw_only=True)
class Proxy:
    """A proxy that carries requests to the server.

    Attributes:
        scheme: How it is spoken to: ``http``, ``https``, ``socks5`` or ``socks5h``.
        host: Its name or IP address, without brackets.
        port: Its port.
        authorization: The value of the header ``Proxy-Authorization``, for an HTTP proxy.
        url: All of it as a URL in which nothing can be misread, for httpx.
        source: The key or variable that names it.
    """

    scheme: str
    host: str
    port: int
    authorization: str | None = attrs.field(default=None, repr=False)
    url: str = attrs.field(repr=False)
    source: str = attrs.field(eq=False)


def parse_proxy(text: str, source: str) -> Proxy:
    """Read the URL of a proxy; without a scheme it is an HTTP proxy.

    Credentials may hold characters that a URL should have encoded, as long as there is one way to
    read them; they end at the last ``@``. What follows the port is ignored.

    Args:
        text: The URL.
        source: The key or variable that holds it.

    Raises:
        ValueError: It cannot be used; the message says why, and quotes nothing of it but the
            scheme, since any other part may be the password.
    """
    text = text.strip()
    if _UNUSABLE.search(text):
        raise ValueError("it holds a control character")
    match = _SCHEME.match(text)
    scheme = match[1].lower() if match else "http"
    if scheme not in _DEFAULT_PORTS:
        raise ValueError(f"its scheme is {scheme}, which must be http, https, socks5 or socks5h")
    credentials, authority = _split_credentials(text[match.end() :] if match else text)
    if match is None and "/" in credentials:  # "http:/", "://": not the name of a user
        raise ValueError("its scheme cannot be read")
    if not authority or authority.startswith(":"):
        raise ValueError("it names no host")
    where = _host_and_port(authority)
    if where is None:
        raise ValueError("its host or port cannot be read")
    host, given_port = where
    if ":" in host and not authority.startswith("["):
        raise ValueError("its IPv6 address must be in brackets")
    port = given_port or _DEFAULT_PORTS[scheme]
    user, _, password = credentials.partition(":")
    pair = (_decoded(user), _decoded(password))
    has_credentials = any(pair)
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if has_credentials:
        address = f"{_encoded(pair[0])}:{_encoded(pair[1])}@{address}"
    return Proxy(
        scheme=scheme,
        host=host,
        port=port,
        authorization=_basic(*pair) if has_credentials and scheme in ("http", "https") else None,
        url=f"{scheme}://{address}",
        source=source,
    )


def _split_credentials(rest: str) -> tuple[str, str]:
    """Return the credentials, and the host with its port.

    By RFC 3986 the authority ends at the first ``/``, ``?`` or ``#``, and such a character in a
    password would have to be encoded. It is taken as a part of the password where the RFC's
    reading makes no sense, and refused where both do: one of them sends the password elsewhere.
    """
    credentials, _, after = rest.rpartition("@")
    if _AUTHORITY_END.search(credentials):
        strict = _AUTHORITY_END.split(rest, maxsplit=1)[0].rpartition("@")[2]
        if _host_and_port(strict) is not None:
            raise ValueError("it can be read in two ways, for a / ? or # before the last @")
    return credentials, _AUTHORITY_END.split(after, maxsplit=1)[0]


def _host_and_port(authority: str) -> tuple[str, int | None] | None:
    try:
        return read_authority(authority)
    except ValueError:  # which quotes what may be a password
        return None


def _decoded(text: str) -> bytes:
    raw = text.encode("utf-8", "surrogateescape")
    return _ESCAPE.sub(lambda match: bytes((int(match[1], 16),)), raw)


def _encoded(raw: bytes) -> str:
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in raw)


def _basic(user: bytes, password: bytes) -> str:
    """Return the value of a header for these credentials.

    Source: RFC 7617.
    """
    return "Basic " + b2a_base64(user + b":" + password, newline=False).decode("ascii")
