"""What the configuration means for the supervisor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manager.supervisor.agreement import BINARY
from manager.supervisor.restarts import RestartPolicy
from manager.supervisor.settings import LivenessPolicy, ServerSettings

if TYPE_CHECKING:
    from manager.config import ManagerConfig

__all__ = ["same_server", "server_settings", "without_restart"]


def server_settings(config: ManagerConfig) -> ServerSettings:
    """Return the supervisor's settings: only what was set explicitly is in ``env``."""
    server = config.server
    return ServerSettings(
        host=server.host.host,
        port=server.host.port,
        base_url=server.host.base_url,
        remote=not server.host.is_local,
        binary=server.binary,
        env=config.server_environment(),
        autostart=server.autostart,
        linger=server.linger,
        start_timeout=server.start_timeout,
        stop_timeout=server.stop_timeout,
        drain_timeout=server.drain_timeout,
        restart=RestartPolicy(
            initial_delay=server.restart_initial_delay,
            max_delay=server.restart_max_delay,
            multiplier=server.restart_multiplier,
            max_failures=server.crash_loop_limit,
        ),
        liveness=LivenessPolicy(
            interval=server.liveness_interval,
            timeout=server.liveness_timeout,
            threshold=server.liveness_threshold,
        ),
        runner_timeout=server.runner_timeout,
        file=config.source.expected_path,
        filed=_from_file(config),
        read_at=config.source.read_at,
    )


def without_restart(running: ServerSettings, wanted: ServerSettings) -> ServerSettings:
    """Return the settings that a server runs with, and of others what needs no restart."""
    return running.with_policies_of(wanted).replace(
        linger=wanted.linger, autostart=wanted.autostart
    )


def same_server(one: ServerSettings, other: ServerSettings) -> bool:
    """Say whether the supervisor need not hear that the one settings have become the other."""
    return one.replace(read_at=0.0) == other.replace(read_at=0.0)


def _from_file(config: ManagerConfig) -> tuple[str, ...]:
    """Name what is in ``binary`` and ``env`` because the file says so."""
    names: list[str] = []
    environment = config.server_environment()
    for path, origin in config.source.origins.items():
        table, _, key = path.partition(".")
        if origin.kind != "file" or table != "server":
            continue
        if key == "env":
            names += config.server.env
        elif key == "binary":
            names.append(BINARY)
        elif f"OLLAMA_{key.upper()}" in environment:
            names.append(f"OLLAMA_{key.upper()}")
    return tuple(sorted(names))
