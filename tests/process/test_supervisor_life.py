"""Start, join, stop, restart, and the end of the last lease, with real processes."""

from __future__ import annotations

import math
import os
import signal
import stat
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from manager.errors import ConfigError, ServerNotOwnedError, ServerUnavailableError
from manager.supervisor.client import inspect, read_log, stop_managed
from manager.supervisor.processes import find
from manager.supervisor.settings import LivenessPolicy
from manager.supervisor.states import Ownership, ServerState

if TYPE_CHECKING:
    from manager.supervisor.states import Snapshot
    from tests.process.conftest import World

DEADLINE = 20.0


def test_nothing_happens_before_the_first_command(world: World) -> None:
    before = threading.active_count()
    link = world.link()
    assert link.snapshot.state is ServerState.STOPPED
    assert link.snapshot.ownership is Ownership.NONE
    assert threading.active_count() == before
    assert inspect("127.0.0.1", world.port) is None


def test_start_gives_a_managed_ready_server(world: World) -> None:
    link, snapshot = world.ready()
    assert snapshot.state is ServerState.READY
    assert snapshot.ownership is Ownership.MANAGED
    assert snapshot.version == "0.0.0-fake"
    assert snapshot.pid == world.starts()[0]["pid"]
    assert snapshot.generation == 1
    assert link.snapshot == snapshot
    assert [s.event for s in world.seen if s.event] == ["server.starting", "server.ready"]


def test_supervisor_and_server_are_detached(world: World) -> None:
    _, snapshot = world.ready()
    assert snapshot.supervisor_pid is not None
    assert snapshot.pid is not None
    session = os.getsid(0)
    for pid in (snapshot.supervisor_pid, snapshot.pid):
        assert os.getsid(pid) != session
        for fd in (0, 1, 2):
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
            assert target == "/dev/null" or target == snapshot.log_path
    assert os.readlink(f"/proc/{snapshot.supervisor_pid}/cwd") == "/"


def test_log_is_for_the_owner_alone_and_can_be_read(world: World) -> None:
    link, snapshot = world.ready()
    assert snapshot.log_path is not None
    log = Path(snapshot.log_path)
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700
    read = link.log(5).result(DEADLINE)
    assert read[-1] == f"Listening on 127.0.0.1:{world.port}"
    # what the supervisor remarks depends on what runs the tests
    assert all(line.startswith("ollama-manager: ") for line in read[:-1])
    assert read_log("127.0.0.1", world.port) == read


def test_second_manager_joins_and_the_last_one_out_ends_it(world: World) -> None:
    first, snapshot = world.ready()
    second, joined = world.ready()
    assert joined.pid == snapshot.pid
    assert len(world.starts()) == 1
    seen = inspect("127.0.0.1", world.port)
    assert seen is not None
    assert seen.leases == 2
    first.close().result(DEADLINE)
    after = inspect("127.0.0.1", world.port)
    assert after is not None
    assert after.leases == 1
    assert second.acquire().result(DEADLINE).pid == snapshot.pid
    second.close().result(DEADLINE)
    # `close` of the last one returns when the server and its runner are gone already.
    runner = world.starts()[0]["runner"]
    assert snapshot.pid is not None
    assert find(snapshot.pid) is None
    assert find(runner) is None
    world.eventually(lambda: inspect("127.0.0.1", world.port) is None)


def test_linger_keeps_the_server_for_the_next_manager(world: World) -> None:
    first, snapshot = world.ready(linger=30.0)
    first.close().result(DEADLINE)
    second, joined = world.ready(linger=0.0)
    assert joined.pid == snapshot.pid
    second.close().result(DEADLINE)
    # The first one's linger has not run out.
    seen = inspect("127.0.0.1", world.port)
    assert seen is not None
    assert seen.ready
    assert stop_managed("127.0.0.1", world.port) is not None


