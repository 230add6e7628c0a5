"""Every call that has begun is told to have ended, once, however it ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from manager import OllamaManager, Timeouts
from manager._async.attempt import AsyncAttempt
from manager._sync.attempt import Attempt
from manager.ndjson import LineSplitter
from manager.transport._async.connection import AsyncConnection
from manager.transport._sync.connection import Connection

from .either import PATIENCE, Heard, until
from .hostile_server import LAST, Hostile, chat_line, cut, fine, silent_after, stays, streams
from .test_hostile import using

if TYPE_CHECKING:
    from .either import Make
    from .hostile_server import Exchange

pytestmark = pytest.mark.usefixtures("each_transport")

ENDS = ("request.finished", "request.failed", "request.cancelled")


class Interrupt(BaseException):
    """Stands for Ctrl-C, which would end the event loop of the test."""


def interrupts(*_: Any, **__: Any) -> Any:
    raise Interrupt


def interrupt_sending(patched: pytest.MonkeyPatch) -> None:
    """Whatever carries the calls, sending one is interrupted."""
    patched.setattr(Connection, "send", interrupts)
    patched.setattr(AsyncConnection, "send", interrupts)
    patched.setattr(httpx.HTTPTransport, "handle_request", interrupts)
    patched.setattr(httpx.AsyncHTTPTransport, "handle_async_request", interrupts)


async def ended(heard: Heard, name: str = "request.cancelled") -> Any:
    event = await heard.until(name)
    assert [heard_of for heard_of in heard.names if heard_of in ENDS] == [name]
    assert heard.names[0] == "request.started"
    assert event.request_id == heard.events[0].request_id
    assert (event.endpoint, event.model) == ("POST /api/chat", "m")
    assert event.attempts == 1
    assert event.seconds >= 0
    return event


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_that_is_interrupted(
    make: Make, stream: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Hostile(fine) as server:
        async with using(make, server, logging={"level": "calls"}) as m:
            heard = Heard(m)
            with monkeypatch.context() as patched:
                interrupt_sending(patched)
                with pytest.raises(Interrupt):
                    await m.chat("m", "hi", stream=stream)
            event = await ended(heard)
            assert event.reason == "Interrupt"
    calls = [record.__dict__["ollama_call"] for record in caplog.records]
    assert [call["event"] for call in calls] == ["request", "cancelled"]
    assert calls[0]["request_id"] == calls[1]["request_id"] == event.request_id
    assert calls[1]["reason"] == "Interrupt"


async def test_a_call_that_is_interrupted_before_it_is_sent_again(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manager._async.transport.pause_async", interrupts)
    monkeypatch.setattr("manager._sync.transport.pause_sync", interrupts)
    with Hostile(cut) as server:
        async with using(make, server) as m:
            heard = Heard(m)
            with pytest.raises(Interrupt):
                await m.chat("m", "hi")
            await ended(heard)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_that_is_cancelled(make: Make, stream: bool) -> None:
    with Hostile(silent_after()) as server:
        async with using(make, server) as m:
            if hasattr(m, "target"):
                pytest.skip("threads cannot be cancelled")
            heard = Heard(m)
            call = asyncio.ensure_future(m.chat("m", "hi", stream=stream))
            await until(lambda: server.requests, "the request")
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert (await ended(heard)).reason == "CancelledError"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
async def test_a_call_that_is_cancelled_while_its_connection_is_given_back(
    make: Make, stream: bool, turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half given back, it would count among those in use for ever."""
    closing, end = asyncio.Event(), AsyncAttempt.end

    async def end_slowly(attempt: AsyncAttempt) -> None:
        closing.set()
        await end(attempt)

    monkeypatch.setattr(AsyncAttempt, "end", end_slowly)
    with Hostile(stays) as server:
        async with using(make, server, max_connections=1) as m:
            if hasattr(m, "target"):
                pytest.skip("threads cannot be cancelled")

            async def chat() -> Any:
                answer = await m.chat("m", "hi", stream=stream)
                return (await answer.final()) if stream else answer

            call = asyncio.ensure_future(chat())
            await closing.wait()
            for _ in range(turns):
                await asyncio.sleep(0)
            call.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await call
            async with asyncio.timeout(PATIENCE):
                assert (await chat()).done


