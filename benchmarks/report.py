"""The figures as Markdown tables, and their place in docs/performance.md."""

from __future__ import annotations

import datetime as dt
import math
import os
import platform
import re
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["PAGE", "render", "write"]

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"


def _time(seconds: float) -> str:
    if abs(seconds) < 1e-4:
        return f"{seconds * 1e6:.2f} us"
    return f"{seconds * 1e3:.1f} ms"


def _share(value: float) -> str:
    return f"{value:.4%} of a core"


def _memory(size: float) -> str:
    return f"{size / 1e6:.1f} MB"


class _Row(NamedTuple):
    label: str
    wanted: str = ""
    shown: Callable[[float], str] = _time


_ROWS = {
    "bare": _Row("`ollama serve` alone: spawn to first HTTP 200"),
    "start": _Row("`start_server()`, nothing there yet"),
    "own": _Row("the manager's own share of that", "median < 60 ms"),
    "join": _Row("`start_server()` of a second manager", "< 5 ms"),
    "close": _Row("last `close()`: the server stopped"),
    "status": _Row("`status()`", "< 50 us"),
    "import": _Row("`from manager import OllamaManager`"),
    "import_manager": _Row("`import manager`"),
    "exit": _Row("SIGKILL of the server, until the process is gone"),
    "crash_from_exit": _Row(
        "from there until a listener hears `server.crashed`", "median < 5 ms, p99 < 50 ms"
    ),
    "crash_from_kill": _Row("the two together"),
    "ready_again": _Row("SIGKILL of the server, until `server.ready`"),
    "idle_cpu": _Row("the idle supervisor", "< 0.1 % of a core", _share),
    "idle_rss": _Row("its resident memory", "< 25 MB", _memory),
    "idle_pss": _Row("its proportional memory: shared pages in part", "", _memory),
}
_CROWD_COLUMNS = {
    "join": "one more joins",
    "leave": "it leaves",
    "first_heard": "a crash is heard by the first",
    "last_heard": "and by the last",
}


def render(
    name: str,
    arguments: str,
    figures: Mapping[str, Sequence[float]],
    crowds: Mapping[int, Mapping[str, Sequence[float]]],
) -> str:
    """Return one section: a line on how it was made, and the tables.

    Args:
        name: The program that was measured.
        arguments: Of the command that measured it.
        figures: The samples, by the keys of the rows; a figure without samples is left out.
        crowds: The samples in seconds, by the number of managers and the keys of the columns.
    """
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    made = (
        f"`python -m benchmarks{arguments}` on {dt.datetime.now(dt.UTC):%Y-%m-%d}; {machine},"
        f" Python {platform.python_version()}."
    )
    lines = [
        f"### {name}",
        "",
        made,
        "",
        "| what | samples | fastest | median | p99 | wanted |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for key, row in _ROWS.items():
        if values := figures.get(key):
            cells = [row.shown(median(values))]
            if len(values) > 1:
                cells = [row.shown(min(values)), *cells, row.shown(_p99(values))]
            else:
                cells = ["", *cells, ""]
            lines.append(f"| {row.label} | {len(values)} | {' | '.join(cells)} | {row.wanted} |")
    lines += [
        "",
        f"| managers that hold a lease | {' | '.join(_CROWD_COLUMNS.values())} |",
        f"|---:{'|---:' * len(_CROWD_COLUMNS)}|",
    ]
    for size, taken in crowds.items():
        cells = [_time(median(taken[key])) for key in _CROWD_COLUMNS]
        lines.append(f"| {size} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _p99(values: Sequence[float]) -> float:
    """By nearest rank: of fewer than 100 samples the largest."""
    return sorted(values)[math.ceil(0.99 * len(values)) - 1]


def write(name: str, section: str, page: Path = PAGE) -> None:
    """Put a section between its markers; a program that has none gets them at the end."""
    begin, end = f"<!-- measured: {name} -->", "<!-- end -->"
    block = f"{begin}\n{section}\n{end}"
    text = page.read_text(encoding="utf-8")
    pattern = re.escape(begin) + r"\n.*?" + re.escape(end)
    if re.search(pattern, text, re.DOTALL):
        text = re.sub(pattern, lambda _: block, text, flags=re.DOTALL)
    else:
        text = f"{text.rstrip()}\n\n{block}\n"
    page.write_text(text, encoding="utf-8")
