"""How soon a saved configuration file is in force: ``python -m benchmarks.reload [--saves N]``.

Saves by rename, as most editors do, with more than a second in between, so that each is the first
one after a pause. A server that runs is the simulator, unless OLLAMA_MANAGER_BINARY or PATH names
an `ollama`. Prints a table and writes it into docs/performance.md.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import json
import math
import os
import platform
import queue
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from manager import AsyncOllamaManager, OllamaManager

from .program import find_program, name_of, private_place
from .report import PAGE, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from .program import Place

_PAUSE_SECONDS = 1.1
_PATIENCE_SECONDS = 60.0


class _File:
    """The configuration file of one server."""

    def __init__(self, place: Place) -> None:
        self.path = Path(place.home) / "own.toml"
        self._head = f'[server]\nhost = "{place.host}"\nbinary = {json.dumps(place.words)}\n'
        self._head += f"models = {json.dumps(place.settings['models'])}\n"
        self.save("")

    def save(self, rest: str) -> float:
        """Save the file; returns when that began."""
        new = self.path.with_suffix(".new")
        began = time.perf_counter()
        new.write_text(self._head + rest)
        new.replace(self.path)
        return began


def _measure(m: Any, file: _File, contents: Callable[[int], str], saves: int) -> list[float]:
    heard: queue.Queue[float] = queue.Queue()
    m.events.subscribe(lambda _: heard.put(time.perf_counter()), "config.reloaded")
    taken: list[float] = []
    time.sleep(2 * _PAUSE_SECONDS)  # the file is watched by events from then on
    for number in range(1, saves + 1):
        began = file.save(contents(number))
        taken.append(heard.get(timeout=_PATIENCE_SECONDS) - began)
        time.sleep(_PAUSE_SECONDS)
    return taken


def _sync(words: list[str], contents: Callable[[int], str], saves: int) -> list[float]:
    with private_place(words) as place:
        file = _File(place)
        with OllamaManager(config_file=file.path) as m:
            m.start_server()
            return _measure(m, file, contents, saves)


def _async(words: list[str], contents: Callable[[int], str], saves: int) -> list[float]:
    async def run(place: Place) -> list[float]:
        file = _File(place)
        async with AsyncOllamaManager(config_file=file.path) as m:
            await m.start_server()
            return await asyncio.to_thread(_measure, m, file, contents, saves)

    with private_place(words) as place:
        return asyncio.run(run(place))


def _client(number: int) -> str:
    return f"[client]\nchunk_timeout = {60 + number}\n"


def _server(number: int) -> str:
    return f'keep_alive = "{number}m"\n'


def _storm(words: list[str], files: int) -> float:
    """The share of a core that a watcher takes while others write into its folder."""
    with private_place(words) as place:
        file = _File(place)
        with OllamaManager(config_file=file.path) as m:
            m.events.subscribe(lambda _: None, "config.reloaded")
            time.sleep(2 * _PAUSE_SECONDS)
            folder = file.path.parent
            writing = "import sys, pathlib\nfor n in range(int(sys.argv[2])):\n"
            writing += " pathlib.Path(sys.argv[1], f'other-{n % 50}').write_text('x')"
            before = time.process_time()
            subprocess.run([sys.executable, "-c", writing, str(folder), str(files)], check=True)
            time.sleep(0.2)
            return (time.process_time() - before) / files


def _row(label: str, values: list[float], wanted: str = "") -> str:
    p99 = sorted(values)[math.ceil(0.99 * len(values)) - 1]
    cells = [f"{seconds * 1e3:.0f} ms" for seconds in (min(values), median(values), p99)]
    return f"| {label} | {len(values)} | {' | '.join(cells)} | {wanted} |"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.reload",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--saves", type=int, default=20, help="how many of each kind")
    parser.add_argument("--no-write", action="store_true", help="print only")
    args = parser.parse_args()
    words = find_program()
    name = name_of(words)
    rows = [
        _row("`[client]`, sync", _sync(words, _client, args.saves), "median < 300 ms"),
        _row("`[client]`, async", _async(words, _client, args.saves), "median < 300 ms"),
        _row("`[server]`: until the new server is ready", _sync(words, _server, args.saves)),
    ]
    storm = _storm(words, 5000)
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    made = (
        f"`python -m benchmarks.reload --saves {args.saves}` on {dt.datetime.now(dt.UTC):%Y-%m-%d};"
        f" {machine}, Python {platform.python_version()}."
    )
    about = (
        "From the save until a listener hears `config.reloaded`; 50 ms of it is the wait for an"
        " editor that writes in several steps."
    )
    others = (
        f"Another file that is written in the same folder costs {storm * 1e6:.0f} us of processor"
        " time; the configuration is not read for it."
    )
    head = "| what is changed | saves | fastest | median | p99 | wanted |"
    rule = "|---|---:|---:|---:|---:|---|"
    title = f"## A saved configuration, with {name}"
    section = "\n".join([title, "", made, "", about, "", head, rule, *rows, "", others])
    print(section)
    if not args.no_write:
        write(f"reload, {name}", section)
        print(f"\nwritten to {PAGE.relative_to(PAGE.parents[1])}")


if __name__ == "__main__":
    main()
