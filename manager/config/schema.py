"""The configuration file as JSON Schema, so that editors complete and check it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from manager.config.keys import keys_of, masked
from manager.config.model import TABLES
from manager.config.tables import ModelDefaults

if TYPE_CHECKING:
    from manager.config.keys import Key, Table

__all__ = ["config_schema"]


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 7, which editors of TOML know) of the file."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "ollama-manager.toml",
        "description": "How ollama-manager starts, keeps and calls an Ollama server.",
        "type": "object",
        "properties": {table.table: _table(table) for table in TABLES},
        "additionalProperties": False,
    }


def _table(table: type[Table]) -> dict[str, Any]:
    return {
        "type": "object",
        "description": (table.__doc__ or "").partition("\n")[0],
        "properties": {about.name: _key(about) for about in keys_of(table)},
        "additionalProperties": False,
    }


def _key(about: Key) -> dict[str, Any]:
    schema: dict[str, Any] = {"description": about.doc, **about.kind.schema}
    if about.path == "defaults.models":
        schema |= {"type": "object", "additionalProperties": _table(ModelDefaults)}
    default = masked(about, about.default)
    if default not in (None, {}):
        schema["default"] = default
    return schema
