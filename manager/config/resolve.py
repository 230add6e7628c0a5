"""Keyword over environment over file over default: one configuration out of all of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import attrs

from manager.config.environment import add_inherited, add_managers
from manager.config.files import add_file, locate, read_config_file
from manager.config.keys import keys_of
from manager.config.keywords import add_keywords
from manager.config.layers import Layer, raise_all
from manager.config.model import TABLES, ConfigSource, ManagerConfig
from manager.config.server import ServerConfig
from manager.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from manager.config.files import ConfigFile
    from manager.config.layers import Setting

__all__ = ["resolve_config"]


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
    problems: list[ConfigError] = []
    keywords = Layer("keyword", problems)
    add_keywords(keywords, settings)
    if config is not None:
        if not isinstance(config, ManagerConfig):
            raise ConfigError(
                f"config must be a ManagerConfig, got {type(config).__name__}",
                hint="give settings as keywords: OllamaManager(host=...)",
            )
        if config_file is not None:
            raise ConfigError("config and config_file cannot both be given", key="config_file")
        raise_all(problems)
        return _apply(config, keywords.settings, config.source)
    environ = os.environ if environ is None else environ
    path, is_named = locate(config_file, environ)
    file = read_config_file(path, must_exist=is_named) if path else None
    lower = _read_layers(file, environ, problems)
    raise_all(problems)
    source = ConfigSource(
        path=file.path if file else None,
        digest=file.digest if file else None,
        expected_path=path,
    )
    return _apply(ManagerConfig(), {**lower, **keywords.settings}, source)


def _read_layers(
    file: ConfigFile | None, environ: Mapping[str, str], problems: list[ConfigError]
) -> dict[str, Setting]:
    from_file = Layer("file", problems)
    if file is not None:
        add_file(from_file, file)
    inherited = Layer("inherited", problems)
    add_inherited(inherited, environ)
    managers = Layer("environment", problems)
    add_managers(managers, environ)
    return {**from_file.settings, **inherited.settings, **managers.settings}


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
