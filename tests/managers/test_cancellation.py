"""A task that is cancelled loses nothing at any moment: no slot, descriptor, count or task."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import ssl
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from manager import AsyncOllamaManager

from .either import PATIENCE, pool_of, slots_of
from .hostile_server import LAST, chat_line
from .tls_servers import CA, CERTIFICATES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from manager.simulator.process import SimulatedServer

    Work = Callable[[Any], Coroutine[Any, Any, None]]

ROUNDS = 30
CONNECTIONS = 8
# More steps of the event loop than a call takes, of the kinds below.
MOST_STEPS = 400
LOOPS = ["asyncio", "uvloop"] if sys.platform != "win32" else ["asyncio"]


def run(loop: str, main: Coroutine[Any, Any, None]) -> None:
    factory = pytest.importorskip("uvloop").new_event_loop if loop == "uvloop" else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(asyncio.wait_for(main, 2 * PATIENCE))


def tls_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "server.pem")
    return context


class Answers:
    """A server on the event loop of its client, so that a step of the one is a step of the other.

    Args:
        keeps: Whether a connection takes another request.
        tls: Whether it speaks TLS.
    """

    def __init__(self, *, keeps: bool, tls: bool) -> None:
        self._keeps = keeps
        self._context = tls_context() if tls else None
        self.settings = {"verify": CA} if tls else {}
        self.host = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        scheme = "https" if self._context else "http"
        self.host = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
        async with server:
            yield

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                body = await reader.readexactly(int(length))
                await self._answer(writer, is_stream=b'"stream":true' in body)
                if not self._keeps:
                    break
        writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, *, is_stream: bool) -> None:
        last = b"" if self._keeps else b"Connection: close\r\n"
        if is_stream:
            writer.write(b"HTTP/1.1 200 OK\r\n%sTransfer-Encoding: chunked\r\n\r\n" % last)
            for line in (chat_line("a"), chat_line("b"), LAST):
                await asyncio.sleep(0)  # each in a piece of its own
                writer.write(b"%x\r\n%s\r\n" % (len(line), line))
            writer.write(b"0\r\n\r\n")
        else:
            line = chat_line("fine", done=True, done_reason="stop")
            head = b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n" % (last, len(line))
            writer.write(head)
            await asyncio.sleep(0)
            writer.write(line)
        await writer.drain()


async def chat(m: Any) -> None:
    assert (await m.chat("simulated", "write 3 words", think=False)).done


async def stream(m: Any) -> None:
    async with await m.chat("simulated", "write 3 words", stream=True, think=False) as answer:
        async for _ in answer:
            pass


async def stream_without_with(m: Any) -> None:
    assert (await (await m.chat("simulated", "write 3 words", stream=True)).final()).done


async def embed_many(m: Any) -> None:
    vectors = m.embed_many("simulated-embed", ["a", "b", "c", "d"], batch_size=1, concurrency=2)
    async with vectors:
        assert len([vector async for vector in vectors]) == 4


def sockets() -> int:
    """How many sockets this process has; an event loop may have other descriptors of its own."""
    found = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
    return found


@asynccontextmanager
async def losing_nothing(host: str, **settings: Any) -> AsyncIterator[Any]:
    """A manager of which all that the test does to it leaves nothing behind."""
    gc.collect()
    before, tasks = sockets(), asyncio.all_tasks()
    async with AsyncOllamaManager(host=host, max_connections=CONNECTIONS, **settings) as m:
        yield m
        # as many at once as there may be: each slot is there
        await asyncio.gather(*(chat(m) for _ in range(CONNECTIONS)))
        await steady(lambda: m._session.transport._in_flight.count(), 0, "in flight")
        await steady(lambda: len(slots_of(m)._granted), 0, "slots")
        if (pool := pool_of(m)) is not None:
            await steady(lambda: pool.open_count - pool.idle_count, 0, "open connections")
    await steady(lambda: len(asyncio.all_tasks() - tasks), 0, "tasks")
    await steady(sockets, before, "sockets")
    gc.collect()  # which complains of what was not closed


async def steady(count: Callable[[], int], wanted: int, what: str) -> None:
    """Wait until there are as many as there were; the event loop may be about to end some."""
    deadline = time.monotonic() + PATIENCE
    while (found := count()) != wanted:
        assert time.monotonic() < deadline, f"{found} {what}, not {wanted}"
        gc.collect()
        await asyncio.sleep(0.01)


async def group(m: Any, work: Work, seconds: float) -> None:
    """Five at once, in a group whose body fails."""

    async def fail() -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(5):
                tasks.create_task(work(m))
            await asyncio.sleep(seconds)
            raise LookupError

    with pytest.raises(ExceptionGroup):
        await fail()


async def wait_for(m: Any, work: Work, seconds: float) -> None:
    outcomes = await asyncio.gather(
        *(asyncio.wait_for(work(m), seconds) for _ in range(5)), return_exceptions=True
    )
    assert {type(outcome) for outcome in outcomes} <= {type(None), TimeoutError}


async def timeout(m: Any, work: Work, seconds: float) -> None:
    async def one() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await work(m)

    await asyncio.gather(*(one() for _ in range(5)))


async def twice(m: Any, work: Work, seconds: float) -> None:
    tasks = [asyncio.ensure_future(work(m)) for _ in range(5)]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("work", [chat, stream, stream_without_with, embed_many])
@pytest.mark.parametrize("how", [group, wait_for, timeout, twice])
@pytest.mark.usefixtures("each_transport")
def test_at_random_moments(
    loop: str,
    work: Work,
    how: Callable[..., Coroutine[Any, Any, None]],
    server: SimulatedServer,
) -> None:
    async def main() -> None:
        chosen = random.Random(f"{loop} {how.__name__} {work.__name__}")
        async with losing_nothing(server.host) as m:
            for _ in range(ROUNDS):
                await how(m, work, chosen.uniform(0, 0.006))

    run(loop, main())


KINDS = ["kept", "not kept", "tls"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("work", [chat, stream])
def test_at_each_step(loop: str, work: Work, kind: str) -> None:
    async def main() -> None:
        answers = Answers(keeps=kind != "not kept", tls=kind == "tls")
        async with answers.running(), losing_nothing(answers.host, **answers.settings) as m:
            for again_after in (None, 0, 1, 2, 3):
                assert await cancel_at_each_step(lambda: work(m), again_after) > 3

    run(loop, main())


async def cancel_at_each_step(work: Callable[[], Any], again_after: int | None) -> int:
    """Cancel the work after each number of steps of the event loop; return that of the longest."""
    for steps in range(MOST_STEPS):
        task = asyncio.ensure_future(work())
        for _ in range(steps):
            await asyncio.sleep(0)
        if task.done():
            await task
            return steps
        task.cancel()
        if again_after is not None:
            for _ in range(again_after):
                await asyncio.sleep(0)
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    raise AssertionError(f"a call takes more than {MOST_STEPS} steps")
