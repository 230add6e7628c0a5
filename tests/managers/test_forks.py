"""A program that forks: what the child does with what it has of its parent harms nobody."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .either import PATIENCE, until
from .hostile_server import Hostile, stays
from .tls_servers import CA, TlsServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from manager.simulator.process import SimulatedServer

PROGRAM = str(Path(__file__).with_name("forking_program.py"))
ACTS = ("close_manager", "use_and_close", "close_stream", "drop", "leave", "read", "exit")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")


@asynccontextmanager
async def playing(
    kind: str, *acts: str, **settings: Any
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the program."""
    about = {"acts": acts, "kind": kind, "settings": settings}
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, PROGRAM, json.dumps(about)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield program
    finally:
        if program.returncode is None:
            program.kill()
            await program.communicate()


async def play(kind: str, *acts: str, **settings: Any) -> list[dict[str, Any]]:
    """Run the program, and return what it says of each act."""
    async with playing(kind, *acts, **settings) as program:
        output, errors = await asyncio.wait_for(program.communicate(), 2 * PATIENCE)
    assert not errors, errors.decode()
    assert program.returncode == 0
    return [json.loads(line) for line in output.splitlines()]


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_child_leaves_its_parents_stream_alone(
    kind: str, slow_server: SimulatedServer
) -> None:
    said = await play(kind, *ACTS, host=slow_server.host)
    unharmed = {"child": 0, "done": True}
    assert dict(zip(ACTS, said, strict=True)) == dict.fromkeys(ACTS, unharmed)


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_child_is_not_held_up_by_a_thread_of_its_parent(
    kind: str, slow_server: SimulatedServer
) -> None:
    assert await play(kind, "locked", host=slow_server.host) == [{"child": 0, "done": True}]


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_restart_does_not_wait_for_a_child_with_a_stream_of_its_parent(
    kind: str, managed: dict[str, Any]
) -> None:
    (said,) = await play(kind, "stay", **managed, drain_timeout=20)
    assert said["seconds"] < 15


@pytest.fixture(params=["http", "https"])
def idle(request: pytest.FixtureRequest) -> Iterator[tuple[Hostile, dict[str, Any]]]:
    """A server that keeps connections, and the settings of its managers."""
    if request.param == "http":
        with Hostile(stays) as server:
            yield server, {"host": server.host}
    else:
        with TlsServer(stays) as tls:
            yield tls, {"host": f"https://127.0.0.1:{tls.port}/x", "verify": CA}


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_child_makes_connections_of_its_own(
    kind: str, idle: tuple[Hostile, dict[str, Any]]
) -> None:
    server, settings = idle
    assert await play(kind, "call", **settings) == [{"child": 0}]
    assert (len(server.requests), server.accepted) == (4, 2)


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_parent_ends_its_connection_though_a_child_has_it_too(
    kind: str, idle: tuple[Hostile, dict[str, Any]]
) -> None:
    server, settings = idle
    async with playing(kind, "outlive", **settings) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        reading = program.stdout.readline()
        assert json.loads(await asyncio.wait_for(reading, PATIENCE)) == {"closed": True}
        assert server.accepted == 1
        await until(lambda: server.ended == 1, "the connection to end")
        program.stdin.write(b"\n")
        assert json.loads(await program.stdout.readline()) == {"child": 0}
