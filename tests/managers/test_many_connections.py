"""Many connections at once: what a request costs does not grow with them, and all are usable."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from manager.transport._async.connection import AsyncConnection
from manager.transport._sync.connection import Connection

from .either import PATIENCE, pool_of, until

if TYPE_CHECKING:
    import pytest

    from manager.simulator.process import SimulatedServer

    from .either import Make

MANY = 30


async def open_many(m: Any) -> None:
    """Have as many connections as streams, all of them idle at the end."""
    streams = await asyncio.gather(
        *(m.chat("simulated", "write 5 words", stream=True) for _ in range(MANY))
    )
    await asyncio.gather(*(stream.final() for stream in streams))


async def test_idle_connections_are_not_looked_at_for_each_request(
    make: Make, server: SimulatedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[object] = []
    for kind in (AsyncConnection, Connection):

        def look(self: Any, plain: Any = kind.is_usable) -> Any:
            looks.append(self)
            return plain(self)

        monkeypatch.setattr(kind, "is_usable", look)
    async with make(host=server.host, max_keepalive=MANY) as m:
        await open_many(m)
        looks.clear()
        for _ in range(10):
            await m.version()
        assert len(looks) == 10, "one for each request"


async def test_no_more_idle_connections_are_kept_than_wanted(
    make: Make, server: SimulatedServer
) -> None:
    async with make(host=server.host, max_keepalive=3) as m:
        await open_many(m)
        for _ in range(MANY + 5):
            await m.version()
        pool = pool_of(m)
        assert pool.open_count <= 3


async def test_a_request_waits_for_a_connection(make: Make, server: SimulatedServer) -> None:
    async with make(host=server.host, max_connections=2) as m:
        async with asyncio.timeout(PATIENCE):
            versions = await asyncio.gather(*(m.version() for _ in range(10)))
        assert len(set(versions)) == 1
        pool = pool_of(m)
        assert pool.open_count <= 2
        await until(lambda: pool.idle_count == pool.open_count)
