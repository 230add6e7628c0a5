"""The figures of one run, and their form in a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from .rounds import Pair

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Results", "load", "save"]


@attrs.frozen
class Results:
    """The figures of one run.

    Attributes:
        made: When, where, with what, by which command.
        rows: By key, as ``tables`` knows them.
        scaling: By kind, then by number.
        headroom: Wall seconds of the bare server, by kind of work.
        many_texts: Of ``embed_many``: ``texts``, ``is_async``, ``peak`` bytes, ``seconds``.
        profile: By kind of call, then by module, the share of the CPU time.
    """

    made: dict[str, str]
    rows: dict[str, Pair]
    scaling: dict[str, dict[int, Pair]]
    headroom: dict[str, float]
    many_texts: list[dict[str, float]]
    profile: dict[str, dict[str, float]]


def save(results: Results, path: Path) -> None:
    """Write the figures as JSON."""
    path.write_text(json.dumps(attrs.asdict(results), indent=1) + "\n", encoding="utf-8")


def load(path: Path) -> Results:
    """Read what ``save`` wrote."""
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    data["rows"] = {key: Pair(**pair) for key, pair in data["rows"].items()}
    data["scaling"] = {
        kind: {int(number): Pair(**pair) for number, pair in pairs.items()}
        for kind, pairs in data["scaling"].items()
    }
    return Results(**data)
