"""One request on one connection, and its answer."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from manager.transport.content_coding import decoder_for
from manager.transport.exceptions import ConnectionLost, NeverSent
from manager.transport.http1 import ResponseParser, chunk, last_chunk, request_head

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Mapping

    from manager.transport._async.connection import AsyncConnection
    from manager.transport._async.engine import AsyncEngine
    from manager.transport.content_coding import Decoder
    from manager.transport.deadlines import Deadlines, Limit

__all__ = ["AsyncExchange"]

# A body of so many bytes is sent together with the head: each piece wakes the server up.
_SMALL = 65_536


class AsyncExchange:
    """Sends one request and reads the answer; one reader, but anybody may abort it.

    What becomes of the connection is decided once, by whoever is first: `release` gives it back
    to the pool, `abort` ends it. So an abort that comes too late never hits the next request.

    Args:
        engine: Makes and keeps the connections.
        method: The method, in capitals.
        target: What the request line says.
        fields: The header fields that do not depend on the body, as they are sent.
    """

    __slots__ = (
        "__weakref__",
        "_connection",
        "_decoder",
        "_engine",
        "_fate",
        "_fields",
        "_method",
        "_parser",
        "_target",
        "_unanswered",
        "asked_at",
        "is_read",
    )

    def __init__(self, engine: AsyncEngine, method: str, target: str, fields: bytes) -> None:
        self._engine = engine
        self._method = method
        self._target = target
        self._fields = fields
        self._parser = ResponseParser(method)
        self._connection: AsyncConnection | None = None
        self._decoder: Decoder | None = None
        # locks that are acquired once and never released: the first to do so decides
        self._fate = threading.Lock()
        self._unanswered = threading.Lock()
        self.asked_at: float | None = None
        """When the request had been sent, on the monotonic clock; None while it is not awaited."""
        self.is_read: bool = False
        """Whether the answer has been read to its end."""

    @property
    def status(self) -> int:
        """The status of the answer."""
        return self._parser.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The header fields of the answer by lower-case name."""
        return self._parser.headers

    @property
    def sent_headers(self) -> Mapping[str, str]:
        """The header fields of the request, for the log."""
        lines = self._fields.decode("latin-1").split("\r\n")
        return dict(line.split(": ", 1) for line in lines if line)

    async def open(self, body: bytes | AsyncIterable[bytes], deadlines: Deadlines) -> None:
        """Send the request and wait for the head of the answer.

        Args:
            body: The body, maybe empty; or its pieces.
            deadlines: How long each step may take.

        Raises:
            TransportError: There is no answer.
        """
        try:
            connection = await self._engine.connection(deadlines, self._take)
            self._take(connection)
            connection.begin(self._parser)
            await self._send(connection, body, deadlines.sending())
            limit = deadlines.answering()
            self.asked_at = time.monotonic()
            while not self._parser.has_head:
                await connection.receive(limit)
            self.asked_at = None
            if not self._unanswered.acquire(blocking=False):
                raise ConnectionLost("the request is sent again")
            self._decoder = decoder_for(self.headers.get("content-encoding"))
            if self._parser.cookies:
                self._engine.cookies.update(self._parser.cookies)
        except BaseException:
            self.asked_at = None
            self._close()
            raise

    def _take(self, connection: AsyncConnection) -> None:
        self._connection = connection
        if self._fate.locked():
            raise ConnectionLost("the connection was closed by this program")

    async def _send(
        self, connection: AsyncConnection, body: bytes | AsyncIterable[bytes], limit: Limit
    ) -> None:
        try:
            if not isinstance(body, bytes):
                await connection.send(self._head(None), limit)
                await self._send_pieces(connection, body, limit)
            elif len(body) <= _SMALL:
                await connection.send(self._head(len(body)) + body, limit)
            else:
                await connection.send(self._head(len(body)), limit)
                await connection.send(body, limit)
        except ConnectionLost:
            connection.is_sent = False
            # the server may have answered before it ended the connection
            if not connection.has_unread():
                raise

    async def _send_pieces(
        self, connection: AsyncConnection, body: AsyncIterable[bytes], limit: Limit
    ) -> None:
        try:
            async for piece in body:
                if self._parser.has_head or not connection.is_sent:
                    connection.is_sent = False
                    return
                if piece:
                    await connection.send(chunk(piece), limit)
        except OSError as error:
            if error.errno is None:  # of a signal handler, not of the file that is read
                raise
            raise NeverSent(f"the body cannot be read: {error}") from error
        await connection.send(last_chunk, limit)

    def _head(self, length: int | None) -> bytes:
        return request_head(self._method, self._target, self._fields, length)

    async def read(self, limit: Limit) -> bytes | None:
        """Return the next piece of the body, None at its end.

        Raises:
            TransportError: It did not arrive.
        """
        parser, connection = self._parser, self._connection
        while not parser.body:
            if parser.is_complete or connection is None:
                return self._end()
            await connection.receive(limit)
        return parser.take() if self._decoder is None else self._decoder.feed(parser.take())

    async def read_all(self, limit: Limit) -> bytes:
        """Return the rest of the body.

        Raises:
            TransportError: It did not arrive in full.
        """
        parser, connection = self._parser, self._connection
        while not parser.is_complete and connection is not None:
            await connection.receive(limit)
        self.is_read = True
        if self._decoder is None:
            return parser.take()
        return self._decoder.feed(parser.take()) + self._decoder.finish()

    def _end(self) -> bytes | None:
        if not self.is_read:
            self.is_read = True
            if self._decoder is not None:
                return self._decoder.finish() or None
        return None

    def has_unread(self) -> bool:
        """Whether more has arrived than was read; from any thread."""
        connection = self._connection
        return connection is None or connection.has_unread()

    def abort(self) -> None:
        """End the connection, from any thread, unless it was released already."""
        if self._fate.acquire(blocking=False):
            connection = self._connection  # once: its reader may close it meanwhile
            if connection is not None:
                connection.abort()

    def abort_unanswered(self) -> bool:
        """End the connection if the head of the answer has not arrived; return whether so."""
        if self.asked_at is None or not self._unanswered.acquire(blocking=False):
            return False
        self.abort()
        return True

    def keep_for_parent(self) -> None:
        """In a forked child: leave the connection to the parent."""
        connection = self._connection
        if connection is not None:
            connection.keep_for_parent()

    async def release(self) -> None:
        """Give the connection back if the answer was read to its end, else close it.

        Only the reader may do that. It does not wait, so that nothing can be lost by cancelling.
        """
        connection = self._connection
        is_reusable = connection is not None and connection.is_sent and self._parser.is_reusable
        if connection is not None and is_reusable and self._fate.acquire(blocking=False):
            self._connection = None
            self._engine.pool.put(connection)
        else:
            self._close()

    def _close(self) -> None:
        self._fate.acquire(blocking=False)
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
