"""Where managers come to: leases, commands in the order of arrival, and news of every change."""

from __future__ import annotations

import errno
import os

from manager.supervisor.agreement import BINARY, changed, in_the_way, merged
from manager.supervisor.clients import Client
from manager.supervisor.lease_request import CLOSED, STOPPED, LeaseRequest, conflict, unknown
from manager.supervisor.leases import LeaseBook
from manager.supervisor.loop import READ
from manager.supervisor.phases import Phase
from manager.supervisor.protocol import PROTOCOL, encode
from manager.supervisor.runner_watch import Report, RunnerWatch
from manager.supervisor.settings import ServerSettings
from manager.supervisor.states import ServerState
from manager.supervisor.trials import Trials
from manager.supervisor.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping
    from typing import Any

    from manager.supervisor.loop import Loop
    from manager.supervisor.states import Snapshot

__all__ = ["Desk"]

_UNUSED_TIMEOUT = 5.0
_ASK_AGAIN = 0.02
_ACCEPT_AGAIN = 0.2


class Desk:
    """All that managers can ask of this supervisor.

    Args:
        loop: The loop that everything happens in; it ends when nothing is left to do.
        listener: The bound meeting place.
        host: Where the server listens.
        port: Its port.
        make_world: Makes what the machine acts on.
    """

    def __init__(
        self,
        loop: Loop,
        listener: socket.socket,
        host: str,
        port: int,
        make_world: Callable[..., World] = World,
    ) -> None:
        self._loop = loop
        self._listener = listener
        self._clients: dict[int, Client] = {}
        self._accepted = 0
        self._leases = LeaseBook()
        self._log_path: str | None = None
        self._waiting: list[tuple[Client, int]] = []  # for ready
        self._trials = Trials()
        self._command_before: tuple[str, ...] = ()  # while settings are tried
        self._parting: list[tuple[Client, int]] = []  # for the end of everything
        self._quitting = False
        self._ended: str | None = None
        self._world = make_world(
            loop,
            ServerSettings(host=host, port=port),
            published=self._published,
            ask_in_flight=self._ask_in_flight,
            foreign=lambda: self._finish("foreign"),
            rolled_back=self._rolled_back,
        )
        self._machine = self._world.machine
        self._runner_watch = RunnerWatch(
            loop, self._machine, tell=self._tell_attached, report=self._report
        )
        self._listen()
        loop.set_timer("unused", _UNUSED_TIMEOUT, self._unused)

    def quit(self) -> None:
        """Take the server down and end: somebody wants this process gone."""
        self._quitting = True
        self._leases.end_all()
        self._machine.stop("its supervisor was told to end", drain=False)
        self._settle()
        if self._machine.phase is Phase.IDLE:
            self._finish("over")

    # Connections

    def _listen(self) -> None:
        self._loop.watch(self._listener.fileno(), READ, self._accept)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    # It stays readable: look again when somebody may have left.
                    self._loop.unwatch(self._listener.fileno())
                    self._loop.set_timer("accept", _ACCEPT_AGAIN, self._listen)
                return
            self._accepted += 1
            client = Client(
                self._accepted, connection, self._loop, self._received, self._client_gone
            )
            self._clients[client.number] = client
            if not client.allowed():
                client.close()

    def _client_gone(self, client: Client) -> None:
        if client.attached:
            self._runner_watch.manager_lost()
        del self._clients[client.number]
        self._waiting = [entry for entry in self._waiting if entry[0] is not client]
        self._parting = [entry for entry in self._parting if entry[0] is not client]
        self._leases.end(client.number, self._loop.now())
        self._count_in_flight()  # it may be the one that was waited for
        self._settle()

    def _received(self, client: Client, message: dict[str, Any]) -> None:
        if "hello" in message:
            client.greeted = True
            hello = {"protocol": PROTOCOL, "pid": os.getpid(), "leases": self._seen().leases}
            client.send({"hello": hello})
        elif not client.greeted:
            client.close()
        elif isinstance(count := message.get("in_flight"), int):
            client.in_flight = count
            self._count_in_flight()
        elif "waiting" in message:
            self._runner_watch.heard(Report.from_message(message))
        elif isinstance(number := message.get("id"), int):
            self._perform(client, number, message)
        self._settle()

    def _perform(self, client: Client, number: int, message: dict[str, Any]) -> None:
        match message.get("op"):
            case "lease":
                self._lease(client, number, LeaseRequest.from_message(message))
            case "status":
                client.send({"id": number, "ok": self._seen().to_dict()})
            case "stop":
                self._stop(client, number)
            case "release":
                self._runner_watch.left(Report.from_message(message).left)
                self._release(client, number)
            case operation:
                client.send({"id": number, "error": unknown(operation)})

    # Operations

    def _lease(self, client: Client, number: int, wanted: LeaseRequest) -> None:
        if self._quitting:
            self._waiting.append((client, number))  # for the end: the next process will do
            return
        if wanted.change is not None and client.number not in self._leases:
            client.send({"id": number, "ok": self._seen().to_dict()})  # for its next lease
            return
        others = self._leases.others(client.number)
        down = (Phase.IDLE, Phase.FAILED) if wanted.change is None else (Phase.IDLE,)
        idle = self._machine.phase in down and not others
        names = [] if idle else self._changed(client, wanted)
        merges = wanted.change is not None or others > 0
        fresh: ServerSettings | None = None
        if idle or names:
            fresh = wanted.settings
            if names and merges:
                fresh = merged(self._machine.settings, fresh, names)
        if names and fresh and (refusal := self._refusal(client, wanted, names, fresh)):
            client.send({"id": number, "error": refusal})
            return
        command = wanted.command
        if wanted.change is not None and BINARY not in names:
            command = self._world.command or command
        if (fresh is not None or not self._world.command) and not command:
            client.send({"id": number, "error": {"error": "ServerNotFoundError"}})
            return
        self._admit(client, number, wanted, idle=idle, holds_for_all=fresh is None)
        asker = (client.number, number)
        failed = self._machine.phase is Phase.FAILED and not names
        given_up = failed and wanted.mode in ("join", "rejoin")
        if fresh is not None and not given_up:
            if not self._machine.trying:
                self._command_before = self._world.command
            self._world.command = command
            self._log_path = None
        drain = wanted.change is None or wanted.change.drain
        if names and fresh is not None and merges:
            self._trials.begin(asker, fresh)
            self._machine.try_settings(fresh, drain=drain)
        elif wanted.mode == "restart" or names:
            self._machine.restart(fresh, drain=drain)
        elif not given_up:
            self._machine.start(fresh, explicit=wanted.mode == "start")
        if wanted.change is not None and self._machine.trying:
            self._trials.join(asker)
        if wanted.mode == "rejoin":
            self._machine.doubt()
        self._answer_waiting()

    def _admit(
        self,
        client: Client,
        number: int,
        wanted: LeaseRequest,
        *,
        idle: bool,
        holds_for_all: bool,
    ) -> None:
        """Enter a lease, and who waits for it."""
        settings = wanted.settings
        newcomer, client.attached = not client.attached, True
        if newcomer:
            client.in_flight = 0  # nobody need ask it before a drain that is under way can end
        if holds_for_all and client.settings not in (None, settings):
            # It was configured anew: what needs no restart holds at once, for everybody.
            self._machine.adopt(settings)
            self._runner_watch.settings_changed()
        client.settings = settings
        self._leases.take(client.number, settings.linger)
        self._waiting.append((client, number))
        if wanted.change is not None:
            client.send({"accepted": number})
        if newcomer and not idle:
            client.send({"snapshot": self._seen().to_dict()})

    def _changed(self, client: Client, wanted: LeaseRequest) -> list[str]:
        """Name what the server would have to be started anew for."""
        holds = client.number in self._leases
        if holds and client.settings == wanted.settings and wanted.change is None:
            return []  # it has been let in with them; who has changed them since has asked
        before = client.settings if wanted.change is not None else None
        environ, command = self._world.environ(), self._world.command
        return changed(command, environ, wanted.settings, wanted.command, before)

    def _refusal(
        self, client: Client, wanted: LeaseRequest, names: list[str], fresh: ServerSettings
    ) -> Mapping[str, Any] | None:
        """Say why the server is not started anew, if it is not."""
        holders = [
            other.settings
            for other in self._clients.values()
            if other is not client and other.number in self._leases and other.settings is not None
        ]
        others = self._leases.others(client.number)
        wrong = in_the_way(
            names,
            wanted.settings,
            holders,
            holds=wanted.change is not None,
            unheld=others > len(holders),
        )
        if wrong:
            return conflict(wanted.settings.address, wrong)
        if not others and wanted.change is None:
            return None  # it is alone, and hears itself what comes of it
        if wanted.change is not None and wanted.change.again:
            return None
        return self._trials.refusal(fresh, self._loop.now())

    def _rolled_back(self, error: Mapping[str, Any]) -> None:
        """No server came up with other settings; the one that follows is as before."""
        self._trials.failed(error, self._loop.now())
        self._world.command = self._command_before

    def _stop(self, client: Client, number: int) -> None:
        self._leases.end_all()
        self._parting.append((client, number))
        waiting, self._waiting = self._waiting, []
        for waiter, request in waiting:
            waiter.send({"id": request, "error": STOPPED})
        self._machine.stop("stopped on purpose")
        self._tell("stopped")

    def _release(self, client: Client, number: int) -> None:
        mine = [request for waiter, request in self._waiting if waiter is client]
        self._waiting = [entry for entry in self._waiting if entry[0] is not client]
        for request in mine:
            client.send({"id": request, "error": CLOSED})
        self._leases.end(client.number, self._loop.now())
        client.attached = False
        self._count_in_flight()
        expiry = self._leases.expiry()
        if expiry is None or expiry > self._loop.now():
            client.send({"id": number, "ok": self._seen().to_dict()})
        else:
            self._parting.append((client, number))

    # What the machine does

    def _published(self, snapshot: Snapshot) -> None:
        line = encode({"snapshot": self._seen().to_dict()})  # once for all
        for client in list(self._clients.values()):
            if client.attached:
                client.send_line(line)
        self._answer_waiting()
        self._runner_watch.server_changed()
        if snapshot.state is ServerState.STARTING:
            self._answer_parting()  # what they saw off is gone; this is a fresh one, for others
        self._loop.set_timer("settle", 0, self._settle)
        if snapshot.state is ServerState.FAILED and not self._gave_up_on_crashes():
            # Never came up: the next call may try again, with a supervisor of its own.
            self._finish("failed")

    def _answer_waiting(self) -> None:
        snapshot = self._seen()
        if snapshot.state is ServerState.READY and not self._machine.doubted:
            answer: dict[str, Any] = {"ok": snapshot.to_dict()}
        elif snapshot.state is ServerState.FAILED:
            answer = {"error": dict(snapshot.last_error or {})}
        else:
            return
        waiting, self._waiting = self._waiting, []
        denied = self._trials.over()
        for client, number in waiting:
            error = denied.get((client.number, number))
            client.send({"id": number, **(answer if error is None else {"error": error})})

    def _answer_parting(self) -> None:
        parting, self._parting = self._parting, []
        for client, number in parting:
            client.send({"id": number, "ok": self._seen().to_dict()})

    def _gave_up_on_crashes(self) -> bool:
        error = self._machine.snapshot.last_error or {}
        return error.get("error") == "ServerCrashedError"

    def _seen(self) -> Snapshot:
        if self._log_path is None:
            self._log_path = self._world.log_path()
        return self._machine.snapshot.replace(
            host=self._machine.settings.base_url,
            leases=len(self._leases),
            log_path=self._log_path,
            supervisor_pid=os.getpid(),
        )

    # Requests in flight

    def _ask_in_flight(self) -> None:
        for client in list(self._clients.values()):
            if client.attached:
                client.in_flight = None
                client.send({"ask": "in_flight"})
        self._count_in_flight()

    def _count_in_flight(self) -> None:
        if self._machine.phase is not Phase.DRAINING:
            return
        counts = [client.in_flight for client in self._clients.values() if client.attached]
        answered = [count for count in counts if count is not None]
        if not any(counts) and len(answered) == len(counts):
            self._machine.in_flight(0)
        elif len(answered) == len(counts):
            self._loop.set_timer("drain", _ASK_AGAIN, self._ask_in_flight)

    # Runners

    def _tell_attached(self, message: dict[str, Any]) -> int:
        told = [client for client in self._clients.values() if client.attached]
        for client in told:
            client.send(message)
        return len(told)

    def _report(self, cause: str) -> None:
        """Tell about a runner; the state of the server is as it was."""
        told = self._seen().replace(event="server.unresponsive", cause=cause)
        self._tell_attached({"snapshot": told.to_dict()})

    # The end

    def _settle(self) -> None:
        """After every event: is anybody left who wants the server?"""
        if self._ended is not None:
            return
        expiry = self._leases.expiry()
        wanted = expiry is None or expiry > self._loop.now()
        if expiry is None or not wanted:
            self._loop.clear_timer("linger")
        else:
            self._loop.set_timer("linger", expiry - self._loop.now(), self._settle)
        if not wanted and self._machine.phase is not Phase.IDLE:
            # A stop on purpose goes on draining, whoever came and left meanwhile.
            stopping = self._machine.snapshot.state is ServerState.STOPPING
            if not self._machine.leaving:
                self._machine.stop("nobody uses it any more", drain=stopping)
        self._world.arm()
        if not wanted and self._machine.phase is Phase.IDLE and self._accepted_a_lease():
            self._finish("over")

    def _accepted_a_lease(self) -> bool:
        return bool(self._world.command) or bool(self._parting)

    def _unused(self) -> None:
        if not self._accepted_a_lease():
            self._finish("over")

    def _tell(self, reason: str) -> None:
        message = {"ended": reason, "snapshot": self._seen().to_dict()}
        for client in list(self._clients.values()):
            if client.attached:
                client.send(message)

    def _finish(self, reason: str) -> None:
        if self._ended is not None:
            return
        self._ended = reason
        # First the name, then the connections: whoever sees an end can take the name at once.
        self._loop.unwatch(self._listener.fileno())
        self._loop.clear_timer("accept")
        self._listener.close()
        self._answer_parting()
        self._tell(reason)
        self._loop.stop()
