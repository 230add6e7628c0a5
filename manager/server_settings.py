"""What the configuration means for the supervisor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manager.supervisor.restarts import RestartPolicy
from manager.supervisor.settings import LivenessPolicy, ServerSettings

if TYPE_CHECKING:
    from manager.config import ManagerConfig

__all__ = ["server_settings"]


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
    )
