"""Chunks that arrive together reach httpx as one, whatever the way to the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpcore
import pytest

from manager import StreamInterruptedError
from manager._async import network as async_network
from manager._sync import network as sync_network
from manager.calls import Call
from manager.ndjson import LineSplitter

from .hostile_server import LAST, Hostile, chat_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from .either import Make
    from .hostile_server import Exchange

CHUNKS = 2000


def flood(exchange: Exchange, *more: bytes) -> None:
    """A whole answer in one go."""
    lines = [chat_line("a")] * CHUNKS
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(line), line) for line in (*lines, *more))
    exchange.start_chunked()
    exchange.write(chunks + b"0\r\n\r\n")


def whole_flood(exchange: Exchange) -> None:
    flood(exchange, LAST)


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many pieces of answers have been handed over."""
    sizes: list[int] = []
    plain = LineSplitter.feed

    def feed(splitter: LineSplitter, data: bytes) -> list[bytes]:
        sizes.append(len(data))
        return plain(splitter, data)

    monkeypatch.setattr(LineSplitter, "feed", feed)
    return lambda: len(sizes)


async def read(manager: Any) -> str:
    answer = await (await manager.chat("m", "hi", stream=True)).final()
    text: str = answer.message.content
    return text


# Fails when httpx or httpcore keep elsewhere what `join_chunks` changes: the rest works all the
# same then, but slowly.
async def test_chunks_that_arrive_together_come_together(
    make: Make, pieces: Callable[[], int]
) -> None:
    with Hostile(whole_flood) as server:
        async with make(host=server.host) as m:
            assert await read(m) == "a" * CHUNKS
            assert pieces() < CHUNKS / 4


async def test_they_come_one_by_one_where_that_is_wanted(
    make: Make, pieces: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_MANAGER_CLIENT_TRANSPORT", "httpx")
    with Hostile(whole_flood) as server:
        async with make(host=server.host) as m:
            assert await read(m) == "a" * CHUNKS
            assert pieces() > CHUNKS


@pytest.mark.parametrize("by_environment", [False, True])
async def test_through_a_proxy(
    make: Make,
    pieces: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
    by_environment: bool,
) -> None:
    with Hostile(whole_flood) as proxy:
        address = proxy.host.removesuffix("/x")
        if by_environment:
            monkeypatch.setenv("HTTP_PROXY", address)
            monkeypatch.delenv("http_proxy", raising=False)
        settings: dict[str, Any] = {} if by_environment else {"proxy": address}
        async with make(host="http://far.invalid:11434", **settings) as m:
            assert await read(m) == "a" * CHUNKS
        assert proxy.requests == ["POST http://far.invalid:11434/api/chat HTTP/1.1"]
        assert pieces() < CHUNKS / 4


async def test_what_came_before_the_end_of_a_cut_stream_is_kept(make: Make) -> None:
    def breaks_off(exchange: Exchange) -> None:
        line = chat_line("a")
        exchange.start_chunked()
        exchange.write(b"%x\r\n%s\r\n" % (len(line), line) * 10 + b"%x\r\n" % len(line) + line[:9])

    with Hostile(breaks_off) as server:
        async with make(host=server.host) as m:
            with pytest.raises(StreamInterruptedError) as caught:
                await read(m)
            assert caught.value.partial.message.content == "a" * 10


async def test_an_error_among_lines_that_arrive_together(make: Make) -> None:
    def breaks_off(exchange: Exchange) -> None:
        flood(exchange, b'{"error":"no more"}\n', chat_line("b"), LAST)

    with Hostile(breaks_off) as server:
        async with make(host=server.host) as m:
            with pytest.raises(StreamInterruptedError, match="no more") as caught:
                await read(m)
            assert caught.value.partial.message.content == "a" * CHUNKS


class Interrupt(BaseException):
    """Stands for Ctrl-C."""


async def test_an_interrupt_among_lines_that_arrive_together(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, left = Call.typed, iter(range(CHUNKS // 2))

    def typed(call: Call[Any], data: object, content: bytes) -> Any:
        if next(left, None) is None:
            raise Interrupt
        return plain(call, data, content)

    monkeypatch.setattr(Call, "typed", typed)
    with Hostile(whole_flood) as server:
        async with make(host=server.host) as m:
            stream = await m.chat("m", "hi", stream=True)
            with pytest.raises(Interrupt):
                await stream.final()
            assert getattr(m, "target", m)._session.transport._in_flight.count() == 0
            with pytest.raises(StreamInterruptedError) as caught:
                await stream.final()
            assert caught.value.partial.message.content == "a" * (CHUNKS // 2)


@pytest.mark.parametrize("network", [async_network, sync_network])
def test_an_httpx_that_keeps_its_pools_elsewhere_is_left_alone(network: Any) -> None:
    network.join_chunks(object())


class Plain(httpcore.NetworkStream):
    """A connection without a network."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        assert (max_bytes, timeout) == (100, 3.0)
        return (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n"
            if self.written
            else b""
        )

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        assert timeout == 2.0
        self.written.append(buffer)

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        assert (ssl_context, server_hostname, timeout) == ("context", "name", 1.0)
        return Plain()

    def get_extra_info(self, info: str) -> Any:
        return f"the {info}"


def test_an_encrypted_connection_is_joined_from_its_beginning() -> None:
    plain: Any = sync_network.JoiningStream(Plain())
    plain.write(b"CONNECT x:443 HTTP/1.1\r\n\r\n", 2.0)
    assert plain.read(100, 3.0).endswith(b"1\r\na\r\n1\r\nb\r\n")
    encrypted = plain.start_tls("context", "name", 1.0)
    assert encrypted.read(100, 3.0) == b""
    encrypted.write(b"POST / HTTP/1.1\r\n\r\n", 2.0)
    assert encrypted.read(100, 3.0).endswith(b"\r\n\r\n"), "the head for itself"
    assert encrypted.read(100, 3.0) == b"2\r\nab\r\n"
    assert encrypted.get_extra_info("socket") == "the socket"
