"""A server that is never the bottleneck: ``python -m benchmarks.client.server`` prints its port.

Says what it is asked for in bytes that are made once. The name of the model says what that is:

- ``flood-COUNT-SIZE``: a stream of so many chunks, each with so many bytes of text, all at once;
- ``pieces-COUNT``: the same, but 20 chunks at a time, so that many streams advance together;
- ``paced-COUNT-MICROSECONDS``: one chunk at a time, so far apart;
- ``held``: one chunk, and then nothing;
- ``embed-DIMENSIONS``: a vector for each text;
- anything else: a whole answer.

Standard library only.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import sys
import threading
import time
from functools import cache
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["HEAD", "chunk"]

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n"
    b"Date: Mon, 23 Nov 2026 22:21:33 GMT\r\nTransfer-Encoding: chunked\r\n\r\n"
)
_END = b"0\r\n\r\n"
_PIECE = 20
_MOST_COUNTED = 2048  # Go, which Ollama is written in, sends what is longer as a chunk
_WORDS = 64  # different texts and vectors; more would only need more memory
_LAST = {
    "done": True,
    "done_reason": "stop",
    "total_duration": 5,
    "load_duration": 1,
    "prompt_eval_count": 3,
    "prompt_eval_duration": 1,
    "eval_count": 20,
    "eval_duration": 3,
}


def _answer(text: str, **fields: Any) -> bytes:
    body = {
        "model": "m",
        "created_at": "2026-11-23T22:21:33.123456789Z",
        "message": {"role": "assistant", "content": text},
        "done": False,
        **fields,
    }
    return json.dumps(body, separators=(",", ":")).encode()


@cache
def chunk(number: int, size: int) -> bytes:
    """Return a line with ``size`` bytes of text as one HTTP chunk."""
    line = _answer(f" tok{number}".ljust(size, "x")[:size]) + b"\n"
    return b"%x\r\n%s\r\n" % (len(line), line)


@cache
def _last() -> bytes:
    line = _answer("", **_LAST) + b"\n"
    return b"%x\r\n%s\r\n" % (len(line), line) + _END


def _chunks(count: int, size: int) -> Iterator[bytes]:
    for number in range(count - 1):
        yield chunk(number % _WORDS, size)
    yield _last()


@cache
def _flood(count: int, size: int) -> bytes:
    return b"".join((HEAD, *_chunks(count, size)))


@cache
def _pieces(count: int) -> list[bytes]:
    chunks = list(_chunks(count, 8))
    pieces = [b"".join(chunks[at : at + _PIECE]) for at in range(0, count, _PIECE)]
    return [HEAD + pieces[0], *pieces[1:]]


def _whole(body: bytes) -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
        b"Date: Mon, 23 Nov 2026 22:21:33 GMT\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    )


@cache
def _vectors(dimensions: int) -> list[bytes]:
    chosen = random.Random(1)
    return [
        json.dumps(
            [round(chosen.uniform(-0.2, 0.2), 9) for _ in range(dimensions)],
            separators=(",", ":"),
        ).encode()
        for _ in range(_WORDS)
    ]


@cache
def _embeddings(count: int, dimensions: int) -> bytes:
    vectors = _vectors(dimensions)
    listed = b",".join(vectors[number % _WORDS] for number in range(count))
    body = (
        b'{"model":"m","embeddings":[%s],"total_duration":1,"load_duration":1,'
        b'"prompt_eval_count":9}' % listed
    )
    if len(body) <= _MOST_COUNTED:
        return _whole(body)
    head = HEAD.replace(b"application/x-ndjson", b"application/json; charset=utf-8")
    return b"%s%x\r\n%s\r\n%s" % (head, len(body), body, _END)


_CHAT = _whole(_answer("Hello there!", **_LAST))
_VERSION = _whole(b'{"version":"0.33.0"}')
_ROOT = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 17\r\n\r\nOllama is running"
)


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        self._data += data
        while True:
            head, separator, rest = self._data.partition(b"\r\n\r\n")
            if not separator:
                return
            lowered = head.lower()
            _, _, length = lowered.partition(b"content-length:")
            size = int(length.partition(b"\r\n")[0]) if length else 0
            if len(rest) < size:
                return
            self._data = rest[size:]
            self._answer(head.split(b" ", 2)[1], rest[:size])

    def _answer(self, path: bytes, body: bytes) -> None:
        write = self._transport.write
        if path.endswith(b"/api/version"):
            return write(_VERSION)
        if not body:
            return write(_ROOT)
        asked = json.loads(body)
        kind, *numbers = asked["model"].split("-")
        sizes = [int(number) for number in numbers]
        if path.endswith(b"/api/embed"):
            texts = asked["input"]
            return write(_embeddings(1 if isinstance(texts, str) else len(texts), *sizes))
        if not asked.get("stream", True):
            return write(_CHAT)
        if kind == "flood":
            return write(_flood(*sizes))
        if kind == "held":
            return write(HEAD + chunk(0, 8))
        if kind == "pieces":
            return self._write_next(iter(_pieces(*sizes)))
        write(HEAD)
        own = socket.socket(fileno=socket.dup(self._transport.get_extra_info("socket").fileno()))
        threading.Thread(target=_pace, args=(own, *sizes), daemon=True).start()
        return None

    def _write_next(self, pieces: Iterator[bytes]) -> None:
        if (piece := next(pieces, None)) is not None and not self._transport.is_closing():
            self._transport.write(piece)
            self._loop.call_soon(self._write_next, pieces)


def _pace(connection: socket.socket, count: int, microseconds: int) -> None:
    """Send a chunk at a time; an event loop cannot wait for less than a millisecond."""
    with contextlib.suppress(OSError), connection:
        connection.settimeout(60)
        for piece in _chunks(count, 8):
            connection.sendall(piece)
            time.sleep(microseconds / 1e6)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)  # ends with whoever started it


if __name__ == "__main__":
    asyncio.run(_serve())
