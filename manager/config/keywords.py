"""What keywords set: ``[server]`` and ``[client]`` keys by name, the other tables as mappings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from manager.config.keys import keys_of, shown
from manager.config.layers import all_keys, unknown
from manager.config.model import TABLES
from manager.spelling import nearest

if TYPE_CHECKING:
    import attrs

    from manager.config.layers import Layer

__all__ = ["add_keywords"]

_FLAT = ("server", "client")


def add_keywords(layer: Layer, settings: Mapping[str, object]) -> None:
    """Put keyword settings into a layer."""
    flat = {about.name: about for about in all_keys().values() if about.table in _FLAT}
    nested = {table.table: table for table in TABLES if table.table not in _FLAT}
    for name, value in settings.items():
        if about := flat.get(name):
            layer.set(about, value, where=name, label=name, make=about.kind.from_caller)
        elif name in nested:
            _add_table(layer, name, _as_mapping(value, nested[name]))
        else:
            near = nearest(name, [*flat, *nested])
            remedy = f"did you mean {near}?" if near else unknown("server", name)
            layer.refuse(f"unknown setting {name}; {remedy}", key=name)


def _as_mapping(value: object, table: type[attrs.AttrsInstance]) -> object:
    if isinstance(value, table):
        return {about.name: getattr(value, about.name) for about in keys_of(table)}  # type: ignore[arg-type]
    return value


def _add_table(layer: Layer, table: str, values: object) -> None:
    if not isinstance(values, Mapping):
        layer.refuse(f"{table} must be a mapping of its keys, got {shown(values)}", key=table)
        return
    for name, value in cast("Mapping[object, object]", values).items():
        path = f"{table}.{name}"
        about = all_keys().get(path)
        label = f"{table}[{name!r}]"
        if about is None:
            layer.refuse(f"unknown key {label}; {unknown(table, str(name))}", key=path)
        else:
            layer.set(about, value, where=label, label=label, make=about.kind.from_caller)
