"""Leases, states and faults in any order, against a model of what the interface promises."""

from __future__ import annotations

import sys
from math import inf
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from manager.supervisor.phases import Phase
from manager.supervisor.probe import Verdict

from .supervisor_fakes import FakeManager
from .supervisor_promises import MAX_FAILURES, SETTINGS, STABLE, Holder, Promises, Request, S

if TYPE_CHECKING:
    from collections.abc import Iterator

WAYS: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "any": ({}, ("ollama",)),
    "a": ({"OLLAMA_NUM_PARALLEL": "1"}, ("ollama",)),
    "b": ({"OLLAMA_NUM_PARALLEL": "2"}, ("ollama",)),
    "no program": ({}, ()),
}
modes = st.sampled_from(["join", "join", "rejoin", "start", "restart"])
ways = st.sampled_from(["any", "a", "a", "b", "no program"])
lingers = st.sampled_from([0.0, 0.0, 3.0, 30.0, inf])
codes = st.sampled_from([-9, -9, -9, 0, 1, 3])
logs = st.sampled_from([(), ("Error: listen tcp 127.0.0.1:11434: bind: address already in use",)])
sooner = st.booleans()  # whether the next thing happens before timers are served
who = st.integers(0, 9)


class Protocol(RuleBasedStateMachine):
    """Managers, the supervisor's desk, the server, and time."""

    def __init__(self) -> None:
        super().__init__()
        self.promises = Promises()
        self.accepted = 0
        self.asked = 0
        self.running = 0
        self.prompt = False

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self.quieten()
        finally:
            self.close()

    def close(self) -> None:
        for holder in self.promises.holders:
            holder.manager.close()
        self.promises.life.close()

    # Plumbing

    @property
    def world(self) -> Any:
        return self.promises.life.world

    @property
    def here(self) -> list[Holder]:
        return [holder for holder in self.promises.holders if holder.manager.open]

    def pick(self, number: int) -> Holder:
        return self.here[number % len(self.here)]

    def serve(self, sooner: bool = False) -> None:
        loop = self.promises.life.loop
        loop.serve_sockets()
        self.listen()
        while not sooner and loop.serve_timer():
            self.listen()
            loop.serve_sockets()
            self.listen()

    def listen(self) -> None:
        for holder in self.here:
            for message in holder.manager.receive():
                self.promises.heard(holder, message)

    def ask(self, holder: Holder, message: dict[str, Any], request: Request) -> None:
        self.asked += 1
        holder.requests[self.asked] = request
        holder.manager.send({"id": self.asked, **message})

    def pass_time(self, until: float) -> None:
        loop = self.promises.life.loop
        while not loop.ended:
            when = loop.next_timer()
            if when is None or when > until:
                loop.time = max(loop.time, until)
                break
            loop.time = max(loop.time, when)
            self.serve()
        self.serve()

    def quieten(self) -> None:
        """Let everything go well until nothing is left to happen."""
        promises, loop = self.promises, self.promises.life.loop
        for _ in range(400):
            self.serve()
            settled = promises.leases or promises.endless
            if loop.ended or (promises.state in (S.READY, S.FAILED) and settled and self.calm):
                break
            if self.go_well():
                continue
            when = loop.next_timer()
            if when is None:
                break
            self.pass_time(when)
        promises.check_quiet()

    @property
    def calm(self) -> bool:
        return self.world.probe is None and not any(holder.asked for holder in self.here)

    def go_well(self) -> bool:
        """Let the next thing happen that is waited for."""
        world, server = self.world, self.promises.server
        asked = [holder for holder in self.here if holder.asked]
        if asked:
            self.tell_in_flight(asked[0], 0)
        elif server is not None and server.alive and (server.terminated_at or server.killed):
            self.exit(-15)
        elif world.clearing and world.machine.phase is Phase.CLEARING:
            world.cleared()
        elif world.probe == "port":
            world.port_found(Verdict.FREE)
        elif world.probe in ("answer", "alive"):
            self.answer()
        else:
            return False
        return True

    def answer(self) -> None:
        for holder in self.here:
            for request in holder.requests.values():
                request.proved = True
        self.world.answers()

    def exit(self, code: int, *log: str) -> None:
        server = self.promises.server
        assert server is not None
        ordered = server.terminated_at is not None or server.killed
        self.promises.server_exits(
            wanted=ordered or self.promises.state is S.STOPPING or self.promises.restarting
        )
        self.promises.hopeless |= code >= 0
        self.world.exits(code, *log)

    def tell_in_flight(self, holder: Holder, count: int) -> None:
        holder.asked = False
        holder.in_flight = count
        holder.manager.send({"in_flight": count})
        self.serve()

    # Managers

    @initialize(prompt=st.booleans(), running=st.sampled_from([0, 1, 1, 2]))
    def begin(self, prompt: bool, running: int) -> None:
        """A life begins, perhaps with a server that runs for one manager or two."""
        self.running = running
        self.world.prompt = self.prompt = prompt
        self.comes(with_process=False)
        self.comes(with_process=True)
        for who in range(running):
            self.joins(who)
        if running:
            self.all_goes_well()

    @rule(with_process=st.booleans())
    def comes(self, with_process: bool) -> None:
        if self.promises.life.loop.ended:
            return
        self.accepted += 1
        with_process = with_process and sys.platform == "linux"
        manager = FakeManager(self.promises.life.address, with_process=with_process)
        self.promises.holders.append(Holder(self.accepted, manager))
        self.serve()

    @precondition(lambda self: self.here)
    @rule(who=who, mode=modes, way=ways, linger=lingers, sooner=sooner)
    def lease(self, who: int, mode: str, way: str, linger: float, sooner: bool) -> None:
        holder = self.pick(who)
        env, command = WAYS[way]
        wanted = SETTINGS.replace(env=env, linger=linger)
        request = self.promises.lease(holder, mode, env, command, linger)
        message = {"op": "lease", "mode": mode, "settings": wanted.to_dict(), "command": command}
        self.ask(holder, message, request)
        self.serve(sooner)

    def joins(self, who: int, way: str = "a", mode: str = "join") -> None:
        self.lease(who=who, mode=mode, way=way, linger=0.0, sooner=False)

    @precondition(lambda self: self.here)
    @rule(who=who, sooner=sooner)
    def release(self, who: int, sooner: bool) -> None:
        holder = self.pick(who)
        self.ask(holder, {"op": "release"}, self.promises.release(holder))
        self.serve(sooner)

    @precondition(lambda self: self.here)
    @rule(who=who, sooner=sooner)
    def stop(self, who: int, sooner: bool) -> None:
        holder = self.pick(who)
        self.ask(holder, {"op": "stop"}, self.promises.stop())
        self.serve(sooner)

    @precondition(lambda self: self.here)
    @rule(who=who, op=st.sampled_from(["status", "status", "nonsense"]))
    def question(self, who: int, op: str) -> None:
        holder = self.pick(who)
        self.ask(holder, {"op": op}, Request(op, None, {}, None))
        self.serve(sooner=True)

    @precondition(lambda self: self.here)
    @rule(who=who, dies=st.booleans(), sooner=sooner)
    def leaves(self, who: int, dies: bool, sooner: bool) -> None:
        holder = self.pick(who)
        self.promises.end(holder)
        holder.attached = False
        if dies and holder.manager.has_process:
            holder.manager.die()
            self.serve(sooner)
            assert not holder.manager.open
        holder.manager.close()
        holder.requests.clear()
        self.serve(sooner)

    @precondition(lambda self: any(holder.asked for holder in self.here))
    @rule(count=st.sampled_from([0, 0, 2]))
    def says_in_flight(self, count: int) -> None:
        for holder in [holder for holder in self.here if holder.asked][: 1 if count else None]:
            self.tell_in_flight(holder, count)

    # The world

    @precondition(lambda self: self.world.probe == "port")
    @rule(
        verdict=st.sampled_from([Verdict.FREE] * 8 + [Verdict.OLLAMA, Verdict.OTHER]), sooner=sooner
    )
    def port(self, verdict: Verdict, sooner: bool) -> None:
        self.promises.hopeless |= verdict is Verdict.OTHER
        spawned = self.world.spawned
        self.world.port_found(verdict)
        assert verdict is Verdict.FREE or self.world.spawned == spawned, "the port is taken"
        self.serve(sooner)

    @rule(sooner=sooner)
    def goes_well(self, sooner: bool) -> None:
        if not self.promises.life.loop.ended:
            self.go_well()
            self.serve(sooner)

    @rule()
    def all_goes_well(self) -> None:
        self.quieten()

    @precondition(lambda self: self.world.probe == "alive")
    @rule(sooner=sooner)
    def silence(self, sooner: bool) -> None:
        self.world.is_silent()
        self.serve(sooner)

    @precondition(lambda self: self.promises.running)
    @rule(code=codes, log=logs, sooner=sooner)
    def server_exits(self, code: int, log: tuple[str, ...], sooner: bool) -> None:
        self.exit(code, *log)
        self.serve(sooner)

    @rule(seconds=st.sampled_from([0.02, 0.5, 1.0, 3.0, 6.0, 30.0]))
    def time_passes(self, seconds: float) -> None:
        self.pass_time(self.promises.now + seconds)

    @rule()
    def next_timer(self) -> None:
        when = self.promises.life.loop.next_timer()
        if when is not None:
            self.pass_time(when)

    @precondition(lambda self: self.promises.state is S.READY)
    @rule(stable=st.booleans())
    def crashes_until_given_up(self, stable: bool) -> None:
        if stable:
            self.pass_time(self.promises.now + STABLE)
        for _ in range(MAX_FAILURES + stable):
            if self.promises.state is S.READY:
                self.exit(-9)
                self.quieten()

    @rule(what=st.sampled_from([*["nothing"] * 7, "quit", "program broken", "program repaired"]))
    def rarely(self, what: str) -> None:
        if what == "quit":
            self.promises.quit()
            self.promises.life.desk.quit()
            self.serve()
        elif what != "nothing":
            self.world.not_executable = what == "program broken"

    # Always

    @invariant()
    def next_life(self) -> None:
        """What always holds; the end of the process, and the next one."""
        self.promises.check()
        if self.promises.life.loop.ended:
            self.promises.check_end()
            self.close()
            self.promises = Promises()
            self.begin(prompt=self.prompt, running=self.running)


