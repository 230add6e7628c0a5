"""What a manager asks of the server: plain data that crosses the wire."""

from __future__ import annotations

from math import inf

from manager.supervisor import wire_values as wire
from manager.supervisor.records import Record
from manager.supervisor.restarts import RestartPolicy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

__all__ = ["LivenessPolicy", "ServerSettings", "connect_host", "server_address"]

_NOTHING: Mapping[str, str] = {}
_POLICIES = (
    "start_timeout",
    "stop_timeout",
    "drain_timeout",
    "restart",
    "liveness",
    "runner_timeout",
)
_LOCALHOST = {"localhost": "127.0.0.1", "": "127.0.0.1"}
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


class LivenessPolicy(Record):
    """When a server that is alive but does not answer is replaced.

    Args:
        interval: Seconds between probes of a ready server; 0 turns them off.
        timeout: Seconds that one probe may take.
        threshold: How many silent probes in a row mean that it hangs.
    """

    interval: float = 5.0
    timeout: float = 5.0
    threshold: int = 3


class ServerSettings(Record):
    """How to reach, start and stop the server.

    Only what was set explicitly belongs into ``binary`` and ``env``: managers that share a server
    are compared by it.

    Args:
        host: The name or IP address that the server listens on.
        port: Its port.
        base_url: How clients reach it.
        remote: Whether it is on another machine, and so none of ours to start or stop.
        binary: The program and its first arguments; None: look for ``ollama``.
        env: Environment of the server over that of the process that starts it.
        autostart: Whether a call that needs the server may start it.
        linger: Seconds that the server stays after this lease ends; infinite: until stopped.
        start_timeout: Seconds until it must have answered.
        stop_timeout: Seconds between SIGTERM and SIGKILL.
        drain_timeout: Seconds that requests in flight get before a stop or restart.
        log_dir: Where the log goes; None: the platform's folder for state.
        restart: What follows a death.
        liveness: What follows silence.
        runner_timeout: Seconds that a runner may do nothing while an answer of it is waited for;
            0: for ever.
        file: The configuration file that the manager follows, if it does.
        filed: What of ``binary`` and ``env`` it has from there, by name.
        read_at: When that file was read, on the monotonic clock, in seconds.
    """

    host: str = "127.0.0.1"
    port: int = 11434
    base_url: str = "http://127.0.0.1:11434"
    remote: bool = False
    binary: tuple[str, ...] | None = None
    env: Mapping[str, str] = _NOTHING
    autostart: bool = True
    linger: float = 0.0
    start_timeout: float = 120.0
    stop_timeout: float = 5.0
    drain_timeout: float = 5.0
    log_dir: str | None = None
    restart: RestartPolicy = RestartPolicy()
    liveness: LivenessPolicy = LivenessPolicy()
    runner_timeout: float = 30.0
    file: str | None = None
    filed: tuple[str, ...] = ()
    read_at: float = 0.0

    @property
    def address(self) -> str:
        """The name of the server's address: one supervisor for each."""
        return server_address(self.host, self.port)

    def with_policies_of(self, other: ServerSettings) -> ServerSettings:
        """Return these settings with another's patience and answers to faults.

        Args:
            other: Whose; what a server is started with stays as it is here.
        """
        return self.replace(**{name: getattr(other, name) for name in _POLICIES})

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-ready data; an endless linger is null."""
        linger = None if self.linger == inf else self.linger
        return {**super().to_dict(), "linger": linger, "env": dict(self.env)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ServerSettings:
        """Read settings back; keys of a newer version are left out.

        Args:
            data: What ``to_dict`` gave, possibly in another process.

        Returns:
            The settings.

        Raises:
            BadMessageError: A value is of the wrong kind.
        """
        values = wire.known(data, _CHECKS)
        if "linger" in values and values["linger"] is None:
            values["linger"] = inf
        return cls(**values)

    def difference(
        self, command: tuple[str, ...], environ: Mapping[str, str], wanted: tuple[str, ...]
    ) -> list[str]:
        """Name what a running server has otherwise than these settings ask for explicitly.

        Args:
            command: The words that the running server was started with.
            environ: The environment that it was started with.
            wanted: The words that these settings come to on this machine.

        Returns:
            The names of the differing keys, sorted; empty when the server will do.
        """
        keys = ["binary"] if self.binary is not None and command != wanted else []
        keys += [k for k, v in self.env.items() if k != "OLLAMA_HOST" and environ.get(k) != v]
        return sorted(keys)


def connect_host(host: str) -> str:
    """Return where to connect for a server that listens on ``host``.

    Args:
        host: A name or IP address, possibly a wildcard.

    Returns:
        The loopback address for wildcards and ``localhost``, else the host itself.
    """
    host = host.strip("[]")
    return _WILDCARDS.get(host) or _LOCALHOST.get(host.lower()) or host


def server_address(host: str, port: int) -> str:
    """Return the one spelling of an address that all managers share.

    Args:
        host: A name or IP address.
        port: The port.

    Returns:
        ``host:port``, with brackets for IPv6.
    """
    host = host.strip("[]").lower()
    host = _LOCALHOST.get(host, host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _restart(value: Any) -> RestartPolicy:
    numbers = dict.fromkeys(RestartPolicy().to_dict(), wire.number)
    return RestartPolicy(**wire.known(wire.mapping(value, wire.anything), numbers))


def _liveness(value: Any) -> LivenessPolicy:
    numbers = dict.fromkeys(LivenessPolicy().to_dict(), wire.seconds)
    return LivenessPolicy(**wire.known(wire.mapping(value, wire.anything), numbers))


def _port(value: Any) -> int:
    if not 0 < wire.number(value) < 65536 or not isinstance(value, int):
        raise wire.BadMessageError(f"expected a port, got {value!r:.80}")
    return value


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "host": wire.text,
    "port": _port,
    "base_url": wire.text,
    "remote": wire.flag,
    "binary": wire.optional(wire.words),
    "env": lambda value: wire.mapping(value, wire.text),
    "autostart": wire.flag,
    "linger": wire.optional(wire.seconds),
    "start_timeout": wire.seconds,
    "stop_timeout": wire.seconds,
    "drain_timeout": wire.seconds,
    "log_dir": wire.optional(wire.text),
    "restart": _restart,
    "liveness": _liveness,
    "runner_timeout": wire.seconds,
    "file": wire.optional(wire.text),
    "filed": wire.words,
    "read_at": wire.seconds,
}
