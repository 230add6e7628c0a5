# generated from manager/transport/_async/httpx_transport.py by codegen.sh - do not edit
"""The engine as a transport for httpx clients."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import httpx

from manager.errors import OllamaManagerError
from manager.forks import keep, renew_in_children
from manager.transport._sync.engine import Engine
from manager.transport._sync.exchange import Exchange
from manager.transport.exceptions import ConnectionLost, NeverSent, TransportError
from manager.transport.http1 import chunk, last_chunk
from manager.transport.httpx_adapter import Context, HttpxDeadlines, Origin, outline_of
from manager.transport.httpx_errors import to_httpx
from manager.transport.httpx_steps_sync import close_forgotten_sync
from manager.waiting_sync import home_sync

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Iterator, Mapping

    from manager.transport._sync.connection import Connection
    from manager.transport.deadlines import Limit
    from manager.transport.httpx_adapter import Outline
    from manager.transport.settings import ClientSettings

__all__ = ["EngineTransport"]


class EngineTransport(httpx.BaseTransport):
    """Sends the requests of an httpx client by the HTTP/1.1 engine of this package.

    It connects to servers directly, without a limit on the number of connections: a client for a
    few servers, not for a crawl.

    Args:
        verify: Whether the certificates of servers are checked; or how, as an ``ssl.SSLContext``.
        max_keepalive: How many idle connections to each server are kept; None for any number.

    Example:
        >>> import httpx
        >>> transport = EngineTransport()
        >>> client = httpx.Client(transport=transport)
    """

    def __init__(
        self, *, verify: ssl.SSLContext | bool = True, max_keepalive: int | None = 20
    ) -> None:
        self._context = Context(verify)
        self._max_keepalive = max_keepalive
        self._engines: dict[str, Engine] = {}
        self._home: object = None
        self._lock = threading.Lock()
        renew_in_children(self)

    def after_fork(self) -> None:
        """In a forked child: leave the connections to the parent."""
        for engine in self._engines.values():
            engine.keep_for_parent()
        keep(*self._engines.values())
        self._engines = {}
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return its answer, whose body is still to be read.

        Raises:
            httpx.RequestError: There is no answer.
        """
        outline = outline_of(request)
        stream = request.stream
        if not isinstance(stream, httpx.SyncByteStream):
            raise NotImplementedError(f"a body of the class {type(stream).__name__}")
        body = b"".join(stream) if isinstance(stream, httpx.ByteStream) else stream
        exchange = _RawExchange(self._engine(outline, request), outline)
        deadlines = HttpxDeadlines(request)
        try:
            exchange.open(body, deadlines)
        except TransportError as error:
            raise to_httpx(error, request, is_sending=not exchange.is_sent) from error
        return httpx.Response(
            exchange.status,
            headers=exchange.raw_headers(),
            stream=_Answer(exchange, deadlines.answering(), request),
            extensions={"http_version": b"HTTP/1.1"},
            request=request,
        )

    def _engine(self, outline: Outline, request: httpx.Request) -> Engine:
        home = home_sync()
        with self._lock:
            if home is not self._home:  # what belongs to another event loop is of no use here
                self._engines, self._home = {}, home
            engine = self._engines.get(outline.origin)
            if engine is None:
                origin = Origin(
                    base_url=outline.origin,
                    max_keepalive=self._max_keepalive,
                    context=self._context,
                )
                try:
                    # an engine looks at nothing of the settings that an origin lacks
                    engine = Engine(cast("ClientSettings", origin))
                except OllamaManagerError as error:  # the name of the host
                    raise httpx.LocalProtocolError(error.message, request=request) from error
                self._engines[outline.origin] = engine
        return engine

    def close(self) -> None:
        """Close the connections that are not in use, and the others once they are not."""
        with self._lock:
            engines, self._engines = self._engines, {}
        for engine in engines.values():
            engine.close()


class _RawExchange(Exchange):
    """An exchange whose body is left as it arrives: httpx decompresses it, and keeps the cookies.

    Args:
        engine: Makes and keeps the connections.
        outline: The request but for its body.
    """

    __slots__ = ("_length", "is_sent")

    def __init__(self, engine: Engine, outline: Outline) -> None:
        super().__init__(engine, outline.method, outline.target, outline.fields)
        self._length = outline.length
        self.is_sent: bool = False
        """Whether all of the request has been sent."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The header fields of the answer but for the content coding."""
        fields = self._parser.headers
        return {name: text for name, text in fields.items() if name != "content-encoding"}

    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """Return the header fields of the answer, each cookie by itself."""
        fields = [
            (name, text) for name, text in self._parser.headers.items() if name != "set-cookie"
        ]
        fields += [("set-cookie", cookie) for cookie in self._parser.cookies]
        return [(name.encode("latin-1"), text.encode("latin-1")) for name, text in fields]

    def _send(self, connection: Connection, body: bytes | Iterable[bytes], limit: Limit) -> None:
        if isinstance(body, bytes):
            super()._send(connection, body, limit)
        else:
            try:
                self._send_stream(connection, body, limit)
            except ConnectionLost:
                # the server may have answered before it ended the connection
                if not connection.has_unread():
                    raise
        self.is_sent = not self._parser.has_head  # else the answer came before the last piece

    def _send_stream(self, connection: Connection, body: Iterable[bytes], limit: Limit) -> None:
        left = self._length
        connection.send(self._head(left), limit)
        for piece in body:
            if self._parser.has_head:
                return
            if not piece:
                continue
            if left is not None:
                left -= len(piece)
                if left < 0:
                    raise NeverSent("the body is longer than Content-Length says")
            connection.send(chunk(piece) if left is None else piece, limit)
        if left is None:
            connection.send(last_chunk, limit)
        elif left:
            raise NeverSent("the body is shorter than Content-Length says")

    def release(self) -> None:
        """Give the connection back if request and answer were complete, else close it."""
        if self.is_sent:
            super().release()
        else:
            self._close()

    def forget(self) -> None:
        """End the connection unless it was released; called by the garbage collector."""
        connection = self._connection
        self.abort()
        if connection is not None:
            close_forgotten_sync(connection)


class _Answer(httpx.SyncByteStream):
    """The body of an answer; one that is forgotten ends its connection."""

    def __init__(self, exchange: _RawExchange, limit: Limit, request: httpx.Request) -> None:
        self._exchange = exchange
        self._limit = limit
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        try:
            while (piece := self._exchange.read(self._limit)) is not None:
                if piece:
                    yield piece
        except TransportError as error:
            raise to_httpx(error, self._request) from error

    def close(self) -> None:
        self._exchange.release()

    def __del__(self) -> None:
        with suppress(AttributeError):  # __init__ was interrupted
            self._exchange.forget()