def test_linger_runs_out(world: World) -> None:
    link, _ = world.ready(linger=0.3)
    link.close().result(DEADLINE)
    assert not world.all_gone()
    world.eventually(world.all_gone)


def test_endless_lease_stays_until_stopped(world: World) -> None:
    link, snapshot = world.ready(linger=math.inf)
    link.close().result(DEADLINE)
    seen = inspect("127.0.0.1", world.port)
    assert seen is not None
    assert (seen.pid, seen.leases) == (snapshot.pid, 1)
    stopped = stop_managed("127.0.0.1", world.port)
    assert stopped is not None
    assert stopped.state is ServerState.STOPPED
    world.eventually(world.all_gone)
    assert stop_managed("127.0.0.1", world.port) is None


def test_stop_ends_every_lease_until_started_again(world: World) -> None:
    first, snapshot = world.ready()
    second, _ = world.ready()
    assert first.stop().result(DEADLINE).state is ServerState.STOPPED
    assert snapshot.pid is not None
    assert find(snapshot.pid) is None
    world.eventually(lambda: second.snapshot.state is ServerState.STOPPED)
    for link in (first, second):
        with pytest.raises(ServerUnavailableError) as caught:
            link.acquire().result(DEADLINE)
        assert caught.value.code == "server_stopped"
    third, fresh = world.ready()  # made later: unaffected
    assert fresh.pid != snapshot.pid
    with pytest.raises(ServerUnavailableError):
        first.acquire().result(DEADLINE)
    assert first.start().result(DEADLINE).pid == fresh.pid
    assert third.snapshot.state is ServerState.READY


def test_stop_when_nothing_runs_is_no_error(world: World) -> None:
    link = world.link()
    assert link.stop().result(DEADLINE).state is ServerState.STOPPED
    with pytest.raises(ServerUnavailableError):
        link.acquire().result(DEADLINE)


def test_stop_overtakes_a_start(world: World) -> None:
    link = world.link("slow=30")
    waiting = link.acquire()
    world.eventually(lambda: link.snapshot.pid)
    world.note(link.snapshot)
    link.stop().result(DEADLINE)
    with pytest.raises(ServerUnavailableError):
        waiting.result(DEADLINE)


def test_close_ends_a_start(world: World) -> None:
    link = world.link("slow=30")
    waiting = link.acquire()
    world.eventually(lambda: link.snapshot.pid)
    world.note(link.snapshot)
    link.close().result(DEADLINE)
    with pytest.raises(ServerUnavailableError):
        waiting.result(DEADLINE)
    with pytest.raises(ServerUnavailableError) as caught:
        link.acquire().result(DEADLINE)
    assert caught.value.code == "manager_closed"
    world.eventually(world.all_gone)


def test_giving_up_a_future_harms_nothing(world: World) -> None:
    link = world.link("slow=0.5")
    assert link.acquire().cancel()
    snapshot = link.acquire().result(DEADLINE)
    world.note(snapshot)
    assert snapshot.ready


def test_stubborn_server_is_killed_after_the_stop_timeout(world: World) -> None:
    link, snapshot = world.ready("stubborn", stop_timeout=0.3)
    begun = time.monotonic()
    link.stop().result(DEADLINE)
    assert time.monotonic() - begun >= 0.3
    assert snapshot.pid is not None
    assert find(snapshot.pid) is None
    world.eventually(world.all_gone)


def test_stop_waits_for_requests_in_flight(world: World) -> None:
    requests = [2]
    link, snapshot = world.ready(in_flight=lambda: requests[0], drain_timeout=30.0)
    stopping = link.stop()
    world.eventually(lambda: link.snapshot.state is ServerState.STOPPING)
    assert snapshot.pid is not None
    assert find(snapshot.pid) is not None
    assert not stopping.done()
    requests[0] = 0
    assert stopping.result(DEADLINE).state is ServerState.STOPPED


def test_drain_has_an_end(world: World) -> None:
    link, _ = world.ready(in_flight=lambda: 1, drain_timeout=0.2)
    assert link.stop().result(DEADLINE).state is ServerState.STOPPED


