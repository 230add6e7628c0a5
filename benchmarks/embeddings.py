"""What reading the answer to an embed request costs, without HTTP: python -m benchmarks.embeddings

Each way takes turns with the standard library (``json``, then numpy for an array); CPU time.
"""

from __future__ import annotations

import argparse
import json
import random
from contextlib import nullcontext
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np
from ollama_api.models import EmbedResponse

from manager.embedding_arrays import decode_array, find_simdjson
from manager.embedding_lists import decode_lists

from .client.rounds import cpu_of, in_turn
from .client.tables import short_time
from .client.without_simdjson import without_simdjson

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

_NUMBERS = 200_000  # that a sample is of, at least: what takes microseconds is repeated


def _answer(texts: int, dimensions: int) -> bytes:
    chosen = random.Random(1)
    vectors = [
        [round(chosen.uniform(-0.2, 0.2), 9) for _ in range(dimensions)] for _ in range(texts)
    ]
    answer = {"model": "m", "embeddings": vectors, "total_duration": 1, "prompt_eval_count": 9}
    return json.dumps(answer, separators=(",", ":")).encode()


class _Way(NamedTuple):
    name: str
    ours: Callable[[], object]
    theirs: Callable[[], object]
    during: AbstractContextManager[None] = nullcontext()


def _ways(content: bytes) -> list[_Way]:
    def one_by_one() -> object:
        return EmbedResponse.from_dict(msgspec.json.decode(content))

    def lists() -> object:
        return decode_lists(content)

    def array() -> object:
        return decode_array(content)

    def json_lists() -> object:
        return json.loads(content)

    def json_array() -> object:
        return np.array(json.loads(content)["embeddings"], dtype=np.float32)

    ways = [
        _Way("lists, parsed and then checked", one_by_one, json_lists),
        _Way("lists, as `embed` reads them", lists, json_lists),
        _Way("`embed_array` without pysimdjson", array, json_array, without_simdjson()),
    ]
    if find_simdjson() is not None:
        ways.append(_Way("`embed_array` with pysimdjson", array, json_array))
    return ways


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=256)
    parser.add_argument("--dimensions", type=int, default=768)
    parser.add_argument("--rounds", type=int, default=21)
    settings = parser.parse_args()
    times = -(-_NUMBERS // (settings.texts * settings.dimensions))
    print("| what is read | `json`, numpy | this | ratio |\n|---|---:|---:|---|")
    for way in _ways(_answer(settings.texts, settings.dimensions)):

        def repeated(work: Callable[[], object]) -> Callable[[], float]:
            def pieces() -> int:
                for _ in range(times):
                    work()
                return times

            return cpu_of(pieces)

        with way.during:
            pair = in_turn(settings.rounds, repeated(way.ours), repeated(way.theirs))
        ratios = pair.ratios
        print(
            f"| {way.name} | {short_time(median(pair.theirs))} | {short_time(median(pair.ours))} |"
            f" **{pair.ratio:.2f}x** ({ratios[0]:.2f} to {ratios[-1]:.2f}) |"
        )


if __name__ == "__main__":
    main()
