"""The server program that is measured, and a place of its own for each run of it."""

from __future__ import annotations

import os
import shutil
import socket
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import attrs

from manager import ManagerConfig, OllamaManager
from manager.simulator.command import simulator_command

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Place", "find_program", "name_of", "private_place"]


@attrs.frozen
class Place:
    """Where one server runs: a free port, a home and a models folder that nothing else uses."""

    words: list[str]
    host: str
    home: str

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a server that is started without a manager."""
        return {
            **os.environ,
            "OLLAMA_HOST": self.host,
            "OLLAMA_MODELS": os.path.join(self.home, "models"),
        }

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of a manager of the same server."""
        return {
            "host": self.host,
            "binary": self.words,
            "models": os.path.join(self.home, "models"),
            "watch": False,
        }


def find_program() -> list[str]:
    """Return the `ollama` that OLLAMA_MANAGER_BINARY names or PATH has, else the simulator."""
    if configured := ManagerConfig.load().server.binary:
        return list(configured)
    found = shutil.which("ollama")
    return [found] if found else simulator_command()


def name_of(words: list[str]) -> str:
    """Return what a program is called in the report, such as ``Ollama 0.24.0``."""
    with private_place(words) as place, OllamaManager(**place.settings) as m:
        version = m.version()
    if "simulated" in version:
        return f"the simulator ({version})"
    return f"Ollama {version}"


@contextmanager
def private_place(words: list[str]) -> Iterator[Place]:
    """Make a place for one server; nothing of this machine's Ollama is seen or touched."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    before = dict(os.environ)
    with TemporaryDirectory() as home:
        for name in list(os.environ):
            if name.startswith(("OLLAMA_", "XDG_")):
                del os.environ[name]
        os.environ["HOME"] = home
        try:
            yield Place(words, host, home)
        finally:
            os.environ.clear()
            os.environ.update(before)
