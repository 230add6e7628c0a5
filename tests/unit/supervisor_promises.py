"""What the interface promises about leases and the server, as a model that knows no machine."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

from manager.supervisor.restarts import RestartPolicy
from manager.supervisor.settings import LivenessPolicy, ServerSettings
from manager.supervisor.states import ServerState, Snapshot, may_follow

from .supervisor_fakes import Supervisor, Watcher

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .supervisor_fakes import FakeManager, FakeServer

S = ServerState
MAX_FAILURES = 3
STABLE = 1.0
CLEAR_TIMEOUT = 2.0
UNUSED_TIMEOUT = 5.0
SETTINGS = ServerSettings(
    start_timeout=20.0,
    stop_timeout=3.0,
    drain_timeout=4.0,
    restart=RestartPolicy(max_failures=MAX_FAILURES, stable_after=STABLE, jitter=0.0),
    liveness=LivenessPolicy(interval=5.0, timeout=2.0, threshold=2),
)
_ASK_AGAIN = 0.05


class Request:
    """Something asked for, and what its answer has to respect."""

    def __init__(
        self, op: str, mode: str | None, env: Mapping[str, str], world_server: FakeServer | None
    ):
        self.op = op
        self.mode = mode
        self.env = env
        self.server = world_server  # the one there was
        self.error: str | None = None  # the code (or class) that it must fail with
        self.fresh = False  # whether only a newer server will do
        self.gone = False  # whether it is answered only when that server is gone
        self.proved = False  # whether the server has answered since


class Holder:
    """A manager and what it has seen."""

    def __init__(self, number: int, manager: FakeManager) -> None:
        self.number = number
        self.manager = manager
        self.attached = False
        self.last: Snapshot | None = None
        self.asked = False
        self.in_flight: int | None = 0
        self.env: Mapping[str, str] = {}  # what its lease asked for
        self.requests: dict[int, Request] = {}
        self.answered: set[int] = set()
        self.told: list[str] = []


class Promises(Watcher):
    """The model of one life of a supervisor; every broken promise is an AssertionError."""

    def __init__(self) -> None:
        self.leases: dict[int, float] = {}
        self.keep_until = -inf
        self.endless_of: set[int] = set()
        self.env: Mapping[str, str] = {}
        self.command: tuple[str, ...] = ()
        self.ever_leased = False
        self.quitting = False
        self.stopped = False  # since the last spawn
        self.restarting = False  # since the last spawn
        self.drain_from: float | None = None
        self.early_deaths = 0
        self.hopeless = False  # something other than deaths speaks against it
        self.drained_since: float | None = None
        self.holders: list[Holder] = []
        self.life = Supervisor(self)
        self.began = self.now

    # What is known

    @property
    def now(self) -> float:
        return self.life.loop.now()

    @property
    def server(self) -> FakeServer | None:
        return self.life.world.server

    @property
    def running(self) -> bool:
        return self.server is not None and self.server.alive

    @property
    def shown(self) -> Snapshot | None:
        """What managers were told last."""
        return self.life.world.shown[-1] if self.life.world.shown else None

    @property
    def state(self) -> ServerState:
        return self.shown.state if self.shown else S.STOPPED

    @property
    def endless(self) -> bool:
        return bool(self.endless_of)

    @property
    def wanted(self) -> bool:
        return bool(self.leases) or self.endless or self.keep_until > self.now

    @property
    def count(self) -> int:
        return len(self.leases) + (self.endless and inf not in self.leases.values())

    @property
    def drained(self) -> bool:
        return all(h.in_flight == 0 for h in self.holders if h.attached and h.manager.open)

    def past(self, moment: float) -> bool:
        return self.now >= moment - 1e-6  # sums of floats

    # What managers do

    def lease(
        self,
        holder: Holder,
        mode: str,
        env: Mapping[str, str],
        command: tuple[str, ...],
        linger: float,
    ) -> Request:
        request = Request("lease", mode, env, self.server)
        if self.quitting:
            return request
        others = self.count > (holder.number in self.leases)
        nothing = self.state is S.STOPPED or (self.state is S.FAILED and not others)
        differs = not nothing and any(self.env.get(k) != v for k, v in env.items())
        if differs and others:
            request.error = "settings_conflict"
            return request
        if (nothing or differs or not self.command) and not command:
            request.error = "ServerNotFoundError"
            return request
        if not holder.attached:
            holder.attached, holder.in_flight = True, 0
        self.ever_leased = True
        self.leases[holder.number] = linger
        (self.endless_of.add if linger == inf else self.endless_of.discard)(holder.number)
        if self.state is S.FAILED and mode in ("join", "rejoin"):
            request.error = "ServerCrashedError"
            return request
        holder.env = env
        if nothing or differs:
            self.env, self.command = env, command
            for earlier in holder.requests.values():
                earlier.env = {}  # its own later wish goes before
        if nothing or mode == "restart" or differs:
            self.early_deaths = 0
        request.fresh = (
            nothing
            or self.state is S.FAILED
            or mode == "restart"
            or differs
            or self.state is S.STOPPING
        )
        if (mode == "restart" or differs) and not nothing:
            self.restarting = True
            self._drain()
        if self.state in (S.STOPPING, S.FAILED):
            self.early_deaths = 0
        return request

    def release(self, holder: Holder) -> Request:
        request = Request("release", None, {}, self.server)
        self._fail_waiting(holder, "manager_closed")
        self.end(holder)
        holder.attached = False
        holder.last = None
        request.gone = not self.wanted
        return request

    def stop(self) -> Request:
        request = Request("stop", None, {}, self.server)
        request.gone = True
        self.leases.clear()
        self.endless_of.clear()
        self.keep_until = -inf
        self.stopped = True
        for holder in self.holders:
            self._fail_waiting(holder, "server_stopped")
        self._drain()
        return request

    def end(self, holder: Holder) -> None:
        linger = self.leases.pop(holder.number, None)
        if linger is not None and linger < inf:
            self.keep_until = max(self.keep_until, self.now + linger)

    def quit(self) -> None:
        self.leases.clear()
        self.endless_of.clear()
        self.keep_until = -inf
        self.quitting = True

    def server_exits(self, *, wanted: bool) -> None:
        """The server is about to exit; ``wanted``: by the machine."""
        server = self.server
        assert server is not None
        stable = server.ready_at is not None and self.now - server.ready_at >= STABLE
        self.early_deaths = 0 if stable else self.early_deaths + (not wanted)

    def _fail_waiting(self, holder: Holder, code: str) -> None:
        for request in holder.requests.values():
            if request.op == "lease":
                request.error = code

    def _drain(self) -> None:
        ready = self.state in (S.READY, S.UNRESPONSIVE)
        if ready and self.running and self.drain_from is None:
            self.drain_from = self.now
            for holder in self.holders:
                holder.in_flight = None if holder.attached else 0  # each has to be asked

    # What the machine does

    def spawning(self, env: dict[str, str], command: tuple[str, ...]) -> None:
        old = self.server
        assert not self.life.loop.ended, "spawned after the end"
        assert not self.quitting, "spawned though told to end"
        assert self.wanted, "spawned though nobody wants it"
        assert not self.running, "two servers"
        if old is not None:
            assert self._cleared(old), "runners are left"
        assert (env, command) == (self.env, self.command), "not as asked for"
        assert self.early_deaths < MAX_FAILURES, "a crash loop goes on"
        for holder in self.holders:
            if holder.number in self.leases:
                assert env.items() >= holder.env.items(), "not as somebody else had asked for"
        self.stopped = self.restarting = self.hopeless = False
        self.drain_from = None
        if self.life.world.not_executable:
            self.hopeless = True

    def ending(self, server: FakeServer, *, kill: bool) -> None:
        hung = server.silent >= SETTINGS.liveness.threshold
        late = server.ready_at is None and self.past(server.spawned_at + SETTINGS.start_timeout)
        self.hopeless |= late
        if kill:
            since = server.terminated_at
            assert hung or late or (since is not None and self.past(since + SETTINGS.stop_timeout))
            return
        asked = self.stopped or self.restarting
        assert asked or not self.wanted or self.quitting, "ended though somebody wants it"
        if self.drain_from is not None and (self.stopped or self.wanted) and not self.quitting:
            over = self.past(self.drain_from + SETTINGS.drain_timeout)
            assert over or self.drained, "ended with requests in flight"

    # What managers hear

    def heard(self, holder: Holder, message: dict[str, Any]) -> None:
        if "snapshot" in message:
            self._saw(holder, Snapshot.from_dict(message["snapshot"]))
        if message.get("ask") == "in_flight":
            holder.asked = True
            holder.in_flight = None
        if "ended" in message:
            holder.told.append(message["ended"])
        if "id" in message:
            number = message["id"]
            assert number not in holder.answered, "answered twice"
            holder.answered.add(number)
            self._answered(holder, holder.requests.pop(number), message)

    def _saw(self, holder: Holder, snapshot: Snapshot) -> None:
        assert holder.attached, "told though it holds nothing"
        if holder.last is not None:
            assert may_follow(holder.last.state, snapshot.state), (
                holder.last.state,
                snapshot.state,
            )
            assert snapshot.generation >= holder.last.generation
        holder.last = snapshot

    def _answered(self, holder: Holder, request: Request, message: dict[str, Any]) -> None:
        if request.gone:
            assert "ok" in message
            server = request.server
            assert server is None or not server.alive, "answered before it was gone"
            assert server is None or self._cleared(server), "answered before its runners were gone"
        elif request.op == "status":
            seen = Snapshot.from_dict(message["ok"])
            assert seen.leases == self.count
            assert seen.state is self.state
        elif request.op == "nonsense":
            assert message["error"]["code"] == "unknown_operation"
        elif request.op == "lease":
            self._granted(request, message)

    def _granted(self, request: Request, message: dict[str, Any]) -> None:
        if "error" in message:
            error = message["error"]
            if request.error is not None:
                assert request.error in (error["error"], error.get("code")), message
            else:
                assert self.state is S.FAILED, message
            return
        assert request.error is None, (request.error, message)
        seen = Snapshot.from_dict(message["ok"])
        assert seen.state is S.READY
        assert self.server is not None
        assert seen.generation == self.server.number
        assert self.server.env.items() >= request.env.items(), "a server with other settings"
        if request.fresh:
            assert self.server is not request.server, "not a fresh one"
        if request.mode == "rejoin":
            assert request.proved or self.server is not request.server, "nobody looked"

    def _cleared(self, server: FakeServer) -> bool:
        assert server.exited_at is not None
        return server.cleared or self.past(server.exited_at + CLEAR_TIMEOUT)

    # What holds always

    def check(self) -> None:
        """After every event."""
        if self.state is S.FAILED and self.shown is not None:
            taken = (self.shown.last_error or {}).get("cause") == "port_in_use"
            assert taken or self.hopeless or self.early_deaths >= MAX_FAILURES, "given up too soon"
        for holder in self.holders:
            for request in holder.requests.values():
                late = request.error if request.op == "lease" else not request.gone
                assert not late or not holder.manager.open, f"not answered at once: {request.op}"
        server = self.server
        if server is not None and server.alive and server.silent >= SETTINGS.liveness.threshold:
            assert server.killed or self.state not in (S.READY, S.UNRESPONSIVE), "hangs for ever"
        draining = self.drain_from is not None and server is not None and self.running
        if draining and server is not None and server.terminated_at is None and self.drained:
            since = self.drained_since = self.drained_since or self.now
            assert self.now <= since + _ASK_AGAIN, "drains for nobody"
        else:
            self.drained_since = None

    # What holds when everything has happened that can

    def check_quiet(self) -> None:
        """All effects were answered, and no timer but that of the liveness probe is near."""
        if self.life.loop.ended:
            self.check_end()
            return
        assert not self.quitting
        assert self.wanted or not self.ever_leased
        for holder in self.holders:
            if holder.manager.open:
                assert not holder.requests, (
                    f"unanswered: {[r.op for r in holder.requests.values()]}"
                )
                if holder.attached and holder.last is not None:
                    assert holder.last.state is self.state, "not told"
        if self.wanted:
            assert self.state in (S.READY, S.FAILED)
            assert self.running == (self.state is S.READY)

    def check_end(self) -> None:
        """The process ends."""
        assert not self.running, "left behind"
        assert self.server is None or self._cleared(self.server), "runners left behind"
        for holder in self.holders:
            excused = {"foreign"} & set(holder.told) or self.quitting
            waiting = [r.op for r in holder.requests.values() if not (excused and r.op == "lease")]
            assert not waiting, f"the end left unanswered: {waiting}"
