"""Many async streams at once: the time until the last has ended, and the gaps between chunks."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Any

import ollama

from manager import AsyncOllamaManager

from .place import MESSAGES, manager_settings, peer_settings
from .rounds import Pair, in_turn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from .sizes import Sizes

__all__ = ["crowds", "run_crowd"]

OpenStream = "Callable[[], Awaitable[AsyncIterator[Any]]]"


async def run_crowd(
    open_stream: Callable[[], Awaitable[AsyncIterator[Any]]], streams: int, tokens: int
) -> list[float]:
    """Read streams to their ends, all at once; return the gaps between chunks in seconds."""
    gaps: list[float] = []
    now = time.perf_counter

    async def read() -> None:
        stream = await open_stream()
        count, last = 0, 0.0
        async for _ in stream:
            came = now()
            if count:
                gaps.append(came - last)
            last, count = came, count + 1
        assert count == tokens, f"{count} of {tokens}"

    await asyncio.gather(*(read() for _ in range(streams)))
    return gaps


def crowds(url: str, sizes: Sizes) -> dict[str, Pair]:
    """Measure total wall time, CPU time and the p99 gap."""
    model = f"pieces-{sizes.tokens}"
    found = {"crowd_wall": Pair(), "crowd_cpu": Pair(), "crowd_gap": Pair()}
    manager = AsyncOllamaManager(**manager_settings(url))
    peer = ollama.AsyncClient(**peer_settings(url))
    measured: dict[str, list[float]] = {}

    def measure(side: str, client: Any) -> float:
        async def open_stream() -> Any:
            return await client.chat(model, MESSAGES, stream=True)

        cpu, began = time.process_time(), time.perf_counter()
        gaps = runner.run(run_crowd(open_stream, sizes.streams, sizes.tokens))
        wall = time.perf_counter() - began
        gaps.sort()
        values = [wall, time.process_time() - cpu, gaps[math.ceil(0.99 * len(gaps)) - 1]]
        measured[side] = values
        return wall

    with asyncio.Runner() as runner:

        def one(side: str, client: Any) -> float:
            wall = measure(side, client)
            if len(measured) == 2:
                for key, ours, theirs in zip(
                    found, measured["ours"], measured["theirs"], strict=True
                ):
                    found[key].ours.append(ours)
                    found[key].theirs.append(theirs)
                measured.clear()
            return wall

        one("ours", manager), one("theirs", peer)  # warm
        for pair in found.values():
            pair.ours.clear(), pair.theirs.clear()
        in_turn(
            sizes.crowd_rounds,
            lambda: one("ours", manager),
            lambda: one("theirs", peer),
            warm=False,
        )
        runner.run(manager.aclose())
    return found
