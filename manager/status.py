"""What is known of the server at a moment."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import attrs

from manager.supervisor.failures import from_dict
from manager.supervisor.states import Ownership, ServerState

if TYPE_CHECKING:
    from manager.supervisor.states import Snapshot

__all__ = ["Ownership", "ServerState", "ServerStatus", "status_from_snapshot"]


@attrs.frozen(kw_only=True)
class ServerStatus:
    """A snapshot of the server that a manager uses.

    Attributes:
        state: ``stopped``, ``starting``, ``ready``, ``unresponsive``, ``restarting``,
            ``stopping`` or ``failed``. A remote server is ``stopped`` until it has answered once.
        host: The base URL.
        ownership: ``managed`` (a manager started it), ``foreign`` (somebody else did), ``remote``
            (not on this machine) or ``none`` (there is no server).
        pid: The process id, where a manager started it.
        version: The version of Ollama, once known.
        restarts: How often it was started again after a crash.
        uptime: Seconds since it was ready, where known.
        last_error: What it last failed with, as ``error.to_dict()`` gives it.
    """

    state: ServerState
    host: str
    ownership: Ownership = Ownership.NONE
    pid: int | None = None
    version: str | None = None
    restarts: int = 0
    uptime: float | None = None
    last_error: dict[str, Any] | None = None

    @property
    def owned(self) -> bool:
        """Whether the server is managed, so that it may be stopped and restarted."""
        return self.ownership is Ownership.MANAGED

    def to_dict(self) -> dict[str, Any]:
        """Return the snapshot as JSON-ready data."""
        return {
            **attrs.asdict(self),
            "state": self.state.value,
            "ownership": self.ownership.value,
            "owned": self.owned,
        }


def status_from_snapshot(snapshot: Snapshot) -> ServerStatus:
    """Return the public form of the supervisor's snapshot."""
    started = snapshot.started_at
    return ServerStatus(
        state=snapshot.state,
        host=snapshot.host,
        ownership=snapshot.ownership,
        pid=snapshot.pid,
        version=snapshot.version,
        restarts=snapshot.restarts,
        uptime=None if started is None else max(0.0, time.monotonic() - started),
        last_error=None
        if snapshot.last_error is None
        else from_dict(snapshot.last_error).to_dict(),
    )
