"""The tables of docs/configuration.md: ``python -m manager.config.reference`` prints them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from manager.config.keys import keys_of, masked
from manager.config.model import TABLES

if TYPE_CHECKING:
    from manager.config.keys import Key

__all__ = ["render_reference"]

_HEAD = "| key | type | default | what it is | a change holds | environment |"
_RULE = "|---|---|---|---|---|---|"


def render_reference() -> str:
    """Return one Markdown table for each table of the configuration."""
    parts: list[str] = []
    for table in TABLES:
        rows = [_row(about) for about in keys_of(table)]
        parts.append("\n".join([f"### `[{table.table}]`", "", _HEAD, _RULE, *rows]))
    return "\n\n".join(parts) + "\n"


def _row(about: Key) -> str:
    names = [f"`{about.environment_name}`", *(f"`{name}`" for name in _other_names(about))]
    cells = [
        f"`{about.name}`",
        about.kind.type_name,
        _default(about),
        about.doc,
        about.effect,
        ", ".join(names),
    ]
    return f"| {' | '.join(cells)} |"


def _other_names(about: Key) -> list[str]:
    short = {
        "server.host": "OLLAMA_HOST",
        "server.binary": "OLLAMA_MANAGER_BINARY",
        "logging.level": "OLLAMA_MANAGER_LOG",
    }
    return [name for name in (about.variable, short.get(about.path)) if name]


def _default(about: Key) -> str:
    if about.variable:
        return "Ollama's"
    value = masked(about, about.default)
    if value is None:
        return "none" if '"none"' in about.kind.type_name else "unset"
    if isinstance(value, bool):
        return str(value).lower()
    if value == {}:
        return "empty"
    return f"{value:g}" if isinstance(value, float) else f"{value}"


if __name__ == "__main__":
    sys.stdout.write(render_reference())
