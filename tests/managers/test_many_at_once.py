"""Many calls on one manager: in order, each with its own answer, none disturbed by another."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import tracemalloc
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from manager.transport.call import Call

from .either import PATIENCE, until
from .hostile_server import LAST, Hostile, chat_line, silent_after, stays, streams
from .test_hostile import using

if TYPE_CHECKING:
    from .either import Make
    from .hostile_server import Exchange

pytestmark = pytest.mark.usefixtures("each_transport")


def prompt_of(body: bytes) -> str:
    prompt: str = json.loads(body)["messages"][0]["content"]
    return prompt


def waiting_for(m: Any) -> int:
    """How many calls wait for a connection."""
    client = getattr(m, "target", m)._session.transport._client
    return len(client.slots._waiting) if client else 0


def echoes(exchange: Exchange) -> None:
    text = prompt_of(exchange.body)
    exchange.answer_and_stay(chat_line(text, done=True, done_reason="stop"))


async def test_who_waits_for_a_connection_is_served_in_turn(make: Make) -> None:
    go = threading.Event()

    def first(exchange: Exchange) -> None:
        go.wait(30)
        stays(exchange)

    with Hostile(first, stays) as server:
        async with using(make, server, max_connections=1) as m:
            calls: list[Any] = []
            for number in range(12):
                calls.append(asyncio.ensure_future(m.chat("m", f"{number}")))
                await until(lambda: waiting_for(m) == len(calls) - 1 and server.requests)
            go.set()
            await asyncio.gather(*calls)
    assert [prompt_of(body) for body in server.bodies] == [str(number) for number in range(12)]


async def test_who_waits_for_a_connection_gets_that_of_a_forgotten_stream(make: Make) -> None:
    with Hostile(silent_after(chat_line("a")), stays) as server:
        async with using(make, server, max_connections=1) as m:
            stream = await m.chat("m", "hi", stream=True)
            call = asyncio.ensure_future(m.chat("m", "hi"))
            await until(lambda: waiting_for(m) == 1, "a call to wait")
            del stream
            # a thread that has handed it over may hold it for a moment longer
            await until(lambda: gc.collect() >= 0 and call.done(), "the call that waited")
            await call


async def test_a_connection_is_free_when_its_reader_has_been_cancelled(make: Make) -> None:
    with Hostile(silent_after(chat_line("a")), stays) as server:
        async with using(make, server, max_connections=1) as m:
            if hasattr(m, "target"):
                pytest.skip("threads cannot be cancelled")
            stream = await m.chat("m", "hi", stream=True)
            chunks = aiter(stream)
            await anext(chunks)
            reader = asyncio.ensure_future(anext(chunks))
            await until(lambda: stream._lines.waiting(), "it to read")
            reader.cancel()
            await asyncio.wait([reader])
            await asyncio.wait_for(m.chat("m", "hi"), PATIENCE)  # nobody has closed the stream
            await stream.close()


async def test_two_hundred_calls_share_few_connections(make: Make) -> None:
    with Hostile(echoes) as server:
        async with using(make, server, max_connections=4) as m:
            answers = await asyncio.gather(*(m.chat("m", f"{number}") for number in range(200)))
    assert [answer.message.content for answer in answers] == [str(number) for number in range(200)]
    assert server.accepted <= 4


async def test_calls_that_are_cancelled_disturb_no_other(make: Make) -> None:
    begun = threading.Semaphore(0)
    go = threading.Event()

    def answers(exchange: Exchange) -> None:
        begun.release()
        go.wait(30)
        echoes(exchange)

    with Hostile(answers) as server:
        async with using(make, server, max_connections=6) as m:
            if hasattr(m, "target"):
                pytest.skip("threads cannot be cancelled")
            calls = [asyncio.ensure_future(m.chat("m", f"{number}")) for number in range(40)]
            await until(lambda: len(server.requests) == 6, "the first of them")
            for call in calls[::2]:  # some of them have been sent, the others wait
                call.cancel()
            go.set()
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert all(isinstance(result, asyncio.CancelledError) for result in results[::2])
            others: list[Any] = results[1::2]
            assert [answer.message.content for answer in others] == [
                str(number) for number in range(1, 40, 2)
            ]
            assert (await m.chat("m", "last")).message.content == "last"


@pytest.mark.parametrize("how", ["close", "cancel", "raise"])
async def test_streams_that_end_early_disturb_no_other(make: Make, how: str) -> None:
    half = threading.Barrier(31)

    def act(exchange: Exchange) -> None:
        name = prompt_of(exchange.body)
        exchange.start_chunked()
        exchange.chunk(chat_line(f"{name} "))
        half.wait(30)
        exchange.chunk(chat_line("and on"))
        exchange.chunk(LAST)
        exchange.write(b"0\r\n\r\n")

    with Hostile(act) as server:
        async with using(make, server) as m:
            if how == "cancel" and hasattr(m, "target"):
                pytest.skip("threads cannot be cancelled")
            left: list[int] = []

            async def read(number: int) -> str:
                async with await m.chat("m", f"{number}", stream=True) as stream:
                    pieces: list[str] = []
                    async for text in stream.text:
                        pieces.append(text)
                        if number % 3 == 0 and len(pieces) == 1:
                            left.append(number)
                            if how == "close":
                                await stream.close()
                            elif how == "raise":
                                raise LookupError
                            else:
                                await asyncio.Event().wait()
                    return "".join(pieces)

            readers = [asyncio.ensure_future(read(number)) for number in range(30)]
            await until(lambda: len(left) == 10 and len(server.requests) == 30)
            if how == "cancel":
                for reader in readers[::3]:
                    reader.cancel()
            await asyncio.wait(readers[::3])
            await asyncio.to_thread(half.wait, 30)
            results = await asyncio.gather(*readers, return_exceptions=True)
    for number, result in enumerate(results):
        if number % 3:
            assert result == f"{number} and on"
        elif how == "close":
            assert result == f"{number} "
        else:
            assert isinstance(result, LookupError | asyncio.CancelledError)


class Flood:
    """Sends chunks for as long as there is room for them, and notes when there is none."""

    def __init__(self) -> None:
        self.sent = 0
        self.stood_at: list[int] = []

    def __call__(self, exchange: Exchange) -> None:
        exchange.start_chunked()
        line = chat_line(pad="x" * 16_000)
        data = b"%x\r\n%s\r\n" % (len(line), line) * 4
        rest = data
        while True:
            taken = exchange.write_within(rest, 0.3)
            if not taken:
                self.stood_at.append(self.sent)
            self.sent += taken
            rest = rest[taken:] or data

    async def stands(self) -> int:
        """Wait until it has twice found no room at the same place; return how much it sent."""
        before = len(self.stood_at)
        await until(
            lambda: (
                len(self.stood_at) >= before + 2
                and self.stood_at[-1] == self.stood_at[-2] == self.sent
            ),
            "the server to be held back",
        )
        return self.sent


async def test_a_call_that_is_over_is_not_kept(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[weakref.ref[Call[Any]]] = []
    begin = Call.begin_attempt

    def note(call: Call[Any], headers: Any) -> None:
        calls.append(weakref.ref(call))
        begin(call, headers)

    monkeypatch.setattr(Call, "begin_attempt", note)
    with Hostile(stays) as server:
        async with using(make, server) as m:
            await m.chat("m", "hi")
            # a thread that has handed the answer over may hold it for a moment longer
            await until(lambda: gc.collect() >= 0 and not calls[0](), "it to be let go")


async def test_a_slow_reader_holds_the_server_back(make: Make) -> None:
    flood = Flood()
    with Hostile(flood) as server:
        async with using(make, server) as m, await m.chat("m", "hi", stream=True) as stream:
            chunks = aiter(stream)
            await anext(chunks)
            first = await flood.stands()
            tracemalloc.start()
            try:
                for _ in range(1000):
                    await anext(chunks)
                second = await flood.stands()
                kept, _ = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
    assert second - first > 8_000_000, "it went on as it was read"
    assert kept < 4_000_000, "16 MB went through"
    assert first < 64_000_000


async def test_a_stream_that_nobody_reads_holds_nobody_up(make: Make) -> None:
    flood = Flood()
    with Hostile(flood, streams(chat_line("fine"), LAST)) as server:
        async with using(make, server) as m, await m.chat("m", "hi", stream=True):
            await flood.stands()
            other = await m.chat("m", "hi", stream=True)
            assert (await other.final()).message.content == "fine"
