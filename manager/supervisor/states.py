"""What a server can be doing, and the record of it that managers see.

| state        | meaning                                   | leads to                             |
|--------------|-------------------------------------------|--------------------------------------|
| stopped      | no server of ours                         | starting                             |
| starting     | port checked, program spawned, no answer  | ready failed stopping restarting     |
|              |                                           | stopped                              |
| ready        | answered with Ollama's HTTP 200           | restarting unresponsive stopping     |
|              |                                           | stopped                              |
| unresponsive | alive, but the liveness probe got nothing | ready restarting stopping            |
| restarting   | died or asked to restart, on its way back | ready failed stopping stopped        |
| stopping     | draining, or on its way out               | stopped starting                     |
| failed       | given up; ``last_error`` says why         | starting stopped                     |
"""

from __future__ import annotations

from enum import StrEnum

from manager.supervisor.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["TRANSITIONS", "Ownership", "ServerState", "Snapshot", "may_follow"]


class ServerState(StrEnum):
    """What the server is doing."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    UNRESPONSIVE = "unresponsive"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    FAILED = "failed"


class Ownership(StrEnum):
    """Whose server it is: ours, another program's, another machine's, or there is none."""

    MANAGED = "managed"
    FOREIGN = "foreign"
    REMOTE = "remote"
    NONE = "none"


_S = ServerState
TRANSITIONS: Mapping[ServerState, frozenset[ServerState]] = {
    _S.STOPPED: frozenset({_S.STARTING}),
    _S.STARTING: frozenset({_S.READY, _S.FAILED, _S.STOPPING, _S.RESTARTING, _S.STOPPED}),
    _S.READY: frozenset({_S.RESTARTING, _S.UNRESPONSIVE, _S.STOPPING, _S.STOPPED}),
    _S.UNRESPONSIVE: frozenset({_S.READY, _S.RESTARTING, _S.STOPPING}),
    _S.RESTARTING: frozenset({_S.READY, _S.FAILED, _S.STOPPING, _S.STOPPED}),
    _S.STOPPING: frozenset({_S.STOPPED, _S.STARTING}),
    _S.FAILED: frozenset({_S.STARTING, _S.STOPPED}),
}


def may_follow(before: ServerState, after: ServerState) -> bool:
    """Tell whether a server may go from one state to another; staying is always allowed.

    Args:
        before: The state that it is in.
        after: The state that it would be in.

    Returns:
        Whether the state table has that step.
    """
    return before is after or after in TRANSITIONS[before]


class Snapshot(Record):
    """All that is known about the server at one moment.

    Args:
        state: What the server is doing.
        ownership: Whose it is.
        host: Its base URL.
        pid: Its process id, where it is ours.
        version: What it said its version is.
        restarts: How often it was started again by itself since it was first started.
        started_at: When it became ready, on the monotonic clock, in seconds.
        last_error: The last thing that went wrong, in the form of ``OllamaManagerError.to_dict``.
        generation: Grows with every new server process (or adoption) that this manager sees.
        event: The name of the step that led here, such as ``server.crashed``.
        cause: Why, in words.
        exit_code: How the last server process ended; negative: by that signal.
        leases: How many managers hold a lease.
        log_path: Where the server's log is.
        supervisor_pid: The process that looks after the server.
    """

    state: ServerState
    ownership: Ownership
    host: str
    pid: int | None = None
    version: str | None = None
    restarts: int = 0
    started_at: float | None = None
    last_error: Mapping[str, Any] | None = None
    generation: int = 0
    event: str | None = None
    cause: str | None = None
    exit_code: int | None = None
    leases: int = 0
    log_path: str | None = None
    supervisor_pid: int | None = None

    @property
    def ready(self) -> bool:
        """Whether requests can be sent."""
        return self.state is ServerState.READY

    def gone(self, event: str | None, cause: str) -> Snapshot:
        """Return what is left of this one once the server is no more.

        Args:
            event: The name of the step; None where the server itself took none.
            cause: Why, in words.

        Returns:
            A stopped snapshot.
        """
        return self.replace(
            state=ServerState.STOPPED,
            ownership=Ownership.NONE,
            pid=None,
            started_at=None,
            supervisor_pid=None,
            leases=0,
            event=event,
            cause=cause,
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Snapshot:
        """Read a snapshot back; keys of a newer version are left out.

        Args:
            data: What ``to_dict`` gave, possibly in another process.

        Returns:
            The snapshot.
        """
        known = {key: value for key, value in data.items() if key in cls._fields}
        known["state"] = ServerState(known["state"])
        known["ownership"] = Ownership(known["ownership"])
        return cls(**known)
