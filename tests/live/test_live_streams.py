"""Streams of a real Ollama server that end before their time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from manager import OllamaManager, RequestTimeoutError, StreamInterruptedError, Timeouts

from .processes import children, cpu_seconds, is_alive, linux_only, until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

ENDLESS: dict[str, Any] = {"num_predict": -1, "num_thread": 1, "num_ctx": 4096}


async def _next_text(stream: Any) -> str:
    async for text in stream.text:
        return str(text)
    raise AssertionError("the stream is at its end")


async def _is_free(m: Any) -> bool:
    """Whether the one slot of the server is: a short answer comes soon only if nothing is made."""
    try:
        answer = await m.chat("slow", "Hello", **ENDLESS | {"num_predict": 1}, timeout=15)
    except RequestTimeoutError:
        return False
    return bool(answer.eval_count == 1)


async def _assert_freed_by(leave: Callable[[], Awaitable[object]], m: Any) -> None:
    """Leave a stream and see that the server stops generating.

    Ollama itself now and then keeps the slot of a client that left, whatever the client
    (docs/reliability.md); so it has three tries, each with a fresh runner.
    """
    for _ in range(3):
        await leave()
        if await _is_free(m):
            return
        for runner in children(m.status().pid):
            os.kill(runner, signal.SIGKILL)
    raise AssertionError("the server went on generating, three times in a row")


@pytest.fixture(autouse=True)
def free_before(shared: Mapping[str, Any]) -> None:
    """Nothing that an earlier test has left keeps the server busy."""
    with OllamaManager(**shared) as m:
        try:
            m.chat("slow", "Hello", **ENDLESS | {"num_predict": 1}, timeout=15)
        except RequestTimeoutError:
            for runner in children(m.status().pid or 0):
                os.kill(runner, signal.SIGKILL)


async def test_leaving_a_stream_early_stops_the_generating(m: Any) -> None:
    async def leave() -> None:
        async with await m.chat("slow", "Hello", stream=True, **ENDLESS) as stream:
            first = await _next_text(stream)
        assert stream.partial.message.content.startswith(first)

    await _assert_freed_by(leave, m)


@linux_only
async def test_a_stream_that_was_left_costs_no_processor_time(m: Any) -> None:
    async with await m.chat("slow", "Hello", stream=True, **ENDLESS) as stream:
        await _next_text(stream)
    runners = children(m.status().pid)
    assert runners

    async def idle() -> bool:
        before = sum(map(cpu_seconds, runners))
        await asyncio.sleep(0.25)
        return sum(map(cpu_seconds, runners)) - before < 0.05

    await until(idle, 5)


async def test_an_abandoned_generate_stream_stops_too(m: Any) -> None:
    async def leave() -> None:
        async with await m.generate("slow", "Hello", stream=True, **ENDLESS) as stream:
            await _next_text(stream)
            await stream.close()

    await _assert_freed_by(leave, m)


def test_a_stream_is_closed_from_another_thread(sync_m: OllamaManager) -> None:
    stream = sync_m.chat("slow", "Hello", stream=True, **ENDLESS)
    next(stream)
    closer = threading.Timer(0.2, stream.close)
    closer.start()
    started = time.monotonic()
    for _ in stream:
        assert time.monotonic() - started < 10
    closer.join()
    with pytest.raises(StreamInterruptedError):
        stream.final()


async def test_closing_a_manager_ends_its_streams(
    new_manager: Callable[..., Any], m: Any, shared: Mapping[str, Any]
) -> None:
    async def leave() -> None:
        other = new_manager(**shared)
        stream = await other.chat("slow", "Hello", stream=True, **ENDLESS)
        await _next_text(stream)
        await other.aclose()

    await _assert_freed_by(leave, m)


@linux_only
async def test_cancelling_a_task_stops_the_generating(async_m: Any) -> None:
    server = (await async_m.start_server()).pid

    def used() -> float:
        return sum(map(cpu_seconds, children(server)))

    async def leave() -> None:
        before = used()
        task = asyncio.ensure_future(async_m.chat("slow", "Hello", **ENDLESS))
        await until(lambda: used() - before > 0.2)  # it is being made
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    await _assert_freed_by(leave, async_m)


async def test_a_total_timeout_ends_a_stream_and_keeps_what_came(m: Any) -> None:
    async def leave() -> None:
        limit = Timeouts(total=0.6)
        stream = await m.chat("slow", "Hello", stream=True, **ENDLESS, timeout=limit)
        with pytest.raises(RequestTimeoutError) as caught:
            await stream.final()
        assert caught.value.timeout == "total"
        assert caught.value.partial.message.content

    await _assert_freed_by(leave, m)


@pytest.mark.skipif(sys.platform == "win32", reason="uses SIGKILL")
async def test_kill_of_the_server_in_mid_stream_and_the_recovery(alone: Any) -> None:
    happened: list[str] = []
    alone.events.subscribe(lambda event: happened.append(event.name), "server.crashed")
    stream = await alone.chat("slow", "Hello", stream=True, **ENDLESS)
    first = await _next_text(stream)
    killed = alone.status().pid
    os.kill(killed, signal.SIGKILL)
    with pytest.raises(StreamInterruptedError) as caught:
        await stream.final()
    assert caught.value.partial.message.content.startswith(first)
    assert caught.value.retryable

    assert (await alone.chat("tiny", "Hello", num_predict=2, num_thread=1)).eval_count == 2
    status = alone.status()
    assert (status.state, status.restarts, status.owned) == ("ready", 1, True)
    assert status.pid != killed
    await until(lambda: happened)


@linux_only
async def test_the_runners_of_a_killed_server_do_not_stay(alone: Any) -> None:
    await alone.load_model("tiny")
    server = alone.status().pid
    runners = children(server)
    assert runners
    os.kill(server, signal.SIGKILL)
    assert (await alone.chat("tiny", "Hello", num_predict=2, num_thread=1)).eval_count == 2
    await until(lambda: not any(map(is_alive, [server, *runners])))


@linux_only
async def test_kill_of_the_runner_in_mid_stream(alone: Any) -> None:
    stream = await alone.chat("slow", "Hello", stream=True, **ENDLESS)
    await _next_text(stream)
    server = alone.status().pid
    for runner in children(server):
        os.kill(runner, signal.SIGKILL)
    with pytest.raises(StreamInterruptedError) as caught:
        await stream.final()
    assert caught.value.partial.message.content

    assert (await alone.chat("slow", "Hello", num_predict=2, num_thread=1)).eval_count == 2
    assert alone.status().pid == server, "the server itself was fine"
    assert alone.status().restarts == 0


@linux_only
async def test_kill_of_the_runner_under_a_plain_call_is_retried(alone: Any) -> None:
    retried: list[Any] = []
    alone.events.subscribe(retried.append, "request.retried")
    assert await _is_free(alone)  # it is loaded
    [runner] = children(alone.status().pid)
    before = cpu_seconds(runner)
    call = asyncio.ensure_future(alone.chat("slow", "Hello", **ENDLESS | {"num_predict": 400}))
    await until(lambda: cpu_seconds(runner) - before > 0.1)
    os.kill(runner, signal.SIGKILL)
    assert (await call).eval_count == 400
    await until(lambda: retried)
    assert retried[0].error.status_code == 500