async def test_a_stream_that_is_cancelled_twice_while_a_token_is_awaited(make: Make) -> None:
    with Hostile(silent_after(chat_line("a"), chat_line("b")), stays) as server:
        async with using(make, server, max_connections=1) as m:
            if hasattr(m, "target"):
                pytest.skip("threads cannot be cancelled")
            answer = await m.chat("m", "hi", stream=True)
            assert (await anext(answer)).message.content == "a"
            call = asyncio.ensure_future(answer.final())
            await until(lambda: answer.partial.message.content == "ab", "the second token")
            call.cancel()
            await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            async with asyncio.timeout(PATIENCE):
                assert (await m.chat("m", "hi")).done


async def test_a_transport_that_is_replaced_for_a_while(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As what mocks or traces httpx does it, before the first call or between two."""
    monkeypatch.setenv("OLLAMA_MANAGER_CLIENT_TRANSPORT", "httpx")
    with Hostile(stays) as server:
        async with using(make, server) as m:
            for _ in range(2):
                with monkeypatch.context() as patched:
                    interrupt_sending(patched)
                    with pytest.raises(Interrupt):
                        await m.chat("m", "hi")
                assert (await m.chat("m", "hi")).done


async def test_a_stream_whose_reader_is_interrupted(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hostile(streams(chat_line("a"), LAST)) as server:
        async with using(make, server) as m:
            heard = Heard(m)
            stream = await m.chat("m", "hi", stream=True)
            monkeypatch.setattr(LineSplitter, "feed", interrupts)
            with pytest.raises(Interrupt):
                await stream.final()
            await stream.close()
            assert (await ended(heard)).reason == "Interrupt"


async def test_a_stream_that_is_closed_early(make: Make) -> None:
    with Hostile(silent_after(chat_line("a"))) as server:
        async with using(make, server) as m:
            heard = Heard(m)
            async with await m.chat("m", "hi", stream=True):
                pass
            await ended(heard, "request.finished")


async def test_a_stream_that_is_forgotten(make: Make) -> None:
    told = threading.Event()

    def endless(exchange: Exchange) -> None:
        exchange.start_chunked()
        try:
            while True:
                exchange.chunk(chat_line("more"))
        except OSError:
            told.set()

    with Hostile(endless) as server:
        async with using(make, server) as m:
            heard = Heard(m)
            stream = await m.chat("m", "hi", stream=True)
            del stream
            await until(lambda: gc.collect() >= 0 and told.is_set(), "the server to be told")
        assert (await ended(heard)).reason == "forgotten"


async def test_an_interrupt_after_the_last_line_frees_the_connection(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hostile(silent_after(chat_line("a"), LAST), fine) as server:
        async with using(make, server, max_connections=1) as m:
            stream = await m.chat("m", "hi", stream=True)
            assert (await anext(aiter(stream))).message.content == "a"
            monkeypatch.setattr(LineSplitter, "check", interrupts)
            with pytest.raises(Interrupt):
                async for _ in stream:
                    pass
            await stream.close()
            answer = await m.chat("m", "hi", timeout=Timeouts(total=20))
            assert answer.message.content == "fine"


def test_who_reads_while_another_thread_closes_meets_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closing, go_on = threading.Event(), threading.Event()
    with (
        Hostile(streams(*([chat_line("a")] * 100))) as server,
        OllamaManager(host=server.host) as m,
    ):
        stream = m.chat("m", "hi", stream=True)
        next(stream)
        end = Attempt.end

        def end_slowly(attempt: Attempt) -> None:
            closing.set()
            go_on.wait(30)
            end(attempt)

        monkeypatch.setattr(Attempt, "end", end_slowly)
        closer = threading.Thread(target=stream.close)
        closer.start()
        try:
            assert closing.wait(30)
            assert next(stream, None) is None
        finally:
            go_on.set()
            closer.join(30)
