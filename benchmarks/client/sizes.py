"""How much of everything is measured."""

from __future__ import annotations

import attrs

__all__ = ["FULL", "SMOKE", "Sizes"]


@attrs.frozen
class Sizes:
    """How much of everything is measured; the defaults are those of the report."""

    rounds: int = 9
    chunks: int = 20_000
    paced: int = 300
    calls: int = 200
    embeds: int = 3
    texts: int = 256
    dimensions: int = 768
    streams: int = 200
    crowd_rounds: int = 5
    tokens: int = 200
    programs: int = 11
    memories: int = 5
    many_texts: tuple[int, ...] = (10_000, 100_000)
    scale_rounds: int = 3
    scale_streams: tuple[int, ...] = (1, 10, 100, 300, 1_000)
    scale_texts: tuple[int, ...] = (1, 10, 100, 1_000, 10_000)
    scale_bytes: tuple[int, ...] = (10, 100, 1_000, 10_000, 100_000, 1_000_000)
    profiled: int = 20_000


FULL = Sizes()
SMOKE = Sizes(
    rounds=1,
    chunks=50,
    paced=10,
    calls=3,
    embeds=1,
    texts=4,
    dimensions=8,
    streams=4,
    crowd_rounds=1,
    tokens=40,
    programs=1,
    memories=1,
    many_texts=(100, 200),
    scale_rounds=1,
    scale_streams=(1, 3),
    scale_texts=(1, 3),
    scale_bytes=(10, 1_000),
    profiled=50,
)