def test_restart_gives_everybody_a_new_server(world: World) -> None:
    first, snapshot = world.ready()
    second, _ = world.ready()
    fresh = first.restart().result(DEADLINE)
    world.note(fresh)
    assert fresh.pid != snapshot.pid
    assert fresh.generation == 2
    assert fresh.restarts == 0  # asked for, not needed
    world.eventually(lambda: second.snapshot.pid == fresh.pid and second.snapshot.ready)


def test_restart_starts_where_nothing_runs(world: World) -> None:
    link = world.link()
    snapshot = link.restart().result(DEADLINE)
    world.note(snapshot)
    assert snapshot.ready


def test_other_settings_are_refused_while_others_use_the_server(world: World) -> None:
    _, snapshot = world.ready(env={"OLLAMA_NUM_PARALLEL": "1"})
    other = world.link(env={"OLLAMA_NUM_PARALLEL": "4", "OLLAMA_DEBUG": "1"})
    with pytest.raises(ConfigError) as caught:
        other.acquire().result(DEADLINE)
    assert caught.value.difference == ["OLLAMA_DEBUG", "OLLAMA_NUM_PARALLEL"]
    assert "OLLAMA_NUM_PARALLEL" in str(caught.value)
    seen = inspect("127.0.0.1", world.port)
    assert seen is not None
    assert (seen.pid, seen.leases) == (snapshot.pid, 1)


def test_other_settings_restart_a_server_that_nobody_uses(world: World) -> None:
    first, snapshot = world.ready(linger=30.0)
    first.close().result(DEADLINE)
    _, fresh = world.ready(env={"OLLAMA_NUM_PARALLEL": "4"})
    assert fresh.pid != snapshot.pid
    assert fresh.ready
    stop_managed("127.0.0.1", world.port)  # the first one's linger has not run out


def test_reconfigure_restarts_the_only_managers_server(world: World) -> None:
    link, snapshot = world.ready()
    wanted = world.settings(env={"OLLAMA_NUM_PARALLEL": "4"})
    accepted, done = link.change(wanted)
    accepted.result(DEADLINE)
    fresh = done.result(DEADLINE)
    world.note(fresh)
    assert fresh.pid != snapshot.pid
    assert fresh.pid is not None
    environ = Path(f"/proc/{fresh.pid}/environ").read_bytes()
    assert b"OLLAMA_NUM_PARALLEL=4" in environ


def test_reconfigured_policies_hold_at_once_for_the_running_server(world: World) -> None:
    link, snapshot = world.ready(liveness=LivenessPolicy(interval=0))
    other = world.link()
    assert other.acquire().result(DEADLINE).pid == snapshot.pid, "joining changes nothing"
    watched = world.settings(liveness=LivenessPolicy(interval=0.1, timeout=0.2, threshold=1))
    assert link.change(watched)[1].result(DEADLINE).pid == snapshot.pid
    assert snapshot.pid is not None
    os.kill(snapshot.pid, signal.SIGSTOP)
    world.eventually(lambda: link.snapshot.ready and link.snapshot.pid != snapshot.pid)
    world.note(link.snapshot)


def test_a_remote_server_is_never_touched(world: World) -> None:
    link = world.link(remote=True, base_url="https://example.invalid")
    assert link.snapshot.ownership is Ownership.REMOTE
    assert link.acquire().result(DEADLINE).ownership is Ownership.REMOTE
    for refused in (link.start(), link.stop(), link.restart(), link.log()):
        with pytest.raises(ServerNotOwnedError):
            refused.result(DEADLINE)
    link.close().result(DEADLINE)


def test_listener_that_raises_harms_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: Snapshot) -> None:
        raise RuntimeError("listener")

    _, snapshot = world.ready(on_change=broken)
    assert snapshot.ready
    assert "on_change failed" in caplog.text
