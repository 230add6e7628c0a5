"""The life of a server as a pure machine: events in, effects out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.supervisor.machine import Machine
from manager.supervisor.phases import Phase
from manager.supervisor.probe import Verdict
from manager.supervisor.restarts import RestartPolicy
from manager.supervisor.settings import LivenessPolicy, ServerSettings
from manager.supervisor.states import Ownership, ServerState, may_follow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from manager.supervisor.states import Snapshot


class FakeWorld:
    """Records what the machine asks for; tests answer."""

    def __init__(self, **settings: object) -> None:
        self.now = 100.0
        self.done: list[str] = []
        self.shown: list[Snapshot] = []
        self.spawn_error: OSError | None = None
        self.pids = 0
        self.rolled: list[Mapping[str, Any]] = []
        values: dict[str, object] = {
            "restart": RestartPolicy(max_failures=3, jitter=0.0),
            "liveness": LivenessPolicy(threshold=2),
            **settings,
        }
        self.machine = Machine(ServerSettings(**values), self, lambda: self.now, lambda: 0.5)  # type: ignore[arg-type]

    def check_port(self) -> None:
        self.done.append("check_port")

    def spawn(self) -> int:
        if self.spawn_error is not None:
            raise self.spawn_error
        self.pids += 1
        self.done.append("spawn")
        return self.pids

    def await_answer(self) -> None:
        self.done.append("await_answer")

    def check_alive(self, timeout: float) -> None:
        self.done.append(f"check_alive {timeout:g}")

    def ask_in_flight(self) -> None:
        self.done.append("ask_in_flight")

    def terminate(self) -> None:
        self.done.append("terminate")

    def kill(self) -> None:
        self.done.append("kill")

    def clear(self) -> None:
        self.done.append("clear")

    def published(self, snapshot: Snapshot) -> None:
        if self.shown:
            assert may_follow(self.shown[-1].state, snapshot.state)
        self.shown.append(snapshot)

    def foreign(self) -> None:
        self.done.append("foreign")

    def rolled_back(self, error: Mapping[str, Any]) -> None:
        self.rolled.append(error)

    @property
    def state(self) -> ServerState:
        return self.machine.snapshot.state

    def events(self) -> list[str]:
        return [snapshot.event for snapshot in self.shown if snapshot.event]

    def boot(self) -> None:
        self.machine.start()
        self.machine.port_checked(Verdict.FREE)

    def up(self) -> None:
        self.boot()
        self.machine.answered("1.2.3")

    def die(self, code: int = -9, *log: str) -> None:
        self.machine.exited(code, log)
        self.machine.cleared()

    def tick(self) -> None:
        assert self.machine.deadline is not None
        self.now = self.machine.deadline
        self.machine.tick()


def test_start() -> None:
    world = FakeWorld()
    world.up()
    assert world.done == ["check_port", "spawn", "await_answer"]
    assert world.events() == ["server.starting", "server.ready"]
    snapshot = world.machine.snapshot
    assert (snapshot.pid, snapshot.version, snapshot.generation) == (1, "1.2.3", 1)
    assert (snapshot.ownership, snapshot.started_at) == (Ownership.MANAGED, 100.0)


def test_starting_twice_is_starting_once() -> None:
    world = FakeWorld()
    world.boot()
    world.machine.start()
    world.machine.start(explicit=True)
    assert world.done.count("spawn") == 1


def test_foreign_server_is_left_alone() -> None:
    world = FakeWorld()
    world.machine.start()
    world.machine.port_checked(Verdict.OLLAMA)
    assert world.done == ["check_port", "foreign"]


@pytest.mark.parametrize("verdict", [Verdict.OTHER, Verdict.SILENT])
def test_taken_port_fails_and_says_so(verdict: Verdict) -> None:
    world = FakeWorld(port=4711)
    world.machine.start()
    world.machine.port_checked(verdict)
    assert world.state is ServerState.FAILED
    error = world.machine.snapshot.last_error
    assert error is not None
    assert (error["error"], error["code"]) == ("ServerStartError", "port_in_use")
    assert "127.0.0.1:4711" in error["message"]


def test_program_that_cannot_be_executed_fails() -> None:
    world = FakeWorld()
    world.spawn_error = OSError(8, "Exec format error", "/bin/x")
    world.boot()
    assert world.state is ServerState.FAILED
    error = world.machine.snapshot.last_error
    assert error is not None
    assert "Exec format error: /bin/x" in error["message"]


def test_death_after_a_stable_second_is_answered_at_once() -> None:
    world = FakeWorld()
    world.up()
    world.now += 1.0
    world.die()
    assert world.machine.phase is Phase.CHECKING
    world.machine.port_checked(Verdict.FREE)
    world.machine.answered("1.2.3")
    assert world.machine.snapshot.restarts == 1
    assert world.machine.snapshot.generation == 2
    assert world.events()[2:] == ["server.crashed", "server.restarting", "server.ready"]


def test_runners_are_gone_before_the_next_spawn() -> None:
    world = FakeWorld()
    world.up()
    world.now += 5
    world.machine.exited(-9, ())
    assert world.done[-1] == "clear"
    assert world.machine.phase is Phase.CLEARING


def test_what_cannot_be_cleared_is_not_waited_for_for_ever() -> None:
    world = FakeWorld()
    world.up()
    world.now += 5
    world.machine.exited(-9, ())
    world.tick()
    assert world.machine.phase is Phase.CHECKING


def test_early_deaths_back_off_and_end_in_failed() -> None:
    world = FakeWorld()
    world.up()
    delays: list[float] = []
    while world.state is not ServerState.FAILED:
        world.die(1, "Error: boom")
        if world.machine.phase is Phase.WAITING:
            assert world.machine.deadline is not None
            delays.append(round(world.machine.deadline - world.now, 3))
            world.tick()
            world.machine.port_checked(Verdict.FREE)
            world.machine.answered(None)
    assert delays == [0.1, 0.2]
    error = world.machine.snapshot.last_error
    assert error is not None
    assert error["error"] == "ServerCrashedError"
    assert error["log"] == ["Error: boom"]
    world.machine.start()
    assert world.state is ServerState.FAILED
    world.machine.start(explicit=True)
    assert world.state is ServerState.STARTING
    assert world.machine.snapshot.restarts == 0


def test_exit_at_the_first_start_is_not_retried() -> None:
    world = FakeWorld()
    world.boot()
    world.die(1, "Error: mkdir /x: not a directory: ensure path elements are traversable")
    assert world.state is ServerState.FAILED
    error = world.machine.snapshot.last_error
    assert error is not None
    assert error["error"] == "ServerStartError"
    assert "models folder" in error["message"]
    assert error["exit_code"] == 1
    assert world.done.count("spawn") == 1


def test_first_start_ended_by_a_signal_is_retried() -> None:
    world = FakeWorld()
    world.boot()
    world.die(-9)
    assert world.machine.phase is Phase.WAITING
    assert world.state is ServerState.STARTING


def test_configuration_error_while_restarting_is_not_retried() -> None:
    world = FakeWorld()
    world.up()
    world.now += 5
    world.die()
    world.machine.port_checked(Verdict.FREE)
    world.die(1, "Error: mkdir /x: not a directory: ensure path elements are traversable")
    assert world.state is ServerState.FAILED


IN_USE = "Error: listen tcp 127.0.0.1:1: bind: address already in use"


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("verdict", [Verdict.OLLAMA, Verdict.OTHER, Verdict.FREE])
def test_port_that_was_stolen_is_checked_again(first: bool, verdict: Verdict) -> None:
    world = FakeWorld()
    if first:
        world.boot()
    else:
        world.up()
        world.now += 5
        world.die()
        world.machine.port_checked(Verdict.FREE)
    world.die(1, IN_USE)
    assert world.machine.phase is Phase.WAITING
    assert world.state is (ServerState.STARTING if first else ServerState.RESTARTING)
    world.tick()
    assert world.done[-1] == "check_port"
    world.machine.port_checked(verdict)
    if verdict is Verdict.OLLAMA:
        assert world.done[-1] == "foreign"
    elif verdict is Verdict.FREE:
        assert world.machine.phase is Phase.BOOTING
    else:
        assert world.state is ServerState.FAILED
        error = world.machine.snapshot.last_error or {}
        assert (error["error"], error["code"]) == ("ServerStartError", "port_in_use")


def test_port_that_is_never_free_is_given_up() -> None:
    world = FakeWorld()
    world.boot()
    while world.state is not ServerState.FAILED:
        world.die(1, IN_USE)
        if world.machine.phase is Phase.WAITING:
            world.tick()
            world.machine.port_checked(Verdict.FREE)
    assert world.pids == 3
    error = world.machine.snapshot.last_error or {}
    assert (error["error"], error["code"]) == ("ServerStartError", "port_in_use")


def test_program_that_is_away_for_a_moment_is_waited_for() -> None:
    world = FakeWorld()
    world.up()
    world.now += 5
    world.spawn_error = FileNotFoundError(2, "No such file or directory", "/bin/x")
    world.die()
    world.machine.port_checked(Verdict.FREE)
    assert world.machine.phase is Phase.WAITING
    world.spawn_error = None
    world.tick()
    world.machine.port_checked(Verdict.FREE)
    world.machine.answered(None)
    assert world.state is ServerState.READY


def test_program_that_stays_away_is_given_up() -> None:
    world = FakeWorld()
    world.up()
    world.now += 5
    world.spawn_error = FileNotFoundError(2, "No such file or directory", "/bin/x")
    world.die()
    for _ in range(2):
        world.machine.port_checked(Verdict.FREE)
        world.tick()
    world.machine.port_checked(Verdict.FREE)
    assert world.state is ServerState.FAILED


def test_only_what_comes_back_by_itself_comes_again() -> None:
    world = FakeWorld()
    world.boot()
    assert not world.machine.again
    world.machine.answered(None)
    world.now += 5
    world.die()
    assert world.machine.again
    world.machine.port_checked(Verdict.FREE)
    world.machine.answered(None)
    world.machine.restart()
    assert not world.machine.again


def test_answers_that_are_not_ollamas_end_a_start() -> None:
    world = FakeWorld(start_timeout=300.0)
    world.boot()
    world.machine.heard(Verdict.OTHER)
    world.now += 1.9
    world.machine.heard(Verdict.OTHER)
    assert world.machine.phase is Phase.BOOTING
    world.now += 0.2
    world.machine.heard(Verdict.OTHER)
    assert world.done[-1] == "kill"
    world.die(-9, "hello from a web server")
    assert world.state is ServerState.FAILED
    assert world.done.count("spawn") == 1
    error = world.machine.snapshot.last_error or {}
    assert error["cause"] == "not_ollama"
    assert error["log"] == ["hello from a web server"]
    world.machine.heard(Verdict.OTHER)  # too late to matter


@pytest.mark.parametrize("verdict", [Verdict.FREE, Verdict.SILENT, Verdict.CUT])
def test_patience_with_answers_begins_anew(verdict: Verdict) -> None:
    world = FakeWorld(start_timeout=300.0)
    world.boot()
    for _ in range(5):
        world.machine.heard(Verdict.OTHER)
        world.now += 1.5
        world.machine.heard(verdict)
    for _ in range(3):
        world.machine.heard(Verdict.OTHER, another=True)
        world.now += 1.5
    assert world.machine.phase is Phase.BOOTING


@pytest.mark.parametrize(
    ("verdict", "another", "seen"),
    [
        (Verdict.FREE, False, "nothing listened at 127.0.0.1:11434"),
        (Verdict.SILENT, False, "gave no HTTP answer"),
        (Verdict.CUT, False, "gave no HTTP answer"),
        (Verdict.OTHER, False, "not Ollama"),
        (Verdict.OLLAMA, True, "another program has its port"),
    ],
)
def test_time_over_says_what_was_seen(verdict: Verdict, another: bool, seen: str) -> None:
    world = FakeWorld(start_timeout=7.0)
    world.boot()
    world.machine.heard(verdict, another=another)
    world.tick()
    world.die(-9)
    error = world.machine.snapshot.last_error or {}
    assert "within 7 s" in error["message"]
    assert seen in error["message"]


def test_what_is_worth_knowing_is_shown_while_it_is_ready() -> None:
    world = FakeWorld()
    world.boot()
    world.machine.answered("1", "it has no log")
    assert world.machine.snapshot.cause == "it has no log"
    world.machine.silent()
    world.machine.answered("1")
    assert (world.state, world.machine.snapshot.cause) == (ServerState.READY, "it has no log")


def test_time_that_nobody_ran_is_shown_but_does_not_count() -> None:
    world = FakeWorld()
    world.machine.slept(1000.0)
    world.up()
    assert world.machine.snapshot.started_at == 1100.0  # as the clock of the managers has it
    world.now += 5
    world.die()
    assert world.machine.phase is Phase.CHECKING, "no early death"


def test_silence_at_start_has_an_end() -> None:
    world = FakeWorld(start_timeout=7.0)
    world.boot()
    assert world.machine.deadline == 107.0
    world.tick()
    assert world.done[-1] == "kill"
    world.die()
    assert world.state is ServerState.FAILED
    assert "within 7 s" in str(world.machine.snapshot.last_error)


def test_stop_drains_then_terminates_then_kills() -> None:
    world = FakeWorld(drain_timeout=3.0, stop_timeout=2.0)
    world.up()
    world.machine.stop("asked")
    assert world.state is ServerState.STOPPING
    assert world.done[-1] == "ask_in_flight"
    world.machine.in_flight(2)
    assert world.machine.phase is Phase.DRAINING
    world.tick()
    assert world.done[-1] == "terminate"
    world.tick()
    assert world.done[-1] == "kill"
    world.die()
    assert world.state is ServerState.STOPPED
    assert world.machine.snapshot.ownership is Ownership.NONE
    assert world.now == 105.0


def test_drain_ends_with_the_last_request() -> None:
    world = FakeWorld()
    world.up()
    world.machine.stop("asked")
    world.machine.in_flight(0)
    assert world.done[-1] == "terminate"


def test_stop_without_drain() -> None:
    world = FakeWorld()
    world.up()
    world.machine.stop("nobody left", drain=False)
    assert world.done[-1] == "terminate"


def test_stop_while_draining_for_a_restart_stops() -> None:
    world = FakeWorld()
    world.up()
    world.machine.restart()
    assert world.state is ServerState.RESTARTING
    world.machine.stop("asked")
    world.machine.in_flight(0)
    world.die(0)
    assert world.state is ServerState.STOPPED


def test_start_while_stopping_gets_a_fresh_server_afterwards() -> None:
    world = FakeWorld()
    world.up()
    world.machine.stop("asked", drain=False)
    world.machine.start()
    world.die(0)
    assert world.state is ServerState.STARTING
    world.machine.port_checked(Verdict.FREE)
    world.machine.answered(None)
    assert world.machine.snapshot.restarts == 0
    assert world.machine.snapshot.generation == 2


def test_restart_with_other_settings() -> None:
    world = FakeWorld()
    world.up()
    world.machine.restart(ServerSettings(start_timeout=1.0, drain_timeout=0.0))
    assert world.done[-1] == "terminate"
    world.die(0)
    world.machine.port_checked(Verdict.FREE)
    assert world.machine.deadline == world.now + 1.0


def test_hang_is_shown_then_ended() -> None:
    world = FakeWorld()
    world.up()
    world.now += 50
    world.tick()
    assert world.done[-1] == "check_alive 5"
    world.machine.silent()
    assert world.state is ServerState.UNRESPONSIVE
    world.tick()
    world.machine.silent()
    assert world.state is ServerState.RESTARTING
    assert world.done[-1] == "kill"
    world.die()
    assert world.machine.phase is Phase.CHECKING


def test_a_doubted_server_is_asked_at_once() -> None:
    world = FakeWorld()
    world.up()
    world.machine.doubt()
    world.machine.doubt()
    assert sum(done.startswith("check_alive") for done in world.done) == 1
    assert world.machine.doubted
    assert world.state is ServerState.READY
    told = len(world.shown)
    world.machine.answered("1.2.3")
    assert not world.machine.doubted
    assert len(world.shown) == told + 1, "whoever waits hears of it"
    assert world.events() == ["server.starting", "server.ready"]


@pytest.mark.parametrize("end", ["die", "silent", "stop", "restart"])
def test_a_doubt_ends_with_what_is_found(end: str) -> None:
    world = FakeWorld()
    world.up()
    world.machine.doubt()
    match end:
        case "die":
            world.die()
        case "silent":
            world.machine.silent()
        case "stop":
            world.machine.stop("stopped on purpose")
        case _:
            world.machine.restart()
    assert not world.machine.doubted
    assert world.state is not ServerState.READY


def test_only_a_server_that_is_up_can_be_doubted() -> None:
    world = FakeWorld()
    world.boot()
    world.machine.doubt()
    assert not world.machine.doubted
    assert not any(done.startswith("check_alive") for done in world.done)


def test_answer_after_silence_is_no_hang() -> None:
    world = FakeWorld()
    world.up()
    world.tick()
    world.machine.silent()
    world.tick()
    world.machine.answered("1.2.3")
    assert world.state is ServerState.READY
    world.tick()
    world.machine.silent()
    assert world.state is ServerState.UNRESPONSIVE


STEPS = st.lists(
    st.sampled_from(
        [
            *("start", "explicit", "restart", "stop", "stop now", "tick", "free", "ollama"),
            *("try", "try now"),
            *("other", "answer", "silent", "die", "exit", "clear", "idle", "busy", "wait"),
        ]
    ),
    max_size=40,
)


@given(STEPS)
def test_any_order_of_events_keeps_to_the_state_table(steps: list[str]) -> None:
    world = FakeWorld()  # `published` checks every step against the table
    machine = world.machine
    alive = 0
    for step in steps:
        spawned = world.done.count("spawn")
        match step:
            case "start" | "explicit":
                machine.start(explicit=step == "explicit")
            case "restart":
                machine.restart()
            case "try" | "try now":
                machine.try_settings(machine.settings, drain=step == "try")
            case "stop" | "stop now":
                machine.stop("asked", drain=step == "stop")
            case "tick" if machine.deadline is not None:
                world.tick()
            case "free" | "ollama" | "other":
                machine.port_checked(Verdict(step))
            case "answer" if alive:
                machine.answered("1")
            case "silent" if alive:
                machine.silent()
            case "die" | "exit" if alive:
                alive = 0
                machine.exited(-9 if step == "die" else 1, ())
            case "clear" if not alive:
                machine.cleared()
            case "idle" | "busy":
                machine.in_flight(0 if step == "idle" else 1)
            case "wait":
                world.now += 1
            case _:
                pass
        started = world.done.count("spawn") - spawned
        assert started + alive <= 1, "never two servers"
        alive += started
        assert bool(machine.snapshot.pid) == bool(alive)
        assert (machine.phase is Phase.IDLE) == (world.state is ServerState.STOPPED) or (
            "foreign" in world.done
        )


def trying() -> FakeWorld:
    """A server that was up, about to be started with other settings."""
    world = FakeWorld()
    world.up()
    world.machine.try_settings(world.machine.settings.replace(env={"A": "new"}))
    world.machine.in_flight(0)
    return world


def test_settings_that_do_not_start_are_taken_back() -> None:
    world = trying()
    world.die(0)
    world.machine.port_checked(Verdict.FREE)
    assert world.machine.settings.env == {"A": "new"}
    world.die(1, "Error: no")
    assert world.rolled[0]["error"] == "ServerStartError"
    assert not world.machine.trying
    world.machine.port_checked(Verdict.FREE)
    world.machine.answered("0.24.0")
    assert world.machine.settings.env == {}
    assert world.state is ServerState.READY
    assert "server.failed" not in world.events()


def test_settings_that_start_are_kept() -> None:
    world = trying()
    world.die(0)
    world.machine.port_checked(Verdict.FREE)
    world.machine.answered("0.24.0")
    assert world.machine.settings.env == {"A": "new"}
    world.die(-9)
    assert world.rolled == []
    assert not world.machine.trying


def test_the_settings_before_are_those_that_ran_last() -> None:
    world = trying()
    world.machine.try_settings(world.machine.settings.replace(env={"A": "newer"}))
    world.die(0)
    world.machine.port_checked(Verdict.FREE)
    world.die(1, "Error: no")
    assert world.machine.settings.env == {}


def test_nothing_is_taken_back_after_a_stop() -> None:
    world = trying()
    world.machine.stop("stopped on purpose")
    world.die(0)
    assert world.state is ServerState.STOPPED
    assert world.rolled == []
