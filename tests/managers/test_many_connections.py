"""Many connections at once: what a request costs does not grow with them, and all are usable."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import manager._async.network
import manager._sync.network

from .either import PATIENCE, pool_of, until

if TYPE_CHECKING:
    from manager.simulator.process import SimulatedServer

    from .either import Make

MANY = 30


async def open_many(m: Any) -> None:
    """Have as many connections as streams, all of them idle at the end."""
    streams = await asyncio.gather(
        *(m.chat("simulated", "write 5 words", stream=True) for _ in range(MANY))
    )
    await asyncio.gather(*(stream.final() for stream in streams))


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What connections were asked about themselves."""
    asked: list[str] = []
    for stream in (
        manager._async.network.AsyncJoiningStream,
        manager._sync.network.JoiningStream,
    ):

        def ask(self: Any, info: str, plain: Any = stream.get_extra_info) -> Any:
            asked.append(info)
            return plain(self, info)

        monkeypatch.setattr(stream, "get_extra_info", ask)
    return asked


async def test_idle_connections_are_not_looked_at_for_each_request(
    make: Make, server: SimulatedServer, looks: list[str]
) -> None:
    async with make(host=server.host, max_keepalive=MANY) as m:
        await open_many(m)
        looks.clear()
        for _ in range(10):
            await m.version()
        # each of them, at the begin and the end of each request, would be 600
        assert 10 <= looks.count("is_readable") < 10 * MANY


async def test_no_more_idle_connections_are_kept_than_wanted(
    make: Make, server: SimulatedServer
) -> None:
    async with make(host=server.host, max_keepalive=3) as m:
        await open_many(m)
        for _ in range(MANY + 5):
            await m.version()
        pool = pool_of(m)
        assert len(pool.connections) <= 3


async def test_a_request_waits_for_a_connection(make: Make, server: SimulatedServer) -> None:
    async with make(host=server.host, max_connections=2) as m:
        async with asyncio.timeout(PATIENCE):
            versions = await asyncio.gather(*(m.version() for _ in range(10)))
        assert len(set(versions)) == 1
        pool = pool_of(m)
        assert len(pool.connections) <= 2
        await until(lambda: all(connection.is_idle() for connection in pool.connections))
