"""A supervisor that does not answer any more holds nobody for ever."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from manager.supervisor.client import inspect
from manager.supervisor.processes import find

from .conftest import DEADLINE, eventually

if TYPE_CHECKING:
    from manager.supervisor.states import Snapshot

    from .conftest import World

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="it is killed on Linux only")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manager.supervisor.heartbeat.INTERVAL", 0.1)
    monkeypatch.setattr("manager.supervisor.attach._HELLO_TIMEOUT", 1.0)


def stop(snapshot: Snapshot) -> int:
    assert snapshot.supervisor_pid is not None
    os.kill(snapshot.supervisor_pid, signal.SIGSTOP)
    return snapshot.supervisor_pid


def test_a_call_that_waits_gets_another_server(world: World) -> None:
    link, snapshot = world.ready()
    world.seen.clear()
    supervisor = stop(snapshot)
    fresh = link.reacquire().result(DEADLINE)
    world.note(fresh)
    assert fresh.ready
    assert fresh.supervisor_pid != supervisor
    assert find(supervisor) is None
    causes = [seen.cause for seen in world.seen if seen.event == "server.crashed"]
    assert causes == ["its supervisor did not answer, and was ended with the server"]


def test_all_calls_that_wait(world: World) -> None:
    links = [world.ready()[0] for _ in range(3)]
    stop(links[0].snapshot)
    waiting = [link.reacquire() for link in links for _ in range(2)]
    pids = {future.result(DEADLINE).pid for future in waiting}
    world.note(links[0].snapshot)
    assert len(pids) == 1


def test_close_and_another_manager(world: World) -> None:
    link, snapshot = world.ready(stop_timeout=300.0)
    supervisor = stop(snapshot)
    closing = link.close()
    other = world.link().acquire()
    closing.result(DEADLINE)
    fresh = other.result(DEADLINE)
    world.note(fresh)
    assert fresh.supervisor_pid != supervisor


def test_close_leaves_nothing_of_it(world: World) -> None:
    link, snapshot = world.ready(stop_timeout=300.0)
    supervisor = stop(snapshot)
    link.close().result(DEADLINE)
    eventually(lambda: find(supervisor) is None)
    eventually(world.all_gone)


@pytest.mark.parametrize("command", ["stop", "restart"])
def test_other_commands(world: World, command: str) -> None:
    link, snapshot = world.ready()
    supervisor = stop(snapshot)
    after = getattr(link, command)().result(DEADLINE)
    world.note(after)
    assert after.ready == (command == "restart")
    assert find(supervisor) is None


def test_a_long_start_is_no_silence(world: World) -> None:
    gate = world.folder / "gate"
    link = world.link(f"wait-for={gate}")
    waiting = link.acquire()
    eventually(lambda: link.snapshot.pid, "it is started")
    starting = inspect("127.0.0.1", world.port)
    assert starting is not None
    looks: list[float] = []
    beat = link._thread.session._heartbeat  # type: ignore[union-attr]
    look = beat.look
    beat.look = lambda: (looks.append(1.0), look())[1]  # type: ignore[method-assign]
    eventually(lambda: len(looks) > 20, "many times the patience has passed")
    gate.touch()
    snapshot = waiting.result(DEADLINE)
    world.note(snapshot)
    assert snapshot.supervisor_pid == starting.supervisor_pid
