"""The configuration: what can be set, where it is read from, and what a change means.

keys, kinds, locations, mappings   what a value may be
server, tables, settings           the tables, and the keywords of a manager
model                              all tables as one record
layers, files, environment, keywords, resolve   the sources, and which of them wins
changes, reference                 what differs between two, and the documentation
"""

from __future__ import annotations

from manager.config.changes import ConfigChange, diff_configs
from manager.config.model import ConfigSource, ManagerConfig, Origin
from manager.config.resolve import ConfigSources, resolve_config
from manager.config.server import ServerConfig
from manager.config.settings import (
    DefaultsSettings,
    LoggingSettings,
    ManagerSettings,
    ModelSettings,
    RetrySettings,
)
from manager.config.tables import (
    ClientConfig,
    DefaultsConfig,
    LoggingConfig,
    ModelDefaults,
    RetryConfig,
    Verbosity,
)

__all__ = [
    "ClientConfig",
    "ConfigChange",
    "ConfigSource",
    "ConfigSources",
    "DefaultsConfig",
    "DefaultsSettings",
    "LoggingConfig",
    "LoggingSettings",
    "ManagerConfig",
    "ManagerSettings",
    "ModelDefaults",
    "ModelSettings",
    "Origin",
    "RetryConfig",
    "RetrySettings",
    "ServerConfig",
    "Verbosity",
    "diff_configs",
    "resolve_config",
]
