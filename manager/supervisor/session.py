"""A manager's dealings with the server, on the link's own thread: attach, adopt, spawn, listen."""

from __future__ import annotations

import os
import time

from manager.errors import (
    OllamaManagerError,
    ServerNotFoundError,
    ServerStartError,
    ServerUnavailableError,
)
from manager.supervisor import failures
from manager.supervisor.attach import kill_hung
from manager.supervisor.binary import find_command
from manager.supervisor.finding import look, start_supervisor
from manager.supervisor.foreign import ForeignWatch
from manager.supervisor.heartbeat import Heartbeat
from manager.supervisor.logfile import log_path, read_tail
from manager.supervisor.probe import Verdict
from manager.supervisor.settings import connect_host
from manager.supervisor.states import Ownership, ServerState, Snapshot
from manager.supervisor.stragglers import Stragglers
from manager.supervisor.wishes import Wish, fail, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future
    from typing import Any

    from manager.supervisor.attach import Channel
    from manager.supervisor.finding import Finding
    from manager.supervisor.settings import ServerSettings

__all__ = ["Session"]

_COMEBACK = 5.0
_LOOK_AGAIN = 0.1
_ATTEMPTS = 8
_CLOSE_GRACE = 10.0
_RELEASE_ID = 0
_PING_ID = -1


