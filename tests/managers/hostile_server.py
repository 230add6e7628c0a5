"""A tiny HTTP server that misbehaves as told, a byte at a time."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..ports import free_port

if TYPE_CHECKING:
    from types import TracebackType

Action = Callable[["Exchange"], None]

_PATH = "/x"


class Exchange:
    """One request, and what can be done about it."""

    def __init__(self, connection: socket.socket, head: str, body: bytes, server: Hostile) -> None:
        self.head = head
        self.body = body
        self.kept = False
        self._connection = connection
        self._server = server

    def write(self, data: bytes) -> None:
        self._connection.sendall(data)

    def read(self, size: int) -> bytes:
        return self._connection.recv(size)

    def write_within(self, data: bytes, seconds: float) -> int:
        """Send what there is room for; return how much that was, 0 when none came in time."""
        self._connection.settimeout(seconds)
        try:
            return self._connection.send(data)
        except TimeoutError:
            return 0
        finally:
            self._connection.settimeout(None)

    def start(self, status: int = 200, *headers: str, kind: str = "application/x-ndjson") -> None:
        """The head of an answer whose body ends with the connection."""
        lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", "Connection: close", *headers]
        self.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    def start_chunked(self) -> None:
        self.start(200, "Transfer-Encoding: chunked")

    def chunk(self, data: bytes) -> None:
        self.write(b"%x\r\n%s\r\n" % (len(data), data))

    def fill(self) -> None:
        """Send until the buffers between here and the client have no room for more."""
        self._connection.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            while True:
                self._connection.send(b"1\r\n\n\r\n" * 10_000)
        self._connection.settimeout(None)

    def answer(self, body: bytes, status: int = 200, *headers: str, kind: str = "") -> None:
        """A whole answer of known length."""
        length = f"Content-Length: {len(body)}"
        self.start(status, length, *headers, kind=kind or "application/json")
        self.write(body)

    def answer_and_stay(self, body: bytes) -> None:
        """A whole answer, after which the connection takes another request."""
        self.kept = True
        head = f"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        self.write(head.encode() + b"\r\n\r\n" + body)

    def say_goodbye(self) -> None:
        """End the encryption of a connection, and do not wait until the client has done so."""
        assert isinstance(self._connection, ssl.SSLSocket)
        self._connection.settimeout(0.0)
        with contextlib.suppress(OSError):
            self._connection.unwrap()

    def wait(self, seconds: float) -> None:
        """Say nothing for a while, or until the server is closed."""
        self._server.closing.wait(seconds)


class Hostile:
    """Answers the first request with the first action, and so on; the last one stays.

    Its address has a path, so that managers take it for one on another machine. Who asks for
    another path is turned away: a supervisor of another test, whose server was at this port.
    """

    def __init__(
        self, *actions: Action, reading_pause: float = 0.0, tls: ssl.SSLContext | None = None
    ) -> None:
        self._actions = actions
        self._reading_pause = reading_pause
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", free_port()))
        self._open: set[socket.socket] = set()
        self.closing = threading.Event()
        self.accepted = 0
        self.ended = 0
        """How many connections nothing goes on on any more."""
        self.requests: list[str] = []
        self.bodies: list[bytes] = []
        self.first_pieces: list[bytes] = []
        self.heads: list[str] = []
        scheme = "http" if tls is None else "https"
        self.host = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}{_PATH}"

    def __enter__(self) -> Hostile:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.closing.set()
        for sock in (self._listener, *list(self._open)):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        self._listener.close()

    def is_left(self) -> bool:
        """Whether each connection has been ended by the other side, as far as can be told."""
        return not any(map(_is_held, list(self._open)))

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        connection = accepted
        if self._tls is not None:
            connection = self._tls.wrap_socket(
                accepted, server_side=True, do_handshake_on_connect=False
            )
            self._open.add(connection)
            self._open.discard(accepted)
        with contextlib.suppress(OSError), connection:
            if isinstance(connection, ssl.SSLSocket):
                connection.do_handshake()
            while self._serve_one(connection):
                pass
        self._open.discard(connection)
        self.ended += 1

    def _serve_one(self, connection: socket.socket) -> bool:
        """Answer a request; whether another one may follow."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return False
            data += piece
        first = piece if data == piece else b""
        head, _, body = data.partition(b"\r\n\r\n")
        text = head.decode("latin-1")
        target = text.split(" ")[1]
        if target.startswith("/") and not target.startswith(_PATH):
            self.accepted -= 1
            self.ended -= 1  # it is about to be counted
            return False
        length = next(
            (
                int(line.partition(":")[2])
                for line in text.split("\r\n")
                if line.lower().startswith("content-length:")
            ),
            0,
        )
        while len(body) < length:
            self.closing.wait(self._reading_pause)
            if not (piece := connection.recv(65536)):
                return False
            body += piece
        if "transfer-encoding: chunked" in text.lower():  # kept as it was sent
            while not body.endswith(b"0\r\n\r\n"):
                if not (piece := connection.recv(65536)):
                    return False
                body += piece
        self.first_pieces.append(first)
        self.heads.append(text)
        self.requests.append(text.partition("\r\n")[0])
        self.bodies.append(body)
        action = self._actions[min(len(self.requests), len(self._actions)) - 1]
        exchange = Exchange(connection, text, body, self)
        action(exchange)
        return exchange.kept


def _is_held(connection: socket.socket) -> bool:
    try:
        return not select.select([connection], [], [], 0)[0]
    except (OSError, ValueError):  # ended on this side too
        return False


def chat_line(content: Any = "", **fields: Any) -> bytes:
    """A line of a streamed chat."""
    body = {
        "model": "m",
        "created_at": "2026-01-01T00:00:00.123456789Z",
        "message": {"role": "assistant", "content": content},
        "done": False,
        **fields,
    }
    return json.dumps(body, ensure_ascii=False).encode() + b"\n"


LAST = chat_line(done=True, done_reason="stop", eval_count=3)
ANSWER = chat_line("fine", done=True, done_reason="stop")


def cut(exchange: Exchange) -> None:
    """End the connection without a word."""


def fine(exchange: Exchange) -> None:
    exchange.answer(ANSWER)


def stays(exchange: Exchange) -> None:
    exchange.answer_and_stay(ANSWER)


def says(body: bytes, status: int = 200, *headers: str, kind: str = "") -> Action:
    return lambda exchange: exchange.answer(body, status, *headers, kind=kind)


def streams(*pieces: bytes, pause: float = 0.0, ends: bool = True) -> Action:
    """A chunked answer in these pieces, ended properly or not."""

    def act(exchange: Exchange) -> None:
        exchange.start_chunked()
        for piece in pieces:
            exchange.chunk(piece)
            if pause:
                time.sleep(pause)
        if ends:
            exchange.write(b"0\r\n\r\n")

    return act


def silent_after(*pieces: bytes) -> Action:
    """A chunked answer that stops in the middle, the connection open."""

    def act(exchange: Exchange) -> None:
        if pieces:
            exchange.start_chunked()
            for piece in pieces:
                exchange.chunk(piece)
        exchange.wait(60)

    return act
