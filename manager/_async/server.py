"""The server that a manager uses, reached through its supervisor."""

from __future__ import annotations

import threading
import time
import weakref
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Protocol, cast

import attrs

from manager.errors import ServerUnavailableError
from manager.events import ServerEvent
from manager.forks import renew_in_children
from manager.server_settings import same_server, server_settings, without_restart
from manager.status import Ownership, ServerState, ServerStatus, status_from_snapshot
from manager.waiting_async import wait_async

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from manager.config import ManagerConfig
    from manager.errors import OllamaManagerError
    from manager.events import EventName, Events
    from manager.supervisor.link import SupervisorLink
    from manager.supervisor.settings import ServerSettings
    from manager.supervisor.states import Snapshot

__all__ = ["AsyncServer"]


_ON_ITS_WAY_BACK = (ServerState.RESTARTING, ServerState.UNRESPONSIVE, ServerState.STOPPING)


class _Waiter(Protocol):
    """Who waits for the server, for so long at most."""

    def remaining(self) -> float | None: ...
    def waited(self, seconds: float) -> None: ...
    def timed_out(self, which: str) -> OllamaManagerError: ...


class AsyncServer:
    """Asks the supervisor for what a manager needs; knows nothing of requests.

    Args:
        config: Where the server is and how to start it.
        events: Hears of each change of its state.
        in_flight: Tells how many requests are under way, for a drain.
        waiting: Tells who waits for a runner, and whose answers were left.
        resend: Sends the requests of a model again that wait for a runner that is no more.
    """

    def __init__(
        self,
        config: ManagerConfig,
        events: Events,
        in_flight: Callable[[], int],
        waiting: Callable[[], Mapping[str, Any]],
        resend: Callable[[str], None],
    ) -> None:
        self._settings = server_settings(config)
        self._while_restarting = config.client.while_restarting
        self._awaiting: ServerSettings | None = None  # until the server is started anew
        self._events = events
        self._in_flight = in_flight
        self._waiting = waiting
        self._resend = resend
        self._suspicion: object = None  # the last one, and the last one that was cleared up
        self._cleared: object = None
        self._answered = False
        self._closed = False
        self._last_step: tuple[str | None, str | None, int] = (None, None, 0)
        self._made_link: SupervisorLink | None = None
        self._making_link = threading.Lock()
        renew_in_children(self)

    def after_fork(self) -> None:
        """In a forked child: take a lock that no thread of the parent holds."""
        self._making_link = threading.Lock()

    @property
    def _link(self) -> SupervisorLink:
        if self._made_link is None:
            # loaded when first needed: constructing a manager is to cost nothing
            from manager.supervisor.link import SupervisorLink

            with self._making_link:  # a second lease would never end
                if self._made_link is None:
                    self._made_link = SupervisorLink(
                        self._settings,
                        on_change=_weakly(self._changed),
                        in_flight=self._in_flight,
                        waiting=self._waiting,
                        resend=self._resend,
                    )
                    # one that is dropped without being closed gives its lease back, too
                    weakref.finalize(self, self._made_link.close).atexit = False
        return self._made_link

    def status(self) -> ServerStatus:
        """Return what is known; no I/O."""
        if self._closed:  # what goes on there is not known any more
            return ServerStatus(state=ServerState.STOPPED, host=self._settings.base_url)
        status = status_from_snapshot(self._link.snapshot)
        if status.ownership is Ownership.REMOTE and not self._answered:
            return attrs.evolve(status, state=ServerState.STOPPED)
        return status

    @property
    def is_ready(self) -> bool:
        """Whether requests can be sent, as far as is known."""
        return self._link.snapshot.state is ServerState.READY and not self._is_suspected

    @property
    def _is_suspected(self) -> bool:
        return self._suspicion is not self._cleared

    @property
    def context_length(self) -> int | None:
        """The context of models that have none of their own, where a manager has said so."""
        length = self._settings.env.get("OLLAMA_CONTEXT_LENGTH", "")
        is_managed = self._link.snapshot.ownership is Ownership.MANAGED
        return int(length) if is_managed and length.isdecimal() else None

    @property
    def is_supervised(self) -> bool:
        """Whether a supervisor tells when the server is ready, or starts another one."""
        return self._link.snapshot.ownership in (Ownership.MANAGED, Ownership.NONE)

    async def ready(self, waiter: _Waiter) -> None:
        """Return once requests can be sent; adopts or starts a server where needed.

        Raises:
            OllamaManagerError: There is none and none can be started, or it took too long.
        """
        if self._while_restarting == "fail" and self._link.snapshot.state in _ON_ITS_WAY_BACK:
            raise ServerUnavailableError(
                f"the Ollama server is {self._link.snapshot.state.value}",
                code="server_restarting",
                hint='try again in a moment, or set while_restarting = "wait" under [client]',
                retryable=False,
            )
        suspicion = self._suspicion
        wish = self._link.reacquire() if self._is_suspected else self._link.acquire()
        began = time.monotonic()
        try:
            await wait_async(wish, waiter.remaining())
            if self._suspicion is suspicion:  # what came up meanwhile is for the next to ask
                self._cleared = suspicion
        except TimeoutError:
            raise waiter.timed_out("total") from None
        finally:
            waiter.waited(time.monotonic() - began)

    def note_answer(self) -> None:
        """Note that the server has answered."""
        self._answered = True

    def suspect(self) -> None:
        """Ask the supervisor before the next request: one has just failed on the way."""
        self._suspicion = object()
        self._answered = False

    async def start(self) -> ServerStatus:
        """Start the server, or adopt the one that is there."""
        await self._take_what_waits()
        return status_from_snapshot(await wait_async(self._link.start()))

    async def stop(self) -> None:
        """Stop the managed server for everybody."""
        await wait_async(self._link.stop())

    async def restart(self) -> ServerStatus:
        """Stop the managed server and start it again, for everybody."""
        await self._take_what_waits()
        return status_from_snapshot(await wait_async(self._link.restart()))

    async def log(self, lines: int) -> list[str]:
        """Return the last lines of the managed server's log."""
        return await wait_async(self._link.log(lines))

    async def close(self) -> None:
        """End this manager's lease."""
        await wait_async(self._link.close())
        self._closed = True

    def use(self, config: ManagerConfig) -> None:
        """Use what a new configuration says of calls."""
        self._while_restarting = config.client.while_restarting

    @property
    def awaits_restart(self) -> bool:
        """Whether there are settings that wait for a server that runs to be started anew."""
        return self._awaiting is not None and self._runs

    async def _take_what_waits(self) -> None:
        if self._awaiting is not None and not self._runs:
            self._settings, self._awaiting = self._awaiting, None
            await wait_async(self._link.configure(self._settings))

    def change(
        self,
        config: ManagerConfig,
        *,
        again: bool,
        manual: bool = False,
        restart: bool = False,
    ) -> tuple[Future[None], Future[Any]]:
        """Ask for the settings of a new configuration; a server that runs is started anew.

        Args:
            config: The configuration.
            again: Whether what did not start the last time is tried once more.
            manual: Whether what needs a restart waits for the next one.
            restart: Whether the server is started anew in any case.

        Returns:
            When nobody has anything against it, and when the server runs with it.
        """
        settings = server_settings(config)
        self._awaiting = None
        if manual and self._runs:
            later = settings
            settings = without_restart(self._settings, later)
            if not same_server(settings, later):
                self._awaiting = later
        accepted: Future[None] = Future()
        done: Future[Any] = Future()
        if same_server(settings, self._settings) and not restart:
            accepted.set_result(None)
            done.set_result(None)
        elif self._made_link is None:
            self._settings = settings
            accepted.set_result(None)
            done.set_result(None)
        else:
            drain = config.server.on_change != "now"
            mode = "restart" if restart else "join"
            accepted, done = self._link.change(settings, drain=drain, again=again, mode=mode)
            self._settings = settings
        return accepted, done

    def restore(self, config: ManagerConfig) -> None:
        """Ask for the settings of a configuration that held before again."""
        self._awaiting = None
        self._settings = server_settings(config)
        if self._made_link is not None:
            self._made_link.configure(self._settings)

    @property
    def _runs(self) -> bool:
        if self._made_link is None:
            return False
        return self._link.snapshot.state not in (ServerState.STOPPED, ServerState.FAILED)

    def _changed(self, snapshot: Snapshot) -> None:
        """Tell the listeners; called on the link's thread."""
        step = (snapshot.event, snapshot.cause, snapshot.generation)
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


def _weakly(method: Callable[[Snapshot], None]) -> Callable[[Snapshot], None]:
    """Return what calls a method for as long as its object is there."""
    reference = weakref.WeakMethod(method)

    def call(snapshot: Snapshot) -> None:
        if (alive := reference()) is not None:
            alive(snapshot)

    return call
