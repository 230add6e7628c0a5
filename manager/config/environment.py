"""What the environment sets: Ollama's variables, and ``OLLAMA_MANAGER_<TABLE>_<KEY>``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manager.config.layers import all_keys, from_text
from manager.spelling import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from manager.config.layers import Layer

__all__ = ["add_inherited", "add_managers"]

_PREFIX = "OLLAMA_MANAGER_"
_SHORT = {"OLLAMA_MANAGER_BINARY": "server.binary", "OLLAMA_MANAGER_LOG": "logging.level"}
_CONFIG = "OLLAMA_MANAGER_CONFIG"
# Marks of our own programs, not settings.
_MARKS = frozenset({"OLLAMA_MANAGER_SPAWNED", "OLLAMA_MANAGER_SUPERVISED"})


def add_inherited(layer: Layer, environ: Mapping[str, str]) -> None:
    """Put Ollama's own variables into a layer; an empty one is unset, as for Ollama.

    Source: Ollama ``envconfig.Var``.
    """
    variables = {about.variable: about for about in all_keys().values() if about.variable}
    variables["OLLAMA_HOST"] = all_keys()["server.host"]
    for name, about in variables.items():
        text = environ.get(name or "", "").strip().strip("\"'")
        if text.strip():
            layer.set(about, text, where=str(name), label=str(name), make=from_text(about))


def add_managers(layer: Layer, environ: Mapping[str, str]) -> None:
    """Put the variables of managers into a layer; an empty one is unset."""
    names = {about.environment_name: about for about in all_keys().values()}
    # Last, so that the long form wins.
    names |= {name: all_keys()[path] for name, path in _SHORT.items()}
    for name, about in names.items():
        text = environ.get(name, "")
        if text.strip() and not (name in _SHORT and about.path in layer.settings):
            layer.set(about, text, where=name, label=name, make=from_text(about))
    for name in sorted(environ):
        if name.startswith(_PREFIX) and name not in (*names, *_MARKS, _CONFIG):
            near = nearest(name, names)
            remedy = f"did you mean {near}?" if near else "docs/configuration.md lists them all"
            layer.refuse(f"unknown environment variable {name}; {remedy}", variable=name)
