"""The figures as a Markdown table, and their place in docs/performance.md."""

from __future__ import annotations

import datetime as dt
import os
import platform
import re
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["PAGE", "render", "write"]

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
ROWS = {
    "bare": "`ollama serve` alone: spawn to first HTTP 200",
    "start": "`start_server()`, nothing there yet",
    "join": "`start_server()` of a second manager",
    "close": "last `close()`: the server stopped",
    "status": "`status()`",
    "import": "`from manager import OllamaManager`",
    "import_manager": "`import manager`",
}


def render(name: str, figures: Mapping[str, Sequence[float]], runs: int) -> str:
    """Return one section: a line on how it was made, and the table.

    Args:
        name: The program that was measured.
        figures: Seconds of each run, by the keys of ``ROWS``.
        runs: How many runs.
    """
    bare = median(figures["bare"])
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    made = (
        f"`python -m benchmarks --runs {runs}` on {dt.datetime.now(dt.UTC):%Y-%m-%d}; {machine},"
        f" Python {platform.python_version()}. The runs alternate."
    )
    lines = [
        f"## {name}",
        "",
        made,
        "",
        "| what | median | fastest | slowest | to the server alone |",
        "|---|---:|---:|---:|---:|",
    ]
    for key, label in ROWS.items():
        values = figures[key]
        times = f"{median(values) / bare:.2f} x" if key in ("bare", "start", "join") else ""
        cells = (median(values), min(values), max(values))
        lines.append(f"| {label} | {' | '.join(map(_shown, cells))} | {times} |")
    own = median(figures["start"]) - bare
    lines += ["", f"The manager's own share of a cold start: **{_shown(own)}** (medians)."]
    return "\n".join(lines)


def _shown(seconds: float) -> str:
    if abs(seconds) < 1e-4:
        return f"{seconds * 1e6:.2f} us"
    return f"{seconds * 1e3:.1f} ms"


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
