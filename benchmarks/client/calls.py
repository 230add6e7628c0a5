"""The CPU time of calls, one at a time, in one process. All figures are in seconds."""

from __future__ import annotations

import asyncio
import json
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import ollama

from manager import AsyncOllamaManager, OllamaManager
from manager.embedding_arrays import find_simdjson

from .place import MESSAGES, PACE, manager_settings, peer_settings
from .rounds import cpu_of, in_turn
from .without_simdjson import without_simdjson

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .rounds import Pair
    from .sizes import Sizes

__all__ = ["calls"]


def _count(items: Any) -> int:
    return sum(1 for _ in items)


def calls(url: str, sizes: Sizes, progress: Callable[[str], None]) -> dict[str, Pair]:
    """Measure streams, plain calls and embeddings.

    Args:
        url: The flood server.
        sizes: How much of each.
        progress: Is told what comes next.
    """
    found: dict[str, Pair] = {}
    texts = [f"The text number {number}, of no great length." for number in range(sizes.texts)]
    embedder = f"embed-{sizes.dimensions}"
    plain = httpx.Client(base_url=url)
    peer = ollama.Client(**peer_settings(url))
    with plain, OllamaManager(**manager_settings(url)) as m, asyncio.Runner() as runner:
        for key, model in (
            ("stream", f"flood-{sizes.chunks}-8"),
            ("paced", f"paced-{sizes.paced}-{PACE}"),
        ):
            progress(f"{key}, sync")
            found[f"{key}_sync"] = in_turn(
                sizes.rounds,
                cpu_of(lambda model=model: _count(m.chat(model, MESSAGES, stream=True))),
                cpu_of(lambda model=model: _count(peer.chat(model, MESSAGES, stream=True))),
            )
            progress(f"{key}, async")
            found[f"{key}_async"] = _async_streams(url, model, sizes, runner)

        def repeated(call: Callable[[], object], times: int) -> Callable[[], float]:
            def work() -> int:
                for _ in range(times):
                    call()
                return times

            return cpu_of(work)

        progress("round trips")
        found["round_trip_sync"] = in_turn(
            sizes.rounds,
            repeated(lambda: m.chat("m", MESSAGES), sizes.calls),
            repeated(lambda: peer.chat("m", MESSAGES), sizes.calls),
        )
        found["round_trip_async"] = _async_round_trips(url, sizes, runner)
        progress("embeddings")
        found["embed"] = in_turn(
            sizes.rounds,
            repeated(lambda: m.embed(embedder, texts), sizes.embeds),
            repeated(lambda: peer.embed(embedder, texts), sizes.embeds),
        )

        def by_hand() -> object:
            body = {"model": embedder, "input": texts}
            content = plain.post("/api/embed", json=body).content
            return np.array(json.loads(content)["embeddings"], dtype=np.float32)

        readings = {"embed_array": nullcontext(), "embed_array_plain": without_simdjson()}
        for key, reading in readings.items():
            if key == "embed_array" and find_simdjson() is None:
                continue
            with reading:
                found[key] = in_turn(
                    sizes.rounds,
                    repeated(lambda: m.embed_array(embedder, texts), sizes.embeds),
                    repeated(by_hand, sizes.embeds),
                )
    return found


def _async_streams(url: str, model: str, sizes: Sizes, runner: asyncio.Runner) -> Pair:
    manager = AsyncOllamaManager(**manager_settings(url))
    peer = ollama.AsyncClient(**peer_settings(url))

    async def ours() -> int:
        count = 0
        async for _ in await manager.chat(model, MESSAGES, stream=True):
            count += 1
        return count

    async def theirs() -> int:
        count = 0
        async for _ in await peer.chat(model, MESSAGES, stream=True):
            count += 1
        return count

    found = _async_pair(sizes.rounds, ours, theirs, runner)
    runner.run(manager.aclose())
    return found


def _async_round_trips(url: str, sizes: Sizes, runner: asyncio.Runner) -> Pair:
    manager = AsyncOllamaManager(**manager_settings(url))
    peer = ollama.AsyncClient(**peer_settings(url))

    async def ours() -> int:
        for _ in range(sizes.calls):
            await manager.chat("m", MESSAGES)
        return sizes.calls

    async def theirs() -> int:
        for _ in range(sizes.calls):
            await peer.chat("m", MESSAGES)
        return sizes.calls

    found = _async_pair(sizes.rounds, ours, theirs, runner)
    runner.run(manager.aclose())
    return found


def _async_pair(
    rounds: int,
    ours: Callable[[], Coroutine[Any, Any, int]],
    theirs: Callable[[], Coroutine[Any, Any, int]],
    runner: asyncio.Runner,
) -> Pair:
    return in_turn(rounds, cpu_of(lambda: runner.run(ours())), cpu_of(lambda: runner.run(theirs())))
