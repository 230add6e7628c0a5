"""The async manager on another event loop, whose sockets can only be looked at."""

from __future__ import annotations

import asyncio
import gc
import sys
from typing import TYPE_CHECKING, Any

import pytest

from manager import AsyncOllamaManager, RequestTimeoutError, Timeouts

from .either import is_alive, until

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from manager.simulator.process import SimulatedServer

if sys.platform == "win32":
    pytest.skip("there is no uvloop", allow_module_level=True)
uvloop = pytest.importorskip("uvloop")

ENDLESS: dict[str, Any] = {"stream": True, "think": False}
LONG = "write 20000 words"


def run(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(main, 60))


async def idle(m: AsyncOllamaManager) -> None:
    """Wait until the server answers somebody else: it has one slot."""
    assert (await m.chat("simulated", "hello", timeout=30)).done


def test_streams(slow_server: SimulatedServer) -> None:
    async def main() -> None:
        async with AsyncOllamaManager(host=slow_server.host) as m:
            stream = await m.chat("simulated", "write 20 words", **ENDLESS)
            assert (await stream.final()).done

    run(main())


def test_closing_a_stream_that_is_being_read(slow_server: SimulatedServer) -> None:
    async def main() -> None:
        async with AsyncOllamaManager(host=slow_server.host) as m:
            stream = await m.chat("simulated", LONG, **ENDLESS)
            await anext(stream)
            reader = asyncio.ensure_future(collect(stream))
            await asyncio.sleep(0)
            await stream.close()
            assert await reader
            await idle(m)

    async def collect(stream: Any) -> bool:
        async for _ in stream:
            pass
        return True

    run(main())


def test_a_stream_that_is_dropped(
    slow_server: SimulatedServer, capfd: pytest.CaptureFixture[str]
) -> None:
    async def main() -> None:
        async with AsyncOllamaManager(host=slow_server.host) as m:
            stream = await m.chat("simulated", LONG, **ENDLESS)
            await anext(stream)
            del stream
            gc.collect()
            await idle(m)

    run(main())
    assert "Traceback" not in capfd.readouterr().err


def test_a_task_that_is_cancelled(slow_server: SimulatedServer) -> None:
    async def main() -> None:
        async with AsyncOllamaManager(host=slow_server.host) as m:
            stream = await m.chat("simulated", LONG, **ENDLESS)
            reader = asyncio.ensure_future(stream.final())
            await until(lambda: stream.partial)
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader
            await idle(m)

    run(main())


def test_a_total_limit_ends_a_stream(slow_server: SimulatedServer) -> None:
    async def main() -> None:
        async with AsyncOllamaManager(host=slow_server.host) as m:
            stream = await m.chat("simulated", LONG, **ENDLESS, timeout=Timeouts(total=1.0))
            with pytest.raises(RequestTimeoutError):
                await stream.final()
            await idle(m)

    run(main())


def test_the_lease_ends_with_the_manager(managed: dict[str, Any]) -> None:
    async def main() -> None:
        m = AsyncOllamaManager(**managed)
        stream = await m.chat("simulated", LONG, **ENDLESS)
        await anext(stream)
        pid = m.status().pid
        assert pid is not None
        await m.aclose()
        assert not is_alive(pid)

    run(main())
