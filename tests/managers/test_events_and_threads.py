"""What listeners hear, and one manager used by many at once."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

from manager import ModelNotFoundError, OllamaManager, StreamInterruptedError, Timeouts

from .either import Heard, is_alive

if TYPE_CHECKING:
    from manager import ChatResponse
    from manager.simulator.process import SimulatedServer

    from .either import Make


async def test_events_of_calls_in_order(m: Any) -> None:
    await m.list_models()
    heard = Heard(m)
    await m.chat("simulated", "hello")
    await heard.until("request.finished")
    async with await m.chat("simulated", "hello", stream=True) as stream:
        await heard.until("request.started", 2)
        assert heard.names.count("request.finished") == 1
        await stream.final()
    await heard.until("request.finished", 2)
    with pytest.raises(ModelNotFoundError) as caught:
        await m.show_model("nosuch")
    failed = await heard.until("request.failed")
    assert heard.names[:4] == ["request.started", "request.finished"] * 2
    assert failed.error.code == "model_not_found"
    assert failed.error.request_id == failed.request_id == caught.value.request_id
    started, finished = heard.events[:2]
    assert started.request_id == finished.request_id
    assert (started.endpoint, started.model) == ("POST /api/chat", "simulated")
    assert finished.attempts == 1
    assert finished.seconds > 0
    assert started.time <= finished.time


async def test_a_stream_left_early_is_told_as_finished_once(m: Any) -> None:
    await m.list_models()
    heard = Heard(m)
    async with await m.chat("simulated", "hello", stream=True) as stream:
        async for _ in stream:
            break
    await stream.close()
    await m.list_models()
    await heard.until("request.finished", 2)
    assert heard.names == ["request.started", "request.finished"] * 2


async def test_a_broken_stream_is_told_as_failed_once(make: Make, managed: dict[str, Any]) -> None:
    async with make(**managed) as m:
        stream = await m.chat("simulated", "hello", stream=True)
        await anext(aiter(stream))  # or it would be asked for again
        heard = Heard(m)
        os.kill(m.status().pid, signal.SIGKILL)
        for _ in range(2):
            with pytest.raises(StreamInterruptedError):
                await stream.final()
        await stream.close()
        await m.list_models()
        await heard.until("request.finished")
        assert heard.names.count("request.failed") == 1
        assert heard.names.count("request.finished") == 1


async def test_events_of_a_life(make: Make, managed: dict[str, Any]) -> None:
    m = make(**managed)
    heard = Heard(m, *(f"server.{name}" for name in ("starting", "ready", "stopped")))
    await m.start_server()
    await m.stop_server()
    await heard.until("server.stopped")
    await m.start_server()
    await m.aclose()
    wanted = ["server.starting", "server.ready", "server.stopped"]
    assert [name for name in heard.names if name in wanted][:3] == wanted
    ready = next(event for event in heard.events if event.name == "server.ready")
    assert ready.status.state == "ready"
    assert ready.status.pid


async def test_a_listener_that_raises_harms_no_call(m: Any) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("broken listener")

    m.events.subscribe(broken)
    assert (await m.chat("simulated", "hello")).done


async def test_many_calls_at_once(m: Any) -> None:
    async def one(number: int) -> ChatResponse:
        return await m.chat("simulated", f"number {number}", think=False, timeout=patient)

    patient = Timeouts(connect=30)  # all of them connect at once, to a server that is one of many
    answers = await asyncio.gather(*(one(number) for number in range(200)))
    for number, answer in enumerate(answers):
        assert f"You said: number {number}\n" in answer.message.content


async def test_many_streams_at_once(m: Any) -> None:
    async def one(number: int) -> str:
        async with await m.chat(
            "simulated", f"number {number}", stream=True, think=False, timeout=patient
        ) as stream:
            return "".join([piece async for piece in stream.text])

    patient = Timeouts(connect=30)  # all of them connect at once, to a server that is one of many
    answers = await asyncio.gather(*(one(number) for number in range(200)))
    for number, answer in enumerate(answers):
        assert f"You said: number {number}\n" in answer


async def test_the_first_calls_of_many_start_one_server(
    make: Make, managed: dict[str, Any]
) -> None:
    m = make(**managed)
    heard = Heard(m, "server.starting", "server.ready")
    results = await asyncio.gather(*(m.chat("simulated", "hello", think=False) for _ in range(20)))
    assert all(result.done for result in results)
    pid = m.status().pid
    await m.aclose()
    assert heard.names.count("server.ready") == 1
    assert not is_alive(pid), "one lease, and it has ended"


def test_fifty_threads_on_one_manager(server: SimulatedServer) -> None:
    failures: list[BaseException] = []
    barrier = threading.Barrier(50)
    with OllamaManager(host=server.host) as m:

        def work(number: int) -> None:
            try:
                barrier.wait(30)
                for turn in range(5):
                    prompt = f"thread {number} turn {turn}"
                    with m.chat("simulated", prompt, stream=True, think=False) as stream:
                        assert prompt in "".join(stream.text)
                    assert prompt in str(m.chat("simulated", prompt, think=False).message.content)
                    assert m.list_models()
                    assert m.status().state == "ready"
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert failures == []


async def test_closing_ends_calls_under_way(make: Make, managed: dict[str, Any]) -> None:
    managed["env"]["OLLAMA_SIMULATOR_TOKEN_SECONDS"] = "5"
    m = make(**managed)
    heard = Heard(m, "request.started")
    call = asyncio.ensure_future(m.chat("simulated", "write 1000 words"))
    await heard.until("request.started")
    await m.aclose()
    async with asyncio.timeout(20):
        with pytest.raises(Exception, match=r"closed|lost|connect|stopped"):
            await call
