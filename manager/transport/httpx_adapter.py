"""What an httpx request means to the engine: where it goes, what it says, how long it may take."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import attrs
import httpx

from manager.timeouts import ResolvedTimeouts
from manager.transport.deadlines import Deadlines, Limit
from manager.transport.http1 import field_lines

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

__all__ = ["HttpxDeadlines", "Origin", "Outline", "outline_of"]

_SCHEMES: Final = {"http": 80, "https": 443}
_FRAMING: Final = {b"content-length", b"transfer-encoding"}
# RFC 9110 sections 5.6.2 and 9.1; RFC 9112 section 3.2: what would break the request line.
_METHOD: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET: Final = re.compile(rb"[\x21-\x7e]+")


class Context:
    """How TLS is done, made when it is first needed: that takes up to a tenth of a second.

    Args:
        verify: Whether certificates are checked; or the context itself.
    """

    def __init__(self, verify: ssl.SSLContext | bool) -> None:
        self._verify = verify
        self._context: ssl.SSLContext | None = None

    def get(self) -> ssl.SSLContext:
        """Return the context."""
        if self._context is None:
            self._context = httpx.create_ssl_context(verify=self._verify)
        return self._context


@attrs.frozen(kw_only=True)
class Origin:
    """A server, as the settings of an engine.

    Attributes:
        base_url: Its scheme, host and port.
        max_keepalive: How many idle connections to it are kept; None for any number.
        context: How TLS is done.
        headers: What all requests say: nothing, each has its own.
        proxy: What carries the requests: nothing.
    """

    base_url: str
    max_keepalive: int | None
    context: Context
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    proxy: None = None

    @property
    def secure(self) -> bool:
        """Whether TLS is used."""
        return self.base_url.startswith("https:")

    def ssl_context(self) -> ssl.SSLContext:
        """Return how TLS is done."""
        return self.context.get()


@attrs.frozen
class Outline:
    """A request but for its body.

    Attributes:
        origin: The scheme, host and port.
        method: The method.
        target: What the request line says.
        fields: The header fields as they are sent, without those of the framing.
        length: The length of the body where the request says so.
    """

    origin: str
    method: str
    target: str
    fields: bytes
    length: int | None


def outline_of(request: httpx.Request) -> Outline:
    """Return a request but for its body.

    Raises:
        httpx.UnsupportedProtocol: The scheme is neither http nor https.
        httpx.LocalProtocolError: It cannot be sent as HTTP/1.1.
    """
    url = request.url
    if url.scheme not in _SCHEMES or not url.raw_host:
        raise httpx.UnsupportedProtocol(
            "the URL must begin with http:// or https:// and a host", request=request
        )
    host = url.raw_host.decode("ascii")
    bracketed = f"[{host}]" if ":" in host else host
    target: bytes = request.extensions.get("target", url.raw_path)
    if not _METHOD.fullmatch(request.method) or not _TARGET.fullmatch(target):
        raise httpx.LocalProtocolError("the method or URL cannot be sent", request=request)
    headers = [pair for pair in request.headers.raw if pair[0].lower() not in _FRAMING]
    if "host" not in request.headers:  # a request that no client has built
        headers.insert(0, (b"Host", url.netloc))
    try:
        fields = field_lines(
            (name.decode("latin-1"), text.decode("latin-1")) for name, text in headers
        )
    except ValueError as error:
        raise httpx.LocalProtocolError(str(error), request=request) from error
    length = request.headers.get("content-length", "")
    return Outline(
        f"{url.scheme}://{bracketed}:{url.port or _SCHEMES[url.scheme]}",
        request.method,
        target.decode("ascii"),
        fields,
        int(length) if length.isdecimal() else None,
    )


class HttpxDeadlines(Deadlines):
    """The limits of an httpx request: each for every single wait, none for all of them.

    Args:
        request: The request, with the extension ``timeout``.
    """

    __slots__ = ("_read", "_write")

    def __init__(self, request: httpx.Request) -> None:
        seconds: dict[str, Any] = request.extensions.get("timeout") or {}
        self._read: float | None = seconds.get("read")
        self._write: float | None = seconds.get("write")
        super().__init__(
            ResolvedTimeouts(
                connect=seconds.get("connect"), first_token=self._read, chunk=self._read, total=None
            )
        )

    def sending(self) -> Limit:
        """Return the limit for sending the request."""
        return Limit(self._write, None)

    def answering(self) -> Limit:
        """Return the limit for the head of the answer."""
        return Limit(self._read, None)
