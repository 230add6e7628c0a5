"""Connections that httpx's stock transport loses when exchanges are interrupted."""

from __future__ import annotations

import asyncio
import gc
import random
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from ..managers.hostile_server import Hostile, silent_after, stays, streams
from .httpx_testing import (
    Pieces,
    Stream,
    answer,
    ask,
    carrier_async,
    carrier_sync,
    deadlines,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


class Server:
    """A server on the event loop that counts its connections."""

    def __init__(self) -> None:
        self.open = 0
        self.most = 0

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(2)
                await asyncio.sleep(random.random() * 0.004)
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                for _ in range(3):
                    writer.write(b"3\r\nabc\r\n")
                    await asyncio.sleep(0.0005)
                writer.write(b"0\r\n\r\n")
        except (OSError, EOFError):
            pass
        finally:
            self.open -= 1
            writer.close()


class GivenUpError(Exception):
    pass


async def give_up_five(carrier: Any, seconds: float) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(answer(carrier))
            await asyncio.sleep(seconds)
            raise GivenUpError
    except* GivenUpError:
        pass


async def cancel_twice(carrier: Any, seconds: float) -> None:
    tasks = [asyncio.create_task(answer(carrier)) for _ in range(5)]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def time_out(carrier: Any, seconds: float) -> None:
    calls = [asyncio.wait_for(answer(carrier), seconds) for _ in range(5)]
    await asyncio.gather(*calls, return_exceptions=True)


@pytest.mark.parametrize("give_up", [give_up_five, cancel_twice, time_out])
async def test_exchanges_that_are_cancelled_lose_no_connections(give_up: Any) -> None:
    server = Server()
    carrier = carrier_async(await server.start())
    for _ in range(300):
        await give_up(carrier, random.random() * 0.006)
        assert await answer(carrier) == b"abcabcabc"
    await until(lambda: server.open <= 5, "lost connections to be closed")
    await carrier.close()
    await until(lambda: server.open == 0, "all connections to be closed")
    assert server.most <= 30
    await server.stop()


async def test_a_stream_goes_on_while_other_exchanges_are_cancelled() -> None:
    with Hostile(streams(*[b"x"] * 20, pause=0.05)) as hostile:
        carrier = carrier_async(hostile.host)
        exchange = await ask(carrier)
        for _ in range(3):
            doomed = asyncio.create_task(answer(carrier))
            await asyncio.sleep(0.01)
            doomed.cancel()
            await asyncio.gather(doomed, return_exceptions=True)
        assert await exchange.read_all(deadlines().reading()) == b"x" * 20
        await exchange.release()
        await carrier.close()
        await until(hostile.is_left, "all connections to end")


async def test_a_read_that_is_cancelled_twice_and_forgotten_ends_its_connection() -> None:
    with Hostile(silent_after(b"one")) as server:
        carrier = carrier_async(server.host)
        for moments in range(8):
            exchange = await ask(carrier)
            limit = deadlines().streaming()
            await exchange.read(limit)
            reading = asyncio.create_task(exchange.read(limit))
            await asyncio.sleep(0.01)
            reading.cancel()
            for _ in range(moments):
                await asyncio.sleep(0)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            del exchange, reading
        gc.collect()
        await until(server.is_left, "all connections to end")
        for _ in range(20):  # what ended at once is closed a little later
            await asyncio.sleep(0)
        await carrier.close()


async def test_a_release_that_is_cancelled_twice_is_done_to_its_end() -> None:
    begun, go_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    class Slow(Stream):
        async def aclose(self) -> None:
            begun.set()
            await go_on.wait()
            ended.set()

    carrier = carrier_async(
        "http://a.example",
        httpx.MockTransport(lambda request: httpx.Response(200, stream=Slow(b"a"))),
    )
    exchange = await ask(carrier)
    releasing = asyncio.create_task(exchange.release())
    await begun.wait()
    for _ in range(2):
        releasing.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await releasing
    go_on.set()
    await asyncio.wait_for(ended.wait(), 30)
    await carrier.close()


async def test_an_interrupt_of_a_sync_exchange_replaces_the_transport() -> None:
    class Signal(BaseException):
        pass

    class Broken(Pieces):
        @property
        def pieces(self) -> Iterator[bytes]:  # type: ignore[override]
            yield b"a"
            raise Signal

        @pieces.setter
        def pieces(self, value: object) -> None:
            pass

    with Hostile(stays) as server:
        carrier = carrier_sync(server.host)
        for _ in range(5):
            with pytest.raises(Signal):
                await ask(carrier, body=Broken())
            assert await answer(carrier)
        await carrier.close()
        gc.collect()
        await until(server.is_left, "all connections to end")
