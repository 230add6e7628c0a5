"""Streams of tokens: reading, leaving, cancelling."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from manager import (
    ChatResponse,
    GenerateResponse,
    InvalidRequestError,
    ModelNotFoundError,
    RequestTimeoutError,
    StreamInterruptedError,
)

from .either import Heard, pool_of, until

if TYPE_CHECKING:
    from manager.simulator.process import SimulatedServer

    from .either import Make

pytestmark = pytest.mark.usefixtures("each_transport")

LONG = "write 20000 words"  # minutes at the slow server's pace
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def cut_short(server: SimulatedServer) -> int:
    """How many answers the server has seen its client walk away from."""
    return sum("| 499 |" in line for line in server.log)


async def test_chunks(m: Any) -> None:
    stream = await m.chat("simulated", "hello", stream=True, think=False)
    chunks = [chunk async for chunk in stream]
    assert all(isinstance(chunk, ChatResponse) for chunk in chunks)
    assert [chunk.done for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert len(chunks) > 3
    whole = await m.chat("simulated", "hello", think=False)
    assert "".join(chunk.message.content for chunk in chunks) == whole.message.content
    assert chunks[-1].eval_count == whole.eval_count


async def test_text(m: Any) -> None:
    whole = await m.chat("simulated", "hello", think=False)
    async with await m.chat("simulated", "hello", stream=True, think=False) as stream:
        pieces = [piece async for piece in stream.text]
    assert "".join(pieces) == whole.message.content
    assert all(pieces)
    assert len(pieces) > 3


async def test_final_is_the_plain_answer(m: Any) -> None:
    arguments: list[dict[str, Any]] = [
        {"prompt": "hello", "think": True, "logprobs": 1},
        {"prompt": "the weather in Oslo", "tools": [WEATHER], "think": False},
        {"prompt": "x", "format": {"type": "object", "properties": {"a": {"type": "integer"}}}},
    ]
    for keywords in arguments:
        whole = await m.chat("simulated", **keywords)
        stream = await m.chat("simulated", stream=True, **keywords)
        final = await stream.final()
        assert final.message.to_dict() == whole.message.to_dict()
        assert final.logprobs == whole.logprobs
        assert (final.done, final.done_reason) == (True, "stop")
        assert (final.eval_count, final.prompt_eval_count) == (
            whole.eval_count,
            whole.prompt_eval_count,
        )
        assert stream.partial == final
        assert await stream.final() == final


async def test_generate(m: Any) -> None:
    whole = await m.generate("simulated", "hello", think=False)
    async with await m.generate("simulated", "hello", stream=True, think=False) as stream:
        first = await anext(aiter(stream))
        assert isinstance(first, GenerateResponse)
        rest = [piece async for piece in stream.text]
        final = await stream.final()
    assert first.response + "".join(rest) == final.response == whole.response
    assert final.context == whole.context


async def test_one_cursor(m: Any) -> None:
    stream = await m.chat("simulated", "hello", stream=True, think=False)
    assert stream.partial is None
    first = await anext(aiter(stream))
    second = await anext(aiter(stream.text))
    assert stream.partial.message.content == first.message.content + second
    assert not stream.partial.done
    final = await stream.final()
    assert final.message.content.startswith(first.message.content + second)
    assert [chunk async for chunk in stream] == [], "nothing is left"


async def test_an_error_status_is_raised_by_the_call(m: Any) -> None:
    with pytest.raises(ModelNotFoundError):
        await m.chat("nosuch", "hello", stream=True)


async def test_leaving_early_stops_the_server(slow: Any, slow_server: SimulatedServer) -> None:
    before = cut_short(slow_server)
    async with await slow.chat("simulated", LONG, stream=True, think=False) as stream:
        async for _ in stream.text:
            break
    await until(lambda: cut_short(slow_server) > before, "the server to stop generating")
    assert stream.partial.message.content
    assert [chunk async for chunk in stream] == []
    with pytest.raises(StreamInterruptedError) as caught:
        await stream.final()
    assert caught.value.partial == stream.partial
    assert await slow.list_models()


async def test_closed_before_the_first_token(slow: Any, slow_server: SimulatedServer) -> None:
    before = cut_short(slow_server)
    stream = await slow.chat("simulated", LONG, stream=True, think=False)
    await stream.close()
    await stream.close()
    assert stream.partial is None
    assert [chunk async for chunk in stream] == []
    await until(lambda: cut_short(slow_server) > before)


async def test_close_from_elsewhere_ends_the_iteration(
    slow: Any, slow_server: SimulatedServer
) -> None:
    before = cut_short(slow_server)
    stream = await slow.chat("simulated", LONG, stream=True, think=False)
    seen = asyncio.Event()

    async def read() -> int:
        count = 0
        async for _ in stream:
            count += 1
            seen.set()
        return count

    reader = asyncio.ensure_future(read())
    await seen.wait()
    await stream.close()
    async with asyncio.timeout(20):
        assert await reader >= 1
    await until(lambda: cut_short(slow_server) > before)


async def test_close_wakes_a_reader_that_waits(make: Make, managed: dict[str, Any]) -> None:
    managed["env"]["OLLAMA_SIMULATOR_TOKEN_SECONDS"] = "60"
    async with make(**managed) as m:
        stream = await m.chat("simulated", LONG, stream=True, think=False)

        chunks: list[Any] = []

        async def read() -> None:
            async for chunk in stream:
                chunks.append(chunk)  # noqa: PERF401  one by one, as they come

        reader = asyncio.ensure_future(read())
        await until(lambda: chunks, "the first token, which comes at once")
        lines = getattr(stream, "target", stream)._lines
        await until(lambda: lines._readers, "the reader to wait for the second")
        before = time.monotonic()
        await stream.close()
        async with asyncio.timeout(20):
            await reader
        assert len(chunks) == 1
        assert time.monotonic() - before < 10


async def test_closing_the_manager_ends_its_streams(
    make: Make, slow_server: SimulatedServer
) -> None:
    m = make(host=slow_server.host)
    stream = await m.chat("simulated", LONG, stream=True, think=False)
    before = cut_short(slow_server)
    seen = asyncio.Event()

    async def read() -> None:
        async for _ in stream:
            seen.set()

    reader = asyncio.ensure_future(read())
    await seen.wait()
    await m.aclose()
    async with asyncio.timeout(20):
        await reader
    await until(lambda: cut_short(slow_server) > before)


async def test_one_consumer_at_a_time(slow: Any) -> None:
    async with await slow.chat("simulated", LONG, stream=True, think=False) as stream:
        results = await asyncio.gather(
            *(anext(aiter(stream)) for _ in range(4)), return_exceptions=True
        )
        refused = [result for result in results if isinstance(result, InvalidRequestError)]
        assert refused or all(isinstance(result, ChatResponse) for result in results)
        assert isinstance(await anext(aiter(stream)), ChatResponse), "the stream goes on"


async def test_a_cancelled_reader_stops_the_server(
    slow_server: SimulatedServer, make: Make
) -> None:
    async with make(host=slow_server.host) as m:
        if hasattr(m, "target"):
            pytest.skip("threads cannot be cancelled")
        before = cut_short(slow_server)
        stream = await m.chat("simulated", LONG, stream=True, think=False)
        seen = asyncio.Event()

        async def read() -> None:
            async for _ in stream:
                seen.set()

        reader = asyncio.ensure_future(read())
        await seen.wait()
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        await until(lambda: cut_short(slow_server) > before)
        assert await m.list_models()


async def test_a_total_limit_ends_a_stream_that_goes_on(slow: Any) -> None:
    stream = await slow.chat("simulated", LONG, stream=True, think=False, timeout=_total(2))
    before = time.monotonic()
    with pytest.raises(RequestTimeoutError) as caught:
        await stream.final()
    assert time.monotonic() - before < 15
    assert caught.value.timeout == "total"
    assert caught.value.partial.message.content


def _total(seconds: float) -> Any:
    from manager import Timeouts

    return Timeouts(total=seconds)


@pytest.mark.engine
async def test_many_streams_use_few_connections(m: Any, server: SimulatedServer) -> None:
    """A stream that was read to its end leaves its connection for the next call."""
    heard = Heard(m)
    for _ in range(10):
        await (await m.chat("simulated", "hello", stream=True)).final()
    await heard.until("request.finished", 10)
    assert pool_of(m).open_count == 1
