"""Servers for the tests of the transport: each connection is one script, on a real socket."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

PATIENCE = 30.0

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Wire:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket, peer: Peer) -> None:
        self.socket = sock
        self.peer = peer
        self.rest = b""
        sock.settimeout(PATIENCE)

    def head(self) -> bytes:
        """Read the head of a request; raises OSError at the end of the connection."""
        data = self.rest
        while b"\r\n\r\n" not in data:
            if not (piece := self.socket.recv(65536)):
                raise ConnectionResetError("the client has ended the connection")
            data += piece
        head, _, self.rest = data.partition(b"\r\n\r\n")
        self.peer.heads.append(head)
        return head

    def request(self) -> bytes:
        """Read a request whose length is known; return its body."""
        fields = self.head().lower().split(b"\r\n")
        lengths = [line[15:] for line in fields if line.startswith(b"content-length:")]
        length = int(lengths[0]) if lengths else 0
        body, self.rest = self.rest, b""
        while len(body) < length:
            if not (piece := self.socket.recv(1 << 20)):
                raise ConnectionResetError("the client has ended the connection")
            body += piece
        body, self.rest = body[:length], body[length:]
        return body

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self, data: bytes = OK) -> None:
        self.request()
        self.send(data)

    def drip(self, data: bytes, seconds: float = 0.02) -> None:
        """Send a byte now and then, until the client ends the connection or the test does."""
        for byte in data:
            self.send(bytes([byte]))
            if self.peer.closing.wait(seconds):
                return

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Go on over TLS."""
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.peer.watch(self.socket)

    def finish(self) -> None:
        """Send nothing more, but go on reading."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """End the connection by an RST, whatever the client has sent."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.close(self.socket.detach())

    def wait(self) -> None:
        """Do nothing, and read nothing, until the test is over."""
        self.peer.closing.wait(PATIENCE)

    def until_end(self) -> int:
        """Read until the client ends the connection; return how many bytes that were."""
        size = 0
        try:
            while data := self.socket.recv(1 << 20):
                size += len(data)
        except TimeoutError:
            raise
        except OSError:  # reset, or the end of TLS is missing
            pass
        self.peer.ended.release()
        return size


Script = Callable[[Wire], object]


class Peer:
    """Runs a script for each connection: the first one for the first; the last one for all others.

    Args:
        scripts: What is done with the connections.
        context: How TLS is done, if it is.
        host: Where to listen.
    """

    def __init__(
        self, *scripts: Script, context: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> None:
        self._scripts = scripts
        self._context = context
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family, backlog=512)
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self.host = host
        self.port: int = self._listener.getsockname()[1]
        self.closing = threading.Event()
        self.ended = threading.Semaphore(0)
        """Released for each connection that the client has ended, as seen by ``until_end``."""
        self.accepted = 0
        self.heads: list[bytes] = []
        self.errors: list[BaseException] = []

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'http' if self._context is None else 'https'}://{host}:{self.port}"

    def __enter__(self) -> Peer:
        self._start(self._accept)
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
        for thread in self._threads:
            thread.join(PATIENCE)
        self._listener.close()
        if error is None:
            assert self.errors == []

    def watch(self, sock: socket.socket) -> None:
        """End a socket with the test."""
        self._open.add(sock)

    def _start(self, run: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=run, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            script = self._scripts[min(self.accepted, len(self._scripts) - 1)]
            self.accepted += 1
            self._open.add(sock)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._start(self._serve, sock, script)

    def _serve(self, sock: socket.socket, script: Script) -> None:
        wire = Wire(sock, self)
        try:
            if self._context is not None:
                wire.start_tls(self._context)
            script(wire)
        except OSError:
            pass  # the client, or the test, has ended it
        except BaseException as error:
            self.errors.append(error)
        finally:
            self._open.difference_update((sock, wire.socket))
            wire.socket.close()
            sock.close()


def serves(*answers: bytes) -> Script:
    """Answer each request on a connection with the next of these; the last one stays."""

    def script(wire: Wire) -> None:
        left = list(answers)
        while True:
            wire.answer(left.pop(0) if len(left) > 1 else left[0])

    return script
