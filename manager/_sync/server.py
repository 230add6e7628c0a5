# generated from manager/_async/server.py by codegen.sh - do not edit
"""The server that a manager uses, reached through its supervisor."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol, cast

import attrs

from manager.events import ServerEvent
from manager.server_settings import server_settings
from manager.status import Ownership, ServerState, ServerStatus, status_from_snapshot
from manager.waiting import wait_sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from manager.config import ManagerConfig
    from manager.errors import OllamaManagerError
    from manager.events import EventName, Events
    from manager.supervisor.link import SupervisorLink
    from manager.supervisor.states import Snapshot

__all__ = ["Server"]


class _Waiter(Protocol):
    """Who waits for the server, for so long at most."""

    def remaining(self) -> float | None: ...
    def timed_out(self, which: str) -> OllamaManagerError: ...


class Server:
    """Asks the supervisor for what a manager needs; knows nothing of requests.

    Args:
        config: Where the server is and how to start it.
        events: Hears of each change of its state.
        in_flight: Tells how many requests are under way, for a drain.
    """

    def __init__(self, config: ManagerConfig, events: Events, in_flight: Callable[[], int]) -> None:
        self._settings = server_settings(config)
        self._events = events
        self._in_flight = in_flight
        self._suspected = False
        self._answered = False
        self._closed = False
        self._last_step: tuple[str | None, int] = (None, 0)
        self._made_link: SupervisorLink | None = None
        self._making_link = threading.Lock()

    @property
    def _link(self) -> SupervisorLink:
        if self._made_link is None:
            # loaded when first needed: constructing a manager is to cost nothing
            from manager.supervisor.link import SupervisorLink

            with self._making_link:  # a second lease would never end
                if self._made_link is None:
                    self._made_link = SupervisorLink(
                        self._settings, on_change=self._changed, in_flight=self._in_flight
                    )
        return self._made_link

    def status(self) -> ServerStatus:
        """Return what is known; no I/O."""
        if self._closed:  # what goes on there is not known any more
            return ServerStatus(state=ServerState.STOPPED, host=self._settings.base_url)
        status = status_from_snapshot(self._link.snapshot)
        if status.ownership is Ownership.REMOTE and not self._answered:
            return attrs.evolve(status, state=ServerState.STOPPED)
        return status

    def ready(self, waiter: _Waiter) -> None:
        """Return once requests can be sent; adopts or starts a server where needed.

        Raises:
            OllamaManagerError: There is none and none can be started, or it took too long.
        """
        if self._link.snapshot.state is ServerState.READY and not self._suspected:
            return
        self._suspected = False
        try:
            wait_sync(self._link.acquire(), waiter.remaining())
        except TimeoutError:
            raise waiter.timed_out("total") from None

    def note_answer(self) -> None:
        """Note that the server has answered."""
        self._answered = True

    def suspect(self) -> None:
        """Ask the supervisor before the next request: one has just failed on the way."""
        self._suspected = True
        self._answered = False

    def start(self) -> ServerStatus:
        """Start the server, or adopt the one that is there."""
        return status_from_snapshot(wait_sync(self._link.start()))

    def stop(self) -> None:
        """Stop the managed server for everybody."""
        wait_sync(self._link.stop())

    def restart(self) -> ServerStatus:
        """Stop the managed server and start it again, for everybody."""
        return status_from_snapshot(wait_sync(self._link.restart()))

    def log(self, lines: int) -> list[str]:
        """Return the last lines of the managed server's log."""
        return wait_sync(self._link.log(lines))

    def close(self) -> None:
        """End this manager's lease."""
        wait_sync(self._link.close())
        self._closed = True

    def configure(self, config: ManagerConfig) -> None:
        """Use a new configuration; where the server's has changed, it restarts with it.

        Raises:
            ConfigError: Other managers use the server with the settings that it has.
        """
        settings = server_settings(config)
        if settings != self._settings:
            wait_sync(self._link.reconfigure(settings))
            self._settings = settings

    def _changed(self, snapshot: Snapshot) -> None:
        """Tell the listeners; called on the link's thread."""
        step = (snapshot.event, snapshot.generation)
        if snapshot.event is None or step == self._last_step:  # it may be heard of twice
            return
        self._last_step = step
        if self._events.active:
            self._events.emit(
                ServerEvent(
                    name=cast("EventName", snapshot.event),
                    status=status_from_snapshot(snapshot),
                    cause=snapshot.cause,
                )
            )
