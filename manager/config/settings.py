"""The types of keyword settings, for editors and type checkers."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import httpx

    from manager.config.server import OnChange
    from manager.config.tables import (
        DefaultsConfig,
        LoggingConfig,
        ModelDefaults,
        RetryConfig,
        Transport,
        Verbosity,
        WhileRestarting,
    )
    from manager.hosts import Address

__all__ = [
    "DefaultsSettings",
    "LoggingSettings",
    "ManagerSettings",
    "ModelSettings",
    "RetrySettings",
]


class RetrySettings(TypedDict, total=False):
    """The keys of ``[retry]``."""

    max_attempts: int
    initial_delay: float
    max_delay: float
    multiplier: float
    jitter: bool
    budget: float | None


class LoggingSettings(TypedDict, total=False):
    """The keys of ``[logging]``."""

    level: Verbosity
    json: bool
    file: str | os.PathLike[str] | None


class ModelSettings(TypedDict, total=False):
    """The keys of ``[defaults.models."name"]``."""

    keep_alive: float | str | None
    think: bool | str | None
    options: Mapping[str, object]


class DefaultsSettings(ModelSettings, total=False):
    """The keys of ``[defaults]``."""

    models: Mapping[str, ModelSettings | ModelDefaults]


class ManagerSettings(TypedDict, total=False):
    """The keywords of a manager: ``[server]`` and ``[client]`` keys, and the other tables."""

    host: str | Address
    binary: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None
    autostart: bool
    linger: float
    start_timeout: float
    stop_timeout: float
    drain_timeout: float
    on_change: OnChange
    watch: bool
    env: Mapping[str, str]
    restart_initial_delay: float
    restart_max_delay: float
    restart_multiplier: float
    crash_loop_limit: int
    liveness_interval: float
    liveness_timeout: float
    liveness_threshold: int
    runner_timeout: float
    models: str | os.PathLike[str] | None
    origins: str | Sequence[str] | None
    remotes: str | Sequence[str] | None
    keep_alive: str | int | None
    load_timeout: str | int | None
    debug: bool | int | None
    debug_log_requests: bool | None
    num_parallel: int | None
    max_loaded_models: int | None
    max_queue: int | None
    max_transfer_streams: int | None
    context_length: int | None
    gpu_overhead: int | None
    kv_cache_type: str | None
    llm_library: str | None
    flash_attention: bool | None
    igpu_enable: bool | None
    vulkan: bool | None
    go_template: bool | None
    noprune: bool | None
    nohistory: bool | None
    sched_spread: bool | None
    no_cloud: bool | None
    connect_timeout: float | None
    while_restarting: WhileRestarting
    first_token_timeout: float | None
    chunk_timeout: float | None
    total_timeout: float | None
    api_key: str | None
    headers: Mapping[str, str]
    verify: bool | str | os.PathLike[str]
    cert: str | os.PathLike[str] | tuple[str | os.PathLike[str], str | os.PathLike[str]] | None
    proxy: str | None
    trust_env: bool
    max_connections: int | None
    max_keepalive: int | None
    transport: Transport | httpx.BaseTransport | httpx.AsyncBaseTransport
    retry: RetrySettings | RetryConfig
    logging: LoggingSettings | LoggingConfig
    defaults: DefaultsSettings | DefaultsConfig
