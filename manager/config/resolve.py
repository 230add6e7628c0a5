"""Keyword over environment over file over default: one configuration out of all of them."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import attrs

from manager.config.environment import add_inherited, add_managers
from manager.config.files import add_file, locate, read_config_file, read_digest
from manager.config.keys import keys_of
from manager.config.keywords import add_keywords
from manager.config.layers import Layer, raise_all
from manager.config.model import TABLES, ConfigSource, ManagerConfig
from manager.config.server import ServerConfig
from manager.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from manager.config.layers import Setting

__all__ = ["ConfigSources", "resolve_config"]


def resolve_config(
    config: ManagerConfig | None,
    config_file: str | os.PathLike[str] | None,
    settings: Mapping[str, object],
    environ: Mapping[str, str] | None = None,
) -> ManagerConfig:
    """Return the configuration that holds.

    Args:
        config: A configuration made before; it is taken as it is, without file or environment.
        config_file: The file to read in place of the usual one.
        settings: Keyword settings; they win.
        environ: The environment; by default that of the process.

    Raises:
        ConfigError: Something is wrong; the message says where, and what was expected.
    """
    return ConfigSources(config, config_file, settings, environ).read()


class ConfigSources:
    """What the configuration of one manager is made from; read again, it gives what holds now.

    Where the file is, and what relative paths in keywords and variables are relative to, is
    settled once: a program may change its folder later.

    Args:
        config: A configuration made before; it is taken as it is, without file or environment.
        config_file: The file to read in place of the usual one.
        settings: Keyword settings; they win.
        environ: The environment; by default that of the process.

    Raises:
        ConfigError: A keyword is wrong.
    """

    def __init__(
        self,
        config: ManagerConfig | None,
        config_file: str | os.PathLike[str] | None,
        settings: Mapping[str, object],
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._problems: list[ConfigError] = []  # of the keywords; told with those of the file
        keywords = Layer("keyword", self._problems)
        add_keywords(keywords, settings)
        self._keywords = keywords.settings
        self._base = config
        self._environ = os.environ if environ is None else environ
        self._variables: dict[str, str] | None = None
        self._from_variables: dict[str, Setting] = {}
        self.path: str | None = None
        self._must_exist = False
        if config is None:
            self.path, self._must_exist = locate(config_file, self._environ)
            return
        if not isinstance(config, ManagerConfig):
            raise ConfigError(
                f"config must be a ManagerConfig, got {type(config).__name__}",
                hint="give settings as keywords: OllamaManager(host=...)",
            )
        if config_file is not None:
            raise ConfigError("config and config_file cannot both be given", key="config_file")

    def read(self) -> ManagerConfig:
        """Return the configuration that the sources give now.

        Raises:
            ConfigError: Something is wrong; the message says where, and what was expected.
        """
        if self._base is not None:
            raise_all(self._problems)
            return _apply(self._base, self._keywords, self._base.source)
        problems = [*self._problems]
        read_at = time.monotonic()
        file = read_config_file(self.path, must_exist=self._must_exist) if self.path else None
        from_file = Layer("file", problems)
        if file is not None:
            add_file(from_file, file)
        variables = self._read_variables(problems)
        raise_all(problems)
        self._must_exist = self._must_exist or file is not None
        source = ConfigSource(
            path=file.path if file else None,
            digest=file.digest if file else None,
            expected_path=self.path,
            read_at=read_at,
        )
        return _apply(
            ManagerConfig(), {**from_file.settings, **variables, **self._keywords}, source
        )

    def digest(self) -> str | None:
        """Return what tells the content of the file from another; None where there is none."""
        return read_digest(self.path) if self.path else None

    def exists(self) -> bool:
        """Say whether the file is there, or none is needed."""
        return self.path is None or os.path.exists(self.path)

    def _read_variables(self, problems: list[ConfigError]) -> Mapping[str, Setting]:
        variables = {k: v for k, v in self._environ.items() if k.startswith("OLLAMA_")}
        if variables != self._variables:
            known = len(problems)
            inherited = Layer("inherited", problems)
            add_inherited(inherited, variables)
            managers = Layer("environment", problems)
            add_managers(managers, variables)
            if len(problems) > known:
                return {}
            self._variables = variables
            self._from_variables = {**inherited.settings, **managers.settings}
        return self._from_variables


def _apply(
    base: ManagerConfig, settings: Mapping[str, Setting], source: ConfigSource
) -> ManagerConfig:
    changed: dict[str, Any] = {}
    for table in TABLES:
        values = {
            path.partition(".")[2]: setting.value
            for path, setting in settings.items()
            if path.startswith(f"{table.table}.")
        }
        if table is ServerConfig and "env" not in values:
            values |= _freed_env(base.server.env, values)
        if values:
            changed[table.table] = attrs.evolve(getattr(base, table.table), **values)
    origins = {path: setting.origin for path, setting in settings.items()}
    changed["source"] = attrs.evolve(source, origins={**source.origins, **origins})
    return attrs.evolve(base, **changed)


def _freed_env(env: Mapping[str, str], values: Mapping[str, object]) -> dict[str, object]:
    """Drop variables whose own keys are being set, so that the keys win."""
    named = {about.variable for about in keys_of(ServerConfig) if about.name in values}
    rest = {name: text for name, text in env.items() if name not in named}
    return {} if len(rest) == len(env) else {"env": rest}
