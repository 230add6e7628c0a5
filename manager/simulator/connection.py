"""One HTTP/1.1 connection: requests in, replies and chunked streams out (RFC 9112)."""

from __future__ import annotations

import contextlib
import socket
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from manager.simulator.exchange import (
    NDJSON,
    PLAIN_JSON,
    ApiError,
    ClientGone,
    Reply,
    Request,
    line,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from manager.simulator.exchange import (
        Stream,
    )

SERVER = "ollama-simulator"

_REASONS = {int(status): status.phrase for status in HTTPStatus}
_MAX_HEAD = 1 << 20
_MAX_DRAIN = 256 << 10
_READ_SIZE = 65536

Headers = tuple[tuple[str, str], ...]


class BadRequestError(Exception):
    """Not HTTP, or not as it should be; the text follows ``400 Bad Request``."""


class _Body:
    """The body of a request, read from the connection piece by piece."""

    def __init__(self, connection: Connection, headers: dict[str, str]) -> None:
        self._connection = connection
        self._is_chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            raise BadRequestError
        self._left = int(length)
        self._expects = headers.get("expect", "").lower() == "100-continue"
        self.is_done = not self._is_chunked and not self._left

    def chunks(self) -> Iterator[bytes]:
        """What is left of the body."""
        if self._expects and not self.is_done:
            self._expects = False
            self._connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        while not self.is_done:
            yield self._next_of_chunked() if self._is_chunked else self._next_of_sized()

    def drain(self) -> bool:
        """Read a rest that is not long; whether nothing is left."""
        if self._expects:
            return self.is_done
        size = 0
        for chunk in self.chunks():
            size += len(chunk)
            if size > _MAX_DRAIN:
                return False
        return True

    def _next_of_sized(self) -> bytes:
        data = self._connection.read_some(self._left)
        self._left -= len(data)
        self.is_done = not self._left
        return data

    def _next_of_chunked(self) -> bytes:
        if not self._left:
            size = self._connection.read_line().partition(b";")[0].strip()
            try:
                self._left = int(size, 16)
            except ValueError:
                raise ApiError(400, "invalid byte in chunk length") from None
            if not self._left:
                while self._connection.read_line():
                    pass
                self.is_done = True
                return b""
        data = self._connection.read_some(self._left)
        self._left -= len(data)
        if not self._left:
            self._connection.read_line()
        return data


class Connection:
    """A client's connection.

    Args:
        sock: The accepted socket; closed by `serve`.
        answer: Gives the answer to a request, and headers to add to it.
        log: Told of every request: method, path, status, seconds.
    """

    def __init__(
        self,
        sock: socket.socket,
        answer: Callable[[Request], tuple[Reply | Stream, Headers]],
        log: Callable[[str, str, int, float], None],
    ) -> None:
        self._sock = sock
        self._answer = answer
        self._log = log
        self._buffer = b""
        self._keeps_alive = True

    def serve(self) -> None:
        """Answer requests until either side has had enough."""
        try:
            while self._keeps_alive:
                head = self._read_head()
                if head is None:
                    return
                self._serve_one(head)
        except BadRequestError as error:
            self._refuse(str(error))
        except (OSError, EOFError, ClientGone):
            pass
        finally:
            self._sock.close()

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def read_some(self, limit: int) -> bytes:
        """At least one byte, at most ``limit``.

        Raises:
            EOFError: The client has hung up.
        """
        if not self._buffer:
            self._fill()
        data, self._buffer = self._buffer[:limit], self._buffer[limit:]
        return data

    def read_line(self) -> bytes:
        """The next line, without its end."""
        while b"\n" not in self._buffer:
            if len(self._buffer) > _MAX_HEAD:
                raise BadRequestError
            self._fill()
        text, _, self._buffer = self._buffer.partition(b"\n")
        return text.rstrip(b"\r")

    def is_gone(self) -> bool:
        """Whether the client has hung up."""
        if self._buffer:
            return False
        try:
            self._sock.setblocking(False)
            try:
                return not self._sock.recv(1, socket.MSG_PEEK)
            finally:
                self._sock.setblocking(True)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _fill(self) -> None:
        data = self._sock.recv(_READ_SIZE)
        if not data:
            raise EOFError
        self._buffer += data

    def _read_head(self) -> list[bytes] | None:
        """The lines of the next request's head; None at the end of the connection."""
        while b"\r\n\r\n" not in self._buffer and b"\n\n" not in self._buffer:
            if len(self._buffer) > _MAX_HEAD:
                raise BadRequestError
            try:
                self._fill()
            except EOFError:
                return None
            if not self._buffer.lstrip(b"\r\n")[:1].isalpha() and self._buffer.strip(b"\r\n"):
                raise BadRequestError
        lines: list[bytes] = []
        while True:
            text = self.read_line()
            if text:
                lines.append(text)
            elif lines:
                return lines

    def _serve_one(self, head: list[bytes]) -> None:
        started = time.monotonic()
        method, target, headers = _parsed(head)
        version_ends_in_zero = head[0].endswith(b"HTTP/1.0")
        wish = headers.get("connection", "").lower()
        self._keeps_alive = wish != "close" and (not version_ends_in_zero or wish == "keep-alive")
        body = _Body(self, headers)
        path = target.partition("?")[0]
        request = Request(method, path, headers, body.chunks, self.is_gone)
        status = 499
        try:
            answer, extra = self._answer(request)
            if not body.drain():
                self._keeps_alive = False
            if isinstance(answer, Reply):
                status = answer.status
                self._send_reply(method, answer, extra)
            else:
                status = self._send_stream(answer, extra)
        finally:
            self._log(method, path, status, time.monotonic() - started)

    def _head(self, status: int, content_type: str, headers: Headers) -> list[str]:
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, '')}"]
        if content_type:
            lines.append(f"Content-Type: {content_type}")
        lines += [f"{name}: {value}" for name, value in headers]
        date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
        lines += [f"Server: {SERVER}", f"Date: {date}"]
        if not self._keeps_alive:
            lines.append("Connection: close")
        return lines

    def _send_reply(self, method: str, reply: Reply, extra: Headers) -> None:
        lines = self._head(reply.status, reply.content_type, (*reply.headers, *extra))
        if reply.status != 204:
            lines.append(f"Content-Length: {len(reply.body)}")
        body = b"" if method == "HEAD" else reply.body
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body)

    def _send_stream(self, stream: Stream, extra: Headers) -> int:
        """Send line by line; an error before the first line is a status of its own."""
        status = 0
        try:
            for data in stream.lines:
                head = b"" if status else self._stream_head(200, NDJSON, extra)
                status = 200
                self.send(head + _chunk(data))
        except ApiError as error:
            head = b"" if status else self._stream_head(error.status, PLAIN_JSON, extra)
            status = status or error.status
            self.send(head + _chunk(line(error.body)))
        self.send(b"0\r\n\r\n")
        return status

    def _stream_head(self, status: int, content_type: str, extra: Headers) -> bytes:
        lines = self._head(status, content_type, (*extra, ("Transfer-Encoding", "chunked")))
        return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")

    def _refuse(self, reason: str) -> None:
        text = f"400 Bad Request{f': {reason}' if reason else ''}"
        self._keeps_alive = False
        head = self._head(400, "text/plain; charset=utf-8", ())
        with contextlib.suppress(OSError):
            self.send("\r\n".join([*head, "", text]).encode())


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _parsed(head: list[bytes]) -> tuple[str, str, dict[str, str]]:
    """The method, the target and the headers of a request."""
    words = head[0].decode("latin-1").split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise BadRequestError
    headers: dict[str, str] = {}
    for text in head[1:]:
        name, colon, value = text.decode("latin-1").partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequestError
        headers[name.lower()] = value.strip()
    if words[2] == "HTTP/1.1" and "host" not in headers:
        raise BadRequestError("missing required Host header")
    target = words[1]
    if not target.startswith("/"):
        # A proxy's form: the whole address.
        target = "/" + target.partition("://")[2].partition("/")[2]
    return words[0], target, headers
