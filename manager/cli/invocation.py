"""What the options that all commands share come to: a configuration, a manager, a terminal."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from manager.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import typer

    from manager import ManagerConfig, OllamaManager
    from manager.cli.terminal import Terminal
    from manager.config import ManagerSettings, Verbosity
    from manager.events import Event
    from manager.supervisor.settings import ServerSettings

__all__ = ["LINGER_SECONDS", "SHARED_OPTIONS", "Invocation", "invocation"]

LINGER_SECONDS = 300.0
"""How long a server stays after a command, so that the next one finds it warm."""

SHARED_OPTIONS = ("host", "config", "binary", "as_json", "verbose", "no_color")
"""The parameters that stand before a command or after it."""

_LEVELS: tuple[Verbosity, ...] = ("calls", "headers", "bodies")


@dataclass
class Invocation:
    """One run of the program.

    Attributes:
        host: The address of the server.
        config: The configuration file.
        binary: The program to start, or a JSON list of words.
        as_json: Whether results and errors are JSON.
        verbose: How often ``-v`` was given.
        no_color: Whether colours are off.
    """

    host: str | None = None
    config: str | None = None
    binary: str | None = None
    as_json: bool = False
    verbose: int = 0
    no_color: bool = False
    _logging_before: tuple[int, bool, list[logging.Handler]] | None = None

    def add(self, options: Mapping[str, object]) -> None:
        """Take in options; a later value wins, flags and ``-v`` add up."""
        for name, value in options.items():
            if isinstance(value, bool):
                setattr(self, name, getattr(self, name) or value)
            elif isinstance(value, int):
                self.verbose = max(self.verbose, value)
            elif value is not None:
                setattr(self, name, value)

    @cached_property
    def terminal(self) -> Terminal:
        """Where to write."""
        from manager.cli.terminal import Terminal

        return Terminal(no_color=self.no_color)

    @cached_property
    def resolved(self) -> ManagerConfig:
        """The configuration: options over environment over file, with a linger of our own.

        Raises:
            ConfigError: It is wrong.
        """
        import attrs

        from manager.config import resolve_config

        config = resolve_config(None, self.config, self.settings())
        server = attrs.evolve(config.server, watch=False)
        if "server.linger" not in config.source.origins:
            server = attrs.evolve(server, linger=LINGER_SECONDS)
        logs = config.logging
        if self.verbose:
            logs = attrs.evolve(logs, level=_LEVELS[min(self.verbose, len(_LEVELS)) - 1])
        return attrs.evolve(config, server=server, logging=logs)

    def server_settings(self) -> ServerSettings:
        """What the supervisor is asked for."""
        from manager.server_settings import server_settings

        return server_settings(self.resolved)

    def manager(self) -> OllamaManager:
        """Make the manager of this run."""
        from manager import OllamaManager

        manager = OllamaManager(self.resolved)
        if self.terminal.err.is_terminal:
            manager.events.subscribe(self._tell_of_start, "server.starting")
        return manager

    def _tell_of_start(self, event: Event) -> None:
        self.terminal.note("starting the server ...")

    def start_logging(self) -> None:
        """Log to standard error if ``-v`` was given; otherwise errors are reported, not logged."""
        logger = logging.getLogger("ollama_manager")
        self._logging_before = (logger.level, logger.propagate, list(logger.handlers))
        logger.propagate = False
        handler: logging.Handler = logging.NullHandler()
        if self.verbose:
            logger.setLevel(logging.DEBUG)
            handler = logging.StreamHandler(sys.stderr)
            handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s", "%H:%M:%S"))
        logger.addHandler(handler)

    def stop_logging(self) -> None:
        """Leave the logger as it was."""
        if self._logging_before is not None:
            logger = logging.getLogger("ollama_manager")
            level, logger.propagate, logger.handlers[:] = self._logging_before
            logger.setLevel(level)
            self._logging_before = None

    def settings(self) -> ManagerSettings:
        """The options that set something, as keywords of a manager."""
        settings: ManagerSettings = {}
        if self.host is not None:
            settings["host"] = self.host
        if self.binary is not None:
            settings["binary"] = _words(self.binary)
        return settings


def invocation(context: typer.Context) -> Invocation:
    """Return the run that a command belongs to."""
    run = context.find_object(Invocation)
    assert run is not None
    return run


def _words(binary: str) -> str | list[str]:
    """Read ``--binary``: a path, or a JSON list as in OLLAMA_MANAGER_BINARY."""
    if not binary.startswith("["):
        return binary
    try:
        words: list[str] = json.loads(binary)
    except ValueError as error:
        raise ConfigError(
            f"--binary is no JSON list: {error}",
            hint='for example --binary \'["python3", "-m", "manager.simulator"]\'',
            key="server.binary",
        ) from None
    return words
