"""What the server itself could do: its answers, read from bare sockets. All are wall seconds."""

from __future__ import annotations

import json
import selectors
import socket
import time
from statistics import median
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from .place import MESSAGES

if TYPE_CHECKING:
    from .sizes import Sizes

__all__ = ["headroom"]

_END = b"0\r\n\r\n"


def headroom(url: str, sizes: Sizes) -> dict[str, float]:
    """Return the seconds that a piece of each kind of work takes if all is read and dropped."""
    return {
        "a chunk of a stream": _median(lambda: _stream(url, sizes.chunks)) / sizes.chunks,
        "a plain call": _median(lambda: _calls(url, sizes.calls)) / sizes.calls,
        "a call for embeddings": _median(lambda: _embed(url, sizes)),
        "the same, parsed by msgspec and dropped": _median(lambda: _parse(_embed(url, sizes))),
        f"{sizes.streams} streams at once": _median(lambda: _crowd(url, sizes)),
    }


def _median(measure: object) -> float:
    assert callable(measure)
    measure()  # the answer is made
    times: list[float] = []
    for _ in range(5):
        began = time.perf_counter()
        measure()
        times.append(time.perf_counter() - began)
    return median(times)


def _connect(url: str) -> socket.socket:
    parts = urlsplit(url)
    assert parts.hostname is not None
    return socket.create_connection((parts.hostname, parts.port or 80), timeout=60)


def _request(path: str, **body: object) -> bytes:
    content = json.dumps(body).encode()
    return b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (
        path.encode(),
        len(content),
        content,
    )


def _stream(url: str, chunks: int) -> None:
    with _connect(url) as connection:
        connection.sendall(_request("/api/chat", model=f"flood-{chunks}-8", messages=MESSAGES))
        while not connection.recv(1 << 20).endswith(_END):
            pass


def _calls(url: str, count: int) -> None:
    request = _request("/api/chat", model="m", messages=MESSAGES, stream=False)
    with _connect(url) as connection:
        for _ in range(count):
            connection.sendall(request)
            connection.recv(1 << 16)


def _embed(url: str, sizes: Sizes) -> bytes:
    texts = [f"The text number {number}, of no great length." for number in range(sizes.texts)]
    with _connect(url) as connection:
        connection.sendall(_request("/api/embed", model=f"embed-{sizes.dimensions}", input=texts))
        pieces = [b""]
        while not pieces[-1].endswith((b"}", _END)):
            pieces.append(connection.recv(1 << 20))
    return b"".join(pieces)


def _parse(answer: bytes) -> None:
    msgspec.json.decode(answer[answer.index(b"{") : answer.rindex(b"}") + 1])


def _crowd(url: str, sizes: Sizes) -> None:
    with selectors.DefaultSelector() as waiting:
        for _ in range(sizes.streams):
            connection = _connect(url)
            connection.sendall(
                _request("/api/chat", model=f"pieces-{sizes.tokens}", messages=MESSAGES)
            )
            waiting.register(connection, selectors.EVENT_READ)
        while waiting.get_map():
            for key, _ in waiting.select():
                assert isinstance(key.fileobj, socket.socket)
                if key.fileobj.recv(1 << 20).endswith(_END):
                    waiting.unregister(key.fileobj)
                    key.fileobj.close()