class Session:
    """All dealings of one link. Every method runs on the link's thread.

    Args:
        settings: What the manager asks for.
        publish: Hears of every new snapshot.
        in_flight: Counts the manager's requests in flight.
        snapshot: What is known so far.
        waiting: Tells who waits for a runner, and whose answers were left.
        resend: Sends the requests of a model again that wait for a runner that is no more.
    """

    def __init__(
        self,
        settings: ServerSettings,
        publish: Callable[[Snapshot], None],
        in_flight: Callable[[], int],
        snapshot: Snapshot,
        waiting: Callable[[], Mapping[str, Any]],
        resend: Callable[[str], None],
    ) -> None:
        self.settings: ServerSettings = settings
        self.snapshot: Snapshot = snapshot
        self.stopped: bool = False
        self.finished: bool = False
        self.channel: Channel | None = None
        self.foreign: ForeignWatch | None = None
        self._publish = publish
        self._in_flight = in_flight
        self._waiting = waiting
        self._resend = resend
        self._asked: dict[int, Wish] = {}
        self._delayed: list[Wish] = []
        self._closing: list[Future[None]] = []
        self._next_id = _RELEASE_ID
        self._life: tuple[int | None, int] = (None, 0)
        self._awaited_until = 0.0
        self._look_at: float | None = None
        self._stragglers = Stragglers(settings.address)
        self._heartbeat = Heartbeat()
        self._proven = settings  # the last ones that a server came up with

    # Commands

    def acquire(self, future: Future[Snapshot], mode: str) -> None:
        """Get a ready server: join a managed one, adopt a foreign one, or start one."""
        wish = Wish(future, mode)
        if wish.explicit:
            self.stopped = False
        self._grant(wish)

    def configure(self, settings: ServerSettings) -> None:
        """Ask for these settings from now on; they are known to be good."""
        self.settings = self._proven = settings

    def change(
        self,
        settings: ServerSettings,
        accepted: Future[None],
        future: Future[Snapshot],
        mode: str,
        how: Mapping[str, Any],
    ) -> None:
        """Ask for other settings from now on; a server that runs is started anew with them.

        Args:
            settings: What is asked for.
            accepted: Resolves when nobody has anything against it.
            future: Gets the snapshot of the server that came up with them. Where it fails, what
                is asked for is what it was before.
            mode: ``join`` or ``restart``.
            how: See ``lease_request.Change``.
        """
        self.settings = settings
        wish = Wish(future, mode, change=how, accepted=accepted)
        if wish.explicit:
            self.stopped = False
        if self.channel is None and not wish.explicit:
            wish.resolve(self.snapshot)  # there is nothing to be started anew
        else:
            self._grant(wish)

    def stop(self, future: Future[Snapshot]) -> None:
        """Stop the managed server, for everybody."""
        self._grant(Wish(future, "stop"))

    def log(self, future: Future[list[str]], lines: int) -> None:
        """Read the end of the server's log."""
        address = self.settings.address
        if self.snapshot.ownership is Ownership.FOREIGN:
            fail(future, failures.not_owned(address, "asked for its log", remote=False))
            return
        path = self.snapshot.log_path or log_path(address, self.settings.log_dir)
        resolve(future, read_tail(path, lines))

    def close(self, future: Future[None]) -> None:
        """End the lease; if it was the last, see everything go first."""
        self._closing.append(future)
        self._refuse_delayed(failures.closed())
        if self.channel is None:
            self.finished = True
        else:
            left = self._waiting().get("left", {})
            self.channel.send({"id": _RELEASE_ID, "op": "release", "left": left})
            self._look_at = time.monotonic() + self.settings.stop_timeout + _CLOSE_GRACE

    # Events

    def timeout(self) -> float | None:
        """Seconds until ``tick`` is due."""
        beat = self._heartbeat.due() if self._awaited() else None
        times = [at for at in (self._look_at, self._stragglers.due(), beat) if at is not None]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def tick(self) -> None:
        """The time has come to look again, if it has."""
        self._stragglers.tick()
        self._check_supervisor()
        if self._look_at is None or time.monotonic() < self._look_at:
            return
        self._look_at = None
        if self._closing:
            self.finished = True  # it takes too long; the end of the connection ends the lease
            return
        delayed, self._delayed = self._delayed, []
        for wish in delayed:
            self._grant(wish)

    def channel_readable(self) -> None:
        """The supervisor said something, or ended."""
        messages = self.channel.receive() if self.channel is not None else []
        if messages is None:
            self._supervisor_gone()
            return
        if messages:
            self._heartbeat.heard()
        for message in messages:
            self._heard(message)

    def foreign_readable(self) -> None:
        """The connection that watches a foreign server has ended."""
        if self.foreign is None:
            return
        if self.foreign.answers():
            self.foreign.renew()
        else:
            self._foreign_vanished()

    def forget_server(self) -> None:
        """Show no server as usable: this session ends without its manager having closed it."""
        if self.snapshot.state not in (ServerState.STOPPED, ServerState.FAILED):
            self._show(self.snapshot.gone(None, "the link to its supervisor failed"))

    def clean_up(self) -> None:
        """Kill what a dead supervisor left, if that is still to be done."""
        self._stragglers.finish()

    def tell_closed(self) -> None:
        """Tell those who closed it that the lease has ended."""
        for closing in self._closing:
            resolve(closing, None)

    def drop_connections(self) -> None:
        """Close the sockets: the end of the lease, unless a parent process goes on with them."""
        self._detach()
        if self.foreign is not None:
            self.foreign.close()
            self.foreign = None

    # Granting wishes

    def _grant(self, wish: Wish) -> None:
        try:
            if self._closing:
                raise failures.closed()
            if self.stopped and not wish.explicit:
                raise failures.stopped()
            wish.attempts += 1
            if wish.attempts > _ATTEMPTS:
                raise failures.ends_again(self.settings.address)
            if self.channel is None:
                found = look(self.settings.host, self.settings.port)
                self.channel = found.channel or self._without_supervisor(wish, found)
            if self.channel is not None:
                self._ask(wish, self.channel)
        except Exception as error:  # this wish fails; nothing was begun that others depend on
            if isinstance(error, ServerStartError):
                self._show_failed(error)
            wish.fail(error)

    def _show_failed(self, error: ServerStartError) -> None:
        """Nothing could be started, and no supervisor is there to say so."""
        self._show(
            self.snapshot.replace(
                state=ServerState.FAILED,
                ownership=Ownership.NONE,
                event="server.failed",
                cause=error.message,
                last_error=error.to_dict(),
                pid=None,
                started_at=None,
            )
        )

    def _without_supervisor(self, wish: Wish, found: Finding) -> Channel | None:
        """Adopt what answers, or start a supervisor; None when nothing is left to be asked."""
        settings = self.settings
        # An adopted one that is merely slow is left to the time limits of the requests.
        slow = self.foreign is not None and found.verdict is Verdict.SILENT
        foreign = found.foreign or slow
        if foreign and wish.mode in _DONE:
            raise failures.not_owned(settings.address, _DONE[wish.mode], remote=False)
        if wish.mode == "stop":
            self._after_stop()
            wish.resolve(self.snapshot)
            return None
        if foreign:
            if self.foreign is None:
                self._adopt(found.version)
            wish.resolve(self.snapshot)
            return None
        if self.foreign is not None:
            self._foreign_vanished()
        if found.verdict is not Verdict.FREE:
            silent = found.verdict is Verdict.SILENT
            raise failures.port_in_use(settings.address, silent=silent)
        if not wish.explicit:
            if not settings.autostart:
                raise failures.not_running(settings.address)
            if time.monotonic() < self._awaited_until:
                wish.attempts = 0
                self._delayed.append(wish)
                self._look_at = time.monotonic() + _LOOK_AGAIN
                return None
        try:
            return start_supervisor(settings)
        except OllamaManagerError:
            raise
        except Exception as error:
            raise failures.spawn_failed(error) from error

    def _ask(self, wish: Wish, channel: Channel) -> None:
        if self.foreign is not None:  # a managed server has taken its place
            self.foreign.close()
            self.foreign = None
        self._next_id += 1
        request: dict[str, Any] = {"id": self._next_id, "op": "stop"}
        if wish.mode != "stop":
            wish.settings = self.settings
            request |= {"op": "lease", "mode": wish.mode, "settings": self.settings.to_dict()}
            if wish.change is not None:
                request["change"] = dict(wish.change)
            try:
                request["command"] = find_command(self.settings.binary, os.environ)
            except ServerNotFoundError as missing:
                wish.missing = missing  # no matter if there is a running server to join
        channel.send(request)
        self._asked[self._next_id] = wish

    # Foreign servers

    def _adopt(self, version: str | None) -> None:
        settings = self.settings
        self.foreign = ForeignWatch(connect_host(settings.host), settings.port)
        self._awaited_until = 0.0
        self._show(
            Snapshot(
                ServerState.READY,
                Ownership.FOREIGN,
                settings.base_url,
                version=version,
                generation=self.snapshot.generation + 1,
                event="server.adopted",
            )
        )

    def _foreign_vanished(self) -> None:
        if self.foreign is not None:
            self.foreign.close()
            self.foreign = None
        # It may be on its way back: systemd, for one, restarts its own after 3 s.
        self._awaited_until = time.monotonic() + _COMEBACK
        self._show(
            self.snapshot.gone("server.stopped", "the server, which was not ours, went away")
        )

    # Is the supervisor still there?

    def _awaited(self) -> bool:
        """Whether an answer of the supervisor is waited for."""
        return self.channel is not None and bool(self._asked or self._closing)

    def _check_supervisor(self) -> None:
        """Ask it for a sign of life now and then; kill it when it gives none."""
        if self.channel is None or not self._awaited():
            self._heartbeat.rest()
        elif self._heartbeat.look():
            if self._heartbeat.hangs:
                self._end_hung(self.channel)
            else:
                self.channel.send({"id": _PING_ID, "op": "status"})

    def _end_hung(self, channel: Channel) -> None:
        self._heartbeat.rest()
        try:
            kill_hung(channel, self.settings.address)
        except ServerUnavailableError as error:
            asked, self._asked = self._asked, {}
            for wish in asked.values():
                wish.fail(error)
            self._detach()
            self.finished = bool(self._closing)
        else:
            self._supervisor_gone("its supervisor did not answer, and was ended with the server")

    # What the supervisor says

    def _heard(self, message: Mapping[str, Any]) -> None:
        if "snapshot" in message:
            self._saw(Snapshot.from_dict(message["snapshot"]))
        if message.get("ask") == "in_flight" and self.channel is not None:
            self.channel.send({"in_flight": self._in_flight()})
        elif message.get("ask") == "waiting" and self.channel is not None:
            self.channel.send(self._waiting())
        if "resend" in message:
            self._resend(str(message["resend"]))
        if "accepted" in message:
            self._accepted(int(message["accepted"]))
        if "ended" in message:
            self._lease_ended(str(message["ended"]))
        elif "id" in message:
            self._answered(int(message["id"]), message)

    def _accepted(self, number: int) -> None:
        wish = self._asked.get(number)
        if wish is not None and wish.accepted is not None:
            resolve(wish.accepted, None)

    def _answered(self, number: int, message: Mapping[str, Any]) -> None:
        if number == _PING_ID:
            return
        wish = self._asked.pop(number, None)
        if wish is None:
            self.finished = bool(self._closing) and number == _RELEASE_ID
        elif "error" in message:
            error = failures.from_dict(message["error"])
            missing = isinstance(error, ServerNotFoundError) and wish.missing
            if wish.change is not None and not isinstance(error, ServerUnavailableError):
                self.settings = self._proven  # stopped on purpose: the next start will tell
            wish.fail(missing or error)
        else:
            if wish.mode == "stop":
                self._after_stop()
            else:
                granted = Snapshot.from_dict(message["ok"])
                if not self.snapshot.ready or self.snapshot.pid != granted.pid:
                    self._saw(granted)  # after a stop, nobody was told of what came since
                self._proven = wish.settings or self._proven
            wish.resolve(self.snapshot)

    def _lease_ended(self, reason: str) -> None:
        if reason == "stopped":
            self.stopped = True
        elif self.channel is not None:
            self._detach()
            # the answer to the release went under with it
            self.finished = bool(self._closing)
            if reason == "foreign":
                self._show(
                    self.snapshot.gone("server.stopped", "another Ollama server took the port")
                )
            self._ask_anew()

    def _saw(self, snapshot: Snapshot) -> None:
        if self.stopped and snapshot.state not in (ServerState.STOPPING, ServerState.STOPPED):
            return  # another manager has started one again: not for us
        life = (snapshot.supervisor_pid, snapshot.generation)
        grown = 1 if snapshot.generation and life != self._life else 0
        if grown:
            self._life = life
        self._show(snapshot.replace(generation=self.snapshot.generation + grown))

    def _supervisor_gone(self, cause: str = "its supervisor died, and the server with it") -> None:
        if self.channel is not None:
            self._stragglers.died(self.channel.supervisor_pid)
        self._detach()
        if self._closing:
            self.finished = True
        elif self.stopped or any(wish.mode == "stop" for wish in self._asked.values()):
            self._after_stop()
        elif self.snapshot.state not in (ServerState.STOPPED, ServerState.FAILED):
            self._show(self.snapshot.gone("server.crashed", cause))
        self._ask_anew()

    def _ask_anew(self) -> None:
        asked, self._asked = self._asked, {}
        for wish in asked.values():
            if wish.change is not None and not wish.explicit:
                wish.resolve(self.snapshot)  # the next server is started with them
            else:
                self._grant(wish)

    def _after_stop(self) -> None:
        self.stopped = True
        self._detach()
        self._refuse_delayed(failures.stopped())
        if self.snapshot.state is not ServerState.STOPPED:
            self._show(self.snapshot.gone("server.stopped", "stopped on purpose"))

    def _refuse_delayed(self, error: BaseException) -> None:
        delayed, self._delayed = self._delayed, []
        for wish in delayed:
            wish.fail(error)

    def _detach(self) -> None:
        if self.channel is not None:
            self.channel.close()
            self.channel = None

    def _show(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._publish(snapshot)


_DONE = {"stop": "stopped", "restart": "restarted"}
