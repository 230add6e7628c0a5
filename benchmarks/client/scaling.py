"""Whether an item costs the same however many there are. All figures are in CPU seconds."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import ollama

from manager import AsyncOllamaManager, OllamaManager

from .crowds import run_crowd
from .place import MESSAGES, manager_settings, peer_settings
from .rounds import cpu_of, in_turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from .rounds import Pair
    from .sizes import Sizes

__all__ = ["scaling"]

_TOKENS = 100
_DIMENSIONS = 64
_LEAST_STREAMS = 100  # so many in a sample, one after another where need be
_LEAST_TEXTS = 300
_MOST_BYTES = 16_000_000
_LEAST_CHUNKS, _MOST_CHUNKS = 8, 20_000


def scaling(url: str, sizes: Sizes, progress: Callable[[str], None]) -> dict[str, dict[int, Pair]]:
    """Measure the cost of a stream, of a text and of a chunk as there is more of it."""
    found: dict[str, dict[int, Pair]] = {"streams": {}, "texts": {}, "bytes": {}}
    for number in sizes.scale_streams:
        progress(f"{number:,} streams at once")
        found["streams"][number] = _streams(url, number, sizes.scale_rounds)
    peer = ollama.Client(**peer_settings(url))
    with OllamaManager(**manager_settings(url)) as m:
        for number in sizes.scale_texts:
            progress(f"{number:,} texts")
            texts = [f"text {index}" for index in range(number)]
            times = max(1, _LEAST_TEXTS // number)
            found["texts"][number] = in_turn(
                sizes.scale_rounds,
                cpu_of(partial(_embed, m, texts, times)),
                cpu_of(partial(_embed, peer, texts, times)),
            )
        for number in sizes.scale_bytes:
            progress(f"chunks of {number:,} bytes")
            count = max(_LEAST_CHUNKS, min(_MOST_CHUNKS, _MOST_BYTES // (number + 100)))
            count = min(count, sizes.chunks)
            model = f"flood-{count}-{number}"
            found["bytes"][number] = in_turn(
                sizes.scale_rounds,
                cpu_of(partial(_read, m, model)),
                cpu_of(partial(_read, peer, model)),
            )
    return found


def _embed(client: Any, texts: list[str], times: int) -> int:
    for _ in range(times):
        answer = client.embed(f"embed-{_DIMENSIONS}", texts)
        assert len(answer.embeddings) == len(texts)
    return times * len(texts)


def _read(client: Any, model: str) -> int:
    return sum(1 for _ in client.chat(model, MESSAGES, stream=True))


def _streams(url: str, number: int, rounds: int) -> Pair:
    manager = AsyncOllamaManager(**manager_settings(url))
    peer = ollama.AsyncClient(**peer_settings(url))
    times = max(1, _LEAST_STREAMS // number)

    def read(client: Any) -> int:
        async def open_stream() -> Any:
            return await client.chat(f"pieces-{_TOKENS}", MESSAGES, stream=True)

        for _ in range(times):
            runner.run(run_crowd(open_stream, number, _TOKENS))
        return times * number

    with asyncio.Runner() as runner:
        pair = in_turn(rounds, cpu_of(partial(read, manager)), cpu_of(partial(read, peer)))
        runner.run(manager.aclose())
    return pair
