"""Which server and model a demonstration happens on."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING

import attrs

from manager import OllamaManager
from manager.config import ClientConfig, ConfigSource, DefaultsConfig, RetryConfig, ServerConfig
from manager.errors import OllamaManagerError, ServerNotFoundError
from manager.hosts import parse_host
from manager.server_settings import server_settings
from manager.simulator.command import is_simulator, simulator_command
from manager.supervisor.binary import find_command
from manager.supervisor.logfile import log_path

if TYPE_CHECKING:
    from manager import ListModelResponse, ManagerConfig

__all__ = ["Stage", "chat_model", "embed_model", "find_stage", "free_port", "remove_log"]


@attrs.frozen(kw_only=True)
class Stage:
    """Where a demonstration happens.

    Attributes:
        config: The configuration of its manager.
        simulated: Whether the server is only a simulation.
        reason: Why this server and no other.
        program: The words that start the server.
    """

    config: ManagerConfig
    simulated: bool
    reason: str
    program: tuple[str, ...]


def find_stage(base: ManagerConfig) -> Stage:
    """Choose the real server if there is one with a model to talk to, else the simulator.

    Nothing of the user's is touched: the models are listed by a server of our own on a private
    port, which is told to prune nothing, and is gone when this returns.

    Args:
        base: The user's configuration: which program, which folder of models.
    """
    try:
        program = find_command(base.server.binary, os.environ)
    except ServerNotFoundError as error:
        return _simulated(base, error.message)
    stage = Stage(
        config=_private(base, program=program),
        simulated=is_simulator(program),
        reason="",
        program=program,
    )
    try:
        with OllamaManager(stage.config) as manager:
            model = chat_model(manager, manager.list_models())
    except OllamaManagerError as error:
        return _simulated(base, f"{program[0]} does not start: {error.message}")
    finally:
        remove_log(stage.config)
    if model is None:
        return _simulated(base, f"{program[0]} has no local model to talk to")
    if stage.simulated:
        return attrs.evolve(stage, reason="the configuration names the simulator as its program")
    return attrs.evolve(stage, reason=f"{program[0]} has the local model {model.name}")


def chat_model(manager: OllamaManager, models: list[ListModelResponse]) -> ListModelResponse | None:
    """Return the smallest local model that one can talk to."""
    return _smallest(manager, models, "completion")


def embed_model(
    manager: OllamaManager, models: list[ListModelResponse]
) -> ListModelResponse | None:
    """Return the smallest local model that is made for embeddings."""
    return _smallest(manager, models, "embedding")


def _smallest(
    manager: OllamaManager, models: list[ListModelResponse], capability: str
) -> ListModelResponse | None:
    # a cloud model is small, but it is not here
    local = [model for model in models if not model.remote_host]
    for model in sorted(local, key=lambda model: (model.size, model.name)):
        known = model.capabilities
        if known is None:  # servers before 0.32 tell it in /api/show alone
            known = manager.show_model(model.name).capabilities
        if capability in (known or ()):
            return model
    return None


def remove_log(config: ManagerConfig) -> None:
    """Remove the log of a server on a private port."""
    settings = server_settings(config)
    with contextlib.suppress(OSError):
        os.unlink(log_path(settings.address, settings.log_dir))


def free_port() -> int:
    """Return a port of the loopback interface that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _simulated(base: ManagerConfig, reason: str) -> Stage:
    program = tuple(simulator_command())
    server = ServerConfig(host=parse_host(f"127.0.0.1:{free_port()}"), binary=program, watch=False)
    return Stage(
        config=attrs.evolve(_neutral(base), server=server),
        simulated=True,
        reason=reason,
        program=program,
    )


def _private(base: ManagerConfig, program: tuple[str, ...]) -> ManagerConfig:
    server = attrs.evolve(
        base.server,
        host=parse_host(f"127.0.0.1:{free_port()}"),
        binary=program,
        autostart=True,
        linger=0.0,
        watch=False,
        env={name: text for name, text in base.server.env.items() if name != "OLLAMA_NOPRUNE"},
        noprune=True,
    )
    return attrs.evolve(_neutral(base), server=server)


def _neutral(base: ManagerConfig) -> ManagerConfig:
    """Leave out what concerns the user's own calls, and where values came from."""
    return attrs.evolve(
        base,
        client=ClientConfig(),
        retry=RetryConfig(),
        defaults=DefaultsConfig(),
        source=ConfigSource(),
    )
