"""Exceptions from signal handlers, at any moment: they come out, and nothing is lost by them."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .either import PATIENCE, until
from .hostile_server import Hostile, chat_line, silent_after, stays

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator

    from manager.simulator.process import SimulatedServer

    from .hostile_server import Exchange

HERE = Path(__file__).parent
ROUNDS = 1500

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGALRM")


@asynccontextmanager
async def program(name: str, **about: Any) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(HERE / name), json.dumps(about)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def interrupted(server: SimulatedServer, works: list[str], threads: int) -> dict[str, Any]:
    """Run the program and return what came of it."""
    about = {
        "host": server.host,
        "works": works,
        "rounds": ROUNDS,
        "seed": f"{works} {threads}",
        "threads": threads,
        "connections": 2 if threads else 4,
    }
    async with program("interrupted_program.py", **about) as process:
        output, errors = await asyncio.wait_for(process.communicate(), 3 * PATIENCE)
    assert not errors, errors.decode()
    found: dict[str, Any] = json.loads(output)
    assert found["others"] == {}, "an interruption is no other error"
    assert found["raised"] == found["came_out"] + found["swallowed"]
    assert found["raised"] > ROUNDS / 10
    assert found["lost"] == [0, 0, 0, 0], "descriptors, slots, requests in flight, threads"
    return found


@pytest.mark.parametrize("threads", [0, 3])
async def test_calls_and_streams(server: SimulatedServer, threads: int) -> None:
    found = await interrupted(server, ["call", "stream"], threads)
    assert found["swallowed"] == 0


@pytest.mark.parametrize("work", ["leave", "forget"])
async def test_streams_that_are_not_read_to_the_end(server: SimulatedServer, work: str) -> None:
    found = await interrupted(server, [work], 3)
    # What the garbage collector calls when nobody holds a connection or a stream any more cannot
    # raise. That is little code, but for a stream that nobody has closed.
    assert found["swallowed"] <= found["raised"] / (3 if work == "forget" else 50)


def silent(exchange: Exchange) -> None:
    assert exchange.read(1) == b"", "the client has ended the connection"


@pytest.mark.parametrize("act", ["chat", "stream"])
@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_ctrl_c_ends_a_blocked_read(kind: str, act: str) -> None:
    first = silent if act == "chat" else silent_after(chat_line("a"))
    with Hostile(first, stays) as server:
        async with program("blocked_program.py", host=server.host, kind=kind, act=act) as process:
            assert process.stdout is not None

            async def said() -> Any:
                assert process.stdout is not None
                return json.loads(await asyncio.wait_for(process.stdout.readline(), PATIENCE))

            assert await said() == {"waits": act}
            await until(lambda: server.requests, "the request")
            process.send_signal(signal.SIGINT)
            assert await said() == {"interrupted": True}
            assert "answer" in await said()
            await until(lambda: server.ended, "the connection to end")
            _, errors = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert (process.returncode, errors) == (0, b"")
