"""What there is at an address, and starting a supervisor where there is nothing."""

from __future__ import annotations

import os
from typing import NamedTuple

from manager.supervisor import failures
from manager.supervisor.attach import attach, supported
from manager.supervisor.binary import find_command
from manager.supervisor.probe import Verdict, probe_now
from manager.supervisor.processes import leftovers
from manager.supervisor.settings import connect_host, server_address
from manager.supervisor.spawn import spawn_supervisor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from manager.supervisor.attach import Channel
    from manager.supervisor.settings import ServerSettings

__all__ = ["Finding", "look", "start_supervisor"]

_PROBE_TIMEOUT = 2.0
_TRIES = 3


class Finding(NamedTuple):
    """What was found: a supervisor, or else what has the port.

    Args:
        channel: A greeted connection to the supervisor; None: there is none.
        verdict: What has the port, where there is no supervisor.
        version: The version of the Ollama there.
    """

    channel: Channel | None
    verdict: Verdict
    version: str | None = None

    @property
    def foreign(self) -> bool:
        """Whether an Ollama server answers there that no manager started."""
        return self.channel is None and self.verdict is Verdict.OLLAMA


def look(host: str, port: int) -> Finding:
    """Find out what is at an address, without changing anything there.

    Args:
        host: Where the server listens.
        port: Its port.

    Returns:
        What is there. A server that outlived its supervisor counts as a free port: the next
        supervisor removes it.

    Raises:
        ServerUnavailableError: When there is a supervisor that this program cannot talk to.
    """
    address = server_address(host, port)
    channel = attach(address)
    if channel is not None:
        return Finding(channel, Verdict.OLLAMA)
    verdict, version = probe_now(connect_host(host), port, _PROBE_TIMEOUT)
    if verdict is Verdict.FREE:
        return Finding(None, verdict)
    # A managed server has had its supervisor from before it answered: look once more.
    channel = attach(address)
    if channel is not None:
        return Finding(channel, verdict, version)
    if leftovers(address):
        return Finding(None, Verdict.FREE)
    if verdict is Verdict.OLLAMA:
        # A server that was dying with its supervisor answers no more by now.
        verdict, version = probe_now(connect_host(host), port, _PROBE_TIMEOUT)
    return Finding(None, verdict, version)


def start_supervisor(settings: ServerSettings) -> Channel:
    """Start a supervisor for an address, unless another manager is quicker.

    Args:
        settings: Whose address, and which program to start there.

    Returns:
        A greeted connection.

    Raises:
        ServerNotFoundError: When there is no program to start.
        ServerStartError: When the supervisor did not come up.
        ServerUnavailableError: Where servers cannot be started, or when it ends at once.
    """
    if not supported():
        raise failures.start_unsupported(settings.address)
    find_command(settings.binary, os.environ)  # says at once what is missing
    for _ in range(_TRIES):
        spawn_supervisor(settings.host, settings.port)
        channel = attach(settings.address)
        if channel is not None:
            return channel
    raise failures.ends_again(settings.address)
