"""The whole configuration of a manager, and where each of its values came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs

from manager.config.keys import keys_of, masked
from manager.config.server import ServerConfig
from manager.config.tables import ClientConfig, DefaultsConfig, LoggingConfig, RetryConfig

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from manager.config.keys import Key, Table

__all__ = ["TABLES", "ConfigSource", "ManagerConfig", "Origin", "OriginKind"]

OriginKind: TypeAlias = Literal["keyword", "environment", "inherited", "file"]

TABLES: tuple[type[Table], ...] = (
    ServerConfig,
    ClientConfig,
    RetryConfig,
    LoggingConfig,
    DefaultsConfig,
)


@attrs.frozen
class Origin:
    """Where a value came from.

    Attributes:
        kind: ``inherited`` is one of Ollama's own variables, which the server sees by itself.
        where: The keyword, the variable, or the file and line.
    """

    kind: OriginKind
    where: str


def _no_origins() -> Mapping[str, Origin]:
    return {}


@attrs.frozen(kw_only=True)
class ConfigSource:
    """What a configuration was made from.

    Attributes:
        path: The file that was read, or None.
        digest: SHA-256 of that file's content.
        expected_path: The file, whether it exists or not; None where none was looked for.
        read_at: When that was, on the monotonic clock, in seconds.
        origins: Where each value that is no default came from, by the key's full name.
    """

    path: str | None = None
    digest: str | None = None
    expected_path: str | None = None
    read_at: float = 0.0
    origins: Mapping[str, Origin] = attrs.field(factory=_no_origins)


@attrs.frozen(kw_only=True)
class ManagerConfig:
    """The configuration of a manager.

    ``ManagerConfig()`` holds the defaults alone; :meth:`load` reads the file and the environment.
    Change one with ``attrs.evolve``.

    Attributes:
        server: The server: its address, its life, Ollama's own settings.
        client: How it is called.
        retry: When a failed request is sent again.
        logging: What is logged.
        defaults: What calls send where they do not say otherwise.
        source: Where it came from; left out when configurations are compared.
    """

    server: ServerConfig = attrs.field(
        factory=ServerConfig, validator=attrs.validators.instance_of(ServerConfig)
    )
    client: ClientConfig = attrs.field(
        factory=ClientConfig, validator=attrs.validators.instance_of(ClientConfig)
    )
    retry: RetryConfig = attrs.field(
        factory=RetryConfig, validator=attrs.validators.instance_of(RetryConfig)
    )
    logging: LoggingConfig = attrs.field(
        factory=LoggingConfig, validator=attrs.validators.instance_of(LoggingConfig)
    )
    defaults: DefaultsConfig = attrs.field(
        factory=DefaultsConfig, validator=attrs.validators.instance_of(DefaultsConfig)
    )
    source: ConfigSource = attrs.field(factory=ConfigSource, eq=False, repr=False)

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None) -> ManagerConfig:
        """Read the configuration file and the environment.

        Args:
            path: The file; by default the one that ``OLLAMA_MANAGER_CONFIG`` names, or
                ``ollama-manager.toml`` in the user's configuration folder, which need not exist.

        Raises:
            ConfigError: A file, line or variable is wrong.
        """
        from manager.config.resolve import resolve_config

        return resolve_config(None, path, {})

    def server_environment(self) -> dict[str, str]:
        """Return the variables to start the server with, other than ``OLLAMA_HOST``.

        Only what was set on purpose: what the server inherits from the environment is left out.
        """
        environment = dict(self.server.env)
        for about in keys_of(ServerConfig):
            value = getattr(self.server, about.name)
            if about.variable and value is not None and not self._is_inherited(about):
                environment[about.variable] = as_variable(value)
        return environment

    def _is_inherited(self, about: Key) -> bool:
        origin = self.source.origins.get(about.path)
        return origin is not None and origin.kind == "inherited"

    def values(self) -> Iterator[tuple[Key, Any]]:
        """Yield every key with its value, secrets included."""
        for table in TABLES:
            record = getattr(self, table.table)
            for about in keys_of(table):
                yield about, getattr(record, about.name)

    def to_dict(self) -> dict[str, dict[str, object]]:
        """Return the configuration as JSON-ready data, by table and key; secrets are masked."""
        data: dict[str, dict[str, object]] = {table.table: {} for table in TABLES}
        for about, value in self.values():
            data[about.table][about.name] = masked(about, value)
        return data


def as_variable(value: object) -> str:
    """Return a value as Ollama reads it from its environment."""
    return str(int(value)) if isinstance(value, bool) else str(value)
