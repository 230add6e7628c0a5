"""The figures as Markdown, and their place in docs/performance.md."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from ..report import PAGE
from ..report import write as write_section

if TYPE_CHECKING:
    from collections.abc import Callable

    from .results import Results
    from .rounds import Pair

__all__ = ["ROWS", "Row", "render", "short_time", "write"]

_NAME = "the client"
_PEER = "ollama-python"


def short_time(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def _memory(size: float) -> str:
    return f"{size / 1e6:.1f} MB"


class Row(NamedTuple):
    """A line of the table: what was done, what with, what is wanted of the ratio."""

    label: str
    goal: float | None = None
    reference: str = _PEER
    shown: Callable[[float], str] = short_time
    short: str = ""  # for the chart


ROWS = {
    "stream_sync": Row(
        "streamed chat, CPU per typed chunk, sync", 0.8, short="streamed chunk, sync"
    ),
    "stream_async": Row("the same, async", 0.85, short="streamed chunk, async"),
    "paced_sync": Row("the same, chunks 2 ms apart, sync", 1.0, short="paced chunk, sync"),
    "paced_async": Row("the same, async", 1.0, short="paced chunk, async"),
    "round_trip_sync": Row("plain chat, CPU per call, sync", 0.9, short="plain chat, sync"),
    "round_trip_async": Row("the same, async", 0.9, short="plain chat, async"),
    "embed": Row("`embed`, 256 texts x 768, CPU", 0.35, short="embed 256 x 768"),
    "embed_array": Row(
        "`embed_array`, the same, CPU, with pysimdjson",
        0.25,
        "httpx + json + numpy",
        short="embed_array, pysimdjson",
    ),
    "embed_array_plain": Row(
        "the same without pysimdjson", 0.45, "httpx + json + numpy", short="embed_array 256 x 768"
    ),
    "crowd_wall": Row(
        "200 async streams of 200 chunks, wall time", 0.85, short="200 streams, wall time"
    ),
    "crowd_gap": Row("the same, p99 gap between chunks", 0.85, short="200 streams, p99 gap"),
    "crowd_cpu": Row("the same, CPU"),
    "import": Row(
        "`from manager import OllamaManager`, CPU", 0.35, "`import ollama`", short="import"
    ),
    "first_sync": Row(
        "first chat of a process, imports included, CPU, sync",
        0.7,
        short="first chat of a process, sync",
    ),
    "first_sync_wall": Row("the same, wall time"),
    "first_async": Row("the same, CPU, async", 0.7, short="first chat of a process, async"),
    "first_async_wall": Row("the same, wall time"),
    "memory_sync": Row(
        "memory that 200 open streams add, sync",
        0.8,
        shown=_memory,
        short="memory of 200 streams, sync",
    ),
    "memory_async": Row(
        "the same, async", 0.8, shown=_memory, short="memory of 200 streams, async"
    ),
    "memory_sync_whole": Row(
        "memory of that whole process, sync", 0.8, shown=_memory, short="memory of it all, sync"
    ),
    "memory_async_whole": Row(
        "the same, async", 0.8, shown=_memory, short="memory of it all, async"
    ),
}
_SCALES = {
    "streams": ("streams at once", "CPU of a stream of 100 chunks"),
    "texts": ("texts in one `embed`", "CPU of a text"),
    "bytes": ("bytes of text in a chunk", "CPU of a chunk"),
}
_LEAST_SHARE = 0.03


def render(results: Results) -> str:
    """Return the section: how it was made, and the tables."""
    made = results.made
    is_real = "--smoke" not in made["command"]
    lines = [
        *([] if is_real else ["Too little of each for the figures to mean anything.", ""]),
        (
            f"`{made['command']}` on {made['date']}; {made['machine']},"
            f" load {made['load']} at the end; Python {made['python']}, {made['packages']}."
        ),
        "",
        "| work | reference | reference takes | manager takes | ratio | rounds | goal |",
        "|---|---|---:|---:|---|---:|---|",
        *(
            _line(row, results.rows[key], judged=is_real)
            for key, row in ROWS.items()
            if key in results.rows  # without pysimdjson there is one row fewer
        ),
        "",
        "The server itself, its answers read from a bare socket and dropped: "
        + ", ".join(f"{work} {short_time(seconds)}" for work, seconds in results.headroom.items())
        + " (wall time).",
        "",
        *_many(results),
        *_scaling(results),
        *_profile(results),
    ]
    return "\n".join(lines).rstrip()


def _line(row: Row, pair: Pair, *, judged: bool) -> str:
    ratios = pair.ratios
    goal = "" if row.goal is None else f"at most {row.goal:g}x"
    if goal and judged:
        goal += ": met" if pair.ratio <= row.goal else ": **missed**"
    cells = [
        row.label,
        row.reference,
        row.shown(_middle(pair.theirs)),
        row.shown(_middle(pair.ours)),
        f"**{pair.ratio:.2f}x** ({ratios[0]:.2f} to {ratios[-1]:.2f})",
        str(len(ratios)),
        goal,
    ]
    return f"| {' | '.join(cells)} |"


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _many(results: Results) -> list[str]:
    lines = [
        "| `embed_many`, 4 batches of 64 under way | texts | peak memory of the process | time |",
        "|---|---:|---:|---:|",
    ]
    for found in results.many_texts:
        kind = "async" if found["is_async"] else "sync"
        lines.append(
            f"| {kind} | {found['texts']:,.0f} | {_memory(found['peak'])} |"
            f" {short_time(found['seconds'])} |"
        )
    return [*lines, ""]


def _scaling(results: Results) -> list[str]:
    lines: list[str] = []
    for kind, (number, cost) in _SCALES.items():
        lines += [f"| {number} | {cost}: manager | {_PEER} | ratio |", "|---:|---:|---:|---:|"]
        for size, pair in results.scaling[kind].items():
            lines.append(
                f"| {size:,} | {short_time(_middle(pair.ours))} |"
                f" {short_time(_middle(pair.theirs))} | {pair.ratio:.2f}x |"
            )
        lines.append("")
    return lines


def _profile(results: Results) -> list[str]:
    if not results.profile:
        return []
    total: Counter[str] = Counter()
    for shares in results.profile.values():
        total.update(shares)
    shown = [
        name
        for name, _ in total.most_common()
        if any(shares.get(name, 0) >= _LEAST_SHARE for shares in results.profile.values())
    ]
    lines = [
        f"| share of the CPU time | {' | '.join(results.profile)} |",
        f"|---|{'---:|' * len(results.profile)}",
    ]
    for name in shown:
        cells = [f"{shares.get(name, 0):.0%}" for shares in results.profile.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    rest = [1 - sum(shares.get(name, 0) for name in shown) for shares in results.profile.values()]
    return [*lines, f"| the rest | {' | '.join(f'{max(share, 0):.0%}' for share in rest)} |"]


def write(section: str) -> None:
    """Put the section into docs/performance.md."""
    write_section(_NAME, section, PAGE)