class TestAnyOrder(Protocol.TestCase):
    """Runs the rules in any order."""

    settings = settings(stateful_step_count=40, deadline=None)


# What it found, one by one


@pytest.fixture
def two() -> Iterator[Protocol]:
    """A server that runs for one manager, and another manager that has no lease yet."""
    protocol = Protocol()
    protocol.begin(prompt=False, running=1)
    yield protocol
    protocol.quieten()
    protocol.close()


def test_stop_is_answered_though_somebody_starts_another_server_at_once(two: Protocol) -> None:
    two.stop(who=0, sooner=False)
    two.joins(1)
    two.all_goes_well()  # nothing is left unanswered
    assert two.promises.server is not None
    assert two.promises.server.number == 2


def test_release_is_answered_though_somebody_starts_another_server_at_once(two: Protocol) -> None:
    two.release(who=0, sooner=False)
    two.joins(1)
    two.all_goes_well()


def test_supervisor_that_was_told_to_end_starts_nothing(two: Protocol) -> None:
    two.rarely(what="quit")
    two.joins(1)
    two.all_goes_well()
    assert two.promises.life.loop.ended


def test_stop_after_an_early_death_is_no_backoff_for_the_next_server(two: Protocol) -> None:
    two.server_exits(code=-9, log=(), sooner=False)
    two.stop(who=0, sooner=False)
    two.joins(1)
    two.all_goes_well()  # by way of `starting`
    assert two.promises.state is S.READY


def test_wish_that_is_given_up_while_the_old_server_stops_starts_nothing(two: Protocol) -> None:
    two.world.prompt = True  # the port is found free before anybody can say stop
    two.release(who=0, sooner=False)
    two.joins(1)
    two.release(who=1, sooner=False)
    two.all_goes_well()
    assert two.world.spawned == 1


def test_drain_does_not_wait_for_a_manager_that_left(two: Protocol) -> None:
    two.stop(who=0, sooner=False)
    two.leaves(who=0, dies=False, sooner=False)
    assert two.promises.server is not None
    assert two.promises.server.terminated_at is not None


def test_drain_does_not_wait_for_a_manager_that_came_meanwhile(two: Protocol) -> None:
    two.stop(who=0, sooner=False)
    two.joins(1)
    two.says_in_flight(count=0)
    assert two.promises.server is not None
    assert two.promises.server.terminated_at is not None


def test_settings_of_a_crashed_server_are_its_holders(two: Protocol) -> None:
    two.crashes_until_given_up(stable=False)
    two.joins(1, way="b", mode="start")  # a conflict, as before the crash
    two.joins(1, way="any", mode="start")
    two.all_goes_well()
    assert two.promises.server is not None
    assert two.promises.server.env == WAYS["a"][0]
