"""The figures as a Markdown table, and their place in docs/reliability.md."""

from __future__ import annotations

import datetime as dt
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .figures import Figures

__all__ = ["PAGE", "render"]

_LENIENT = (
    "The server was killed as soon as the streams were under way. Deaths within a second of `ready`"
    " count towards a crash loop; for these runs its limit (`crash_loop_limit`) was out of reach,"
    " and the wait before a restart (`restart_initial_delay`, `restart_max_delay`) 1 ms."
    " `--pause 1` makes the runs without this."
)
PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


def render(name: str, command: str, figures: Sequence[Figures], *, is_lenient: bool) -> str:
    """Return one section: how it was made, and a table with a line for each fault.

    Args:
        name: The heading: what the server is called.
        command: How the figures were made.
        figures: One for each fault.
        is_lenient: Whether deaths right after a start were no crash loop, which is to be said.
    """
    made = (
        f"`{command}` on {dt.datetime.now(dt.UTC):%Y-%m-%d}; {platform.system()}"
        f" {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}."
    )
    lines = [
        f"### {name}",
        "",
        made,
        "",
        "| what was done | promised | what was seen | what went wrong |",
        "|---|---|---|---|",
    ]
    lines += [f"| {' | '.join(_cells(entry))} |" for entry in figures]
    if is_lenient:
        lines += ["", _LENIENT]
    return "\n".join(lines)


def _cells(figures: Figures) -> tuple[str, ...]:
    about = figures.to_dict()
    times = [
        f"{what}: median {_shown(took['median'])}, p99 {_shown(took['p99'])},"
        f" longest {_shown(took['max'])}"
        for what, took in about["seconds"].items()
    ]
    counts = [f"{what}: {number:,}" for what, number in figures.counts.items()]
    failures = [f"{what}: {number:,}" for what, number in figures.failures.items()]
    unfinished = f" of {figures.wanted:,}" if figures.rounds < figures.wanted else ""
    return (
        f"{figures.fault}: {figures.rounds:,}{unfinished}",
        figures.promise,
        "<br>".join(times + counts),
        "<br>".join(failures) or "nothing",
    )


def _shown(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
