"""One source of values after the other: what each sets, checked, and which of them wins."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import attrs

from manager.config.keys import keys_of
from manager.config.model import TABLES, Origin
from manager.errors import ConfigError
from manager.spelling import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from manager.config.keys import Key
    from manager.config.model import OriginKind

__all__ = ["Layer", "Setting", "all_keys", "raise_all", "unknown"]

_MAX_LISTED = 5


@attrs.frozen
class Setting:
    """A value with its origin."""

    value: Any
    origin: Origin


Settings: TypeAlias = dict[str, Setting]


@functools.cache
def all_keys() -> Mapping[str, Key]:
    """Return every key of every table by its full name."""
    return {about.path: about for table in TABLES for about in keys_of(table)}


@functools.cache
def _keys_by_variable() -> Mapping[str, Key]:
    return {about.variable: about for about in all_keys().values() if about.variable}


class Layer:
    """What one source sets. Errors are collected, so that a person sees all of them at once."""

    def __init__(self, kind: OriginKind, problems: list[ConfigError]) -> None:
        self.kind: OriginKind = kind
        self.settings: Settings = {}
        self._problems = problems

    def set(
        self,
        about: Key,
        value: object,
        *,
        where: str,
        label: str,
        make: Callable[[Any], object] | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        """Take over a value.

        Args:
            about: Its key.
            value: What the source says.
            where: How the origin is shown.
            label: What an error begins with.
            make: What the value becomes before it is read.
            details: Further facts for an error, such as the line.
        """
        try:
            read = about.read(value, label, make)
        except ConfigError as error:
            error.details.update(details or {})
            self._problems.append(error)
            return
        if about.path in self.settings:
            other = self.settings[about.path].origin.where
            self.refuse(f"{label} is set a second time, by {other}", key=about.path)
            return
        if about.path == "server.env":
            read = self._hoist(cast("dict[str, str]", read), where, label)
        self.settings[about.path] = Setting(read, Origin(self.kind, where))

    def _hoist(self, env: dict[str, str], where: str, label: str) -> dict[str, str]:
        """Take what has a key of its own out of ``env``, so that precedence holds for it too."""
        rest = dict(env)
        for name, about in _keys_by_variable().items():
            if name not in rest:
                continue
            text = rest.pop(name)
            self.set(about, text, where=where, label=f"{name} in {label}", make=from_text(about))
        return rest

    def refuse(self, message: str, **details: object) -> None:
        """Note an error that is not about a known key's value."""
        self._problems.append(ConfigError(message, **cast("dict[str, Any]", details)))


def from_text(about: Key) -> Callable[[str], object]:
    """Return what reads a key's environment variable, as Ollama trims its own."""
    return lambda text: about.kind.from_text(text.strip())


def unknown(table: str, word: str) -> str:
    """Return what to say of a key that a table does not have."""
    names = [about.name for about in all_keys().values() if about.table == table]
    near = nearest(word, names)
    if near:
        return f"did you mean {near}?"
    homes = [about.table for about in all_keys().values() if about.name == word]
    return f"it belongs to [{homes[0]}]" if homes else f"[{table}] has {', '.join(names)}"


def raise_all(problems: list[ConfigError]) -> None:
    """Raise what was collected as one error; ``errors`` holds each as data."""
    if not problems:
        return
    first = problems[0]
    if len(problems) == 1:
        raise first
    messages = [str(problem) for problem in problems[:_MAX_LISTED]]
    if len(problems) > _MAX_LISTED:
        messages.append(f"and {len(problems) - _MAX_LISTED} more")
    raise ConfigError(
        "; ".join(messages),
        errors=[problem.to_dict() for problem in problems],
        **first.details,
    )
