"""Chunks that arrive together are handed over together, whatever the way to the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from manager import ChatResponse, StreamInterruptedError
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
    plain, left = ChatResponse.from_dict, iter(range(CHUNKS // 2))

    def from_dict(data: Any) -> ChatResponse:
        if next(left, None) is None:
            raise Interrupt
        return plain(data)

    monkeypatch.setattr(ChatResponse, "from_dict", from_dict)
    with Hostile(whole_flood) as server:
        async with make(host=server.host) as m:
            stream = await m.chat("m", "hi", stream=True)
            with pytest.raises(Interrupt):
                await stream.final()
            assert getattr(m, "target", m)._session.transport._in_flight.count() == 0
            with pytest.raises(StreamInterruptedError) as caught:
                await stream.final()
            assert caught.value.partial.message.content == "a" * (CHUNKS // 2)
