"""The figures as charts in docs/images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl

from ..report import PAGE
from .tables import ROWS

if TYPE_CHECKING:
    from pathlib import Path

    from .results import Results

__all__ = ["IMAGES", "draw"]

IMAGES = PAGE.parent / "images"
_OURS, _THEIRS, _GOAL = "#2563a8", "#9a9a9a", "#c2410c"
_SCALES = {
    "streams": ("streams at once", "CPU us per stream of 100 chunks", 1e6),
    "texts": ("texts in one embed", "CPU us per text", 1e6),
    "bytes": ("bytes of text in a chunk", "CPU us per chunk", 1e6),
}


def draw(results: Results, folder: Path) -> None:
    """Write ``client.svg`` and ``scaling.svg``; the same figures make the same files."""
    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": "benchmarks", "font.size": 9, "svg.fonttype": "none"})
    folder.mkdir(exist_ok=True)
    for name, figure in (("client", _ratios(results)), ("scaling", _scaling(results))):
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})


def _ratios(results: Results) -> Any:
    from matplotlib.figure import Figure

    rows = [
        (row, results.rows[key])
        for key, row in ROWS.items()
        if row.goal is not None and key in results.rows
    ]
    figure = Figure(figsize=(8, 0.34 * len(rows) + 1.1), layout="constrained")
    axes = figure.subplots()
    for place, (row, pair) in enumerate(rows):
        ratios = pair.ratios
        axes.barh(place, pair.ratio, color=_OURS, height=0.6)
        axes.plot([ratios[0], ratios[-1]], [place, place], color="black", linewidth=1)
        axes.plot([row.goal, row.goal], [place - 0.42, place + 0.42], color=_GOAL, linewidth=2)
    axes.axvline(1, color=_THEIRS, linewidth=2)
    axes.set_yticks(range(len(rows)), [f"{row.short}  {pair.ratio:.2f}x" for row, pair in rows])
    axes.invert_yaxis()
    axes.set_xlim(0, max(1.1, *(pair.ratios[-1] + 0.05 for _, pair in rows)))
    axes.set_xlabel("share of the reference (grey); orange: goal; line: all rounds")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _scaling(results: Results) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    for axes, (kind, (number, cost, scale)) in zip(
        figure.subplots(1, len(_SCALES)), _SCALES.items(), strict=True
    ):
        pairs = results.scaling[kind]
        for side, color, label in (
            ("theirs", _THEIRS, "ollama-python"),
            ("ours", _OURS, "manager"),
        ):
            costs = [
                sorted(getattr(pair, side))[len(pair.ours) // 2] * scale for pair in pairs.values()
            ]
            axes.plot(list(pairs), costs, marker="o", markersize=4, color=color, label=label)
        axes.set_xscale("log")
        axes.margins(y=0.3)
        axes.set_yscale("log")
        axes.set_xlabel(number)
        axes.set_title(cost, fontsize=9)
        axes.grid(visible=True, which="major", linewidth=0.4, alpha=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].legend(frameon=False, fontsize=8)
    return figure
