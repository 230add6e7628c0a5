"""Messages that make no sense cost their sender the connection, and nobody the server."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from manager.supervisor.client import inspect
from manager.supervisor.processes import find
from manager.supervisor.protocol import connect, encode, send_with_fd
from manager.supervisor.settings import LivenessPolicy
from manager.supervisor.states import ServerState

if TYPE_CHECKING:
    from tests.process.conftest import World

DEADLINE = 20.0
HELLO = encode({"hello": {"protocol": 1, "pid": 1}})


def lease(**settings: Any) -> bytes:
    return encode({"id": 1, "op": "lease", "mode": "join", "settings": settings, "command": ["x"]})


NONSENSE = {
    "no json": b"what?\n",
    "no object": b"[]\n",
    "too deep": b"[" * 200_000 + b"\n",
    "waiting is no list": encode({"waiting": 5}),
    "waiting for what": encode({"waiting": [5], "left": {}}),
    "left is a list": encode({"waiting": [], "left": ["x"]}),
    "left for words": encode({"waiting": [], "left": {"x": "long"}}),
    "left on release": encode({"id": 1, "op": "release", "left": [1]}),
    "settings are a word": encode({"id": 1, "op": "lease", "settings": "x", "command": ["x"]}),
    "command is a word": encode({"id": 1, "op": "lease", "settings": {}, "command": 5}),
    "mode is a number": encode({"id": 1, "op": "lease", "mode": 5, "settings": {}}),
    "linger": lease(linger="x"),
    "linger without end": b'{"id":1,"op":"lease","settings":{"linger":NaN},"command":["x"]}\n',
    "stop_timeout": lease(stop_timeout="soon"),
    "negative": lease(drain_timeout=-1),
    "port": lease(port=99999),
    "env": lease(env={"A": 5}),
    "restart": lease(restart={"initial_delay": []}),
    "liveness": lease(liveness=7),
    "runner_timeout": lease(runner_timeout=True),
}


@pytest.mark.parametrize("message", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_costs_only_its_sender(world: World, message: bytes) -> None:
    link, snapshot = world.ready()
    with connect(world.settings().address, DEADLINE) as stranger:
        send_with_fd(stranger, HELLO, None)
        assert stranger.recv(65536)
        stranger.sendall(message)
        assert stranger.recv(65536) == b"", "the connection is ended"
    assert link.acquire().result(DEADLINE).pid == snapshot.pid
    seen = inspect("127.0.0.1", world.port)
    assert seen is not None
    assert (seen.supervisor_pid, seen.leases) == (snapshot.supervisor_pid, 1)


def test_a_newer_version_may_say_more(world: World) -> None:
    link, snapshot = world.ready()
    settings = world.settings().to_dict()
    settings["restart"]["new"] = settings["liveness"]["new"] = settings["new"] = 1
    with connect(world.settings().address, DEADLINE) as newer:
        send_with_fd(newer, HELLO, None)
        assert newer.recv(65536)
        asked = {"id": 7, "op": "lease", "settings": settings, "command": list(world.fake)}
        newer.sendall(encode(asked))
        said = b""
        while b'"id":7' not in said:
            said += newer.recv(65536)
        assert b'"id":7,"ok"' in said
    assert link.acquire().result(DEADLINE).pid == snapshot.pid


def test_a_descriptor_that_cannot_be_watched_is_let_go(world: World) -> None:
    link, snapshot = world.ready()
    file = os.open(__file__, os.O_RDONLY)
    try:
        with connect(world.settings().address, DEADLINE) as odd:
            send_with_fd(odd, HELLO, file)
            assert odd.recv(65536), "it is greeted all the same"
    finally:
        os.close(file)
    assert link.acquire().result(DEADLINE).pid == snapshot.pid


def test_a_linger_of_years_is_waited_for(world: World) -> None:
    # no other timer is to cut the wait short
    quiet = {"liveness": LivenessPolicy(interval=0), "runner_timeout": 0.0}
    link, snapshot = world.ready(linger=1e9, **quiet)
    link.close().result(DEADLINE)
    seen = inspect("127.0.0.1", world.port)
    assert seen is not None
    assert seen.pid == snapshot.pid
    world.link().stop().result(DEADLINE)


def test_who_starts_again_after_a_stop_is_told_of_the_server_that_others_started(
    world: World,
) -> None:
    one, _ = world.ready("stubborn", stop_timeout=0.5)
    two, _ = world.ready("stubborn", stop_timeout=0.5)
    three = world.link("stubborn", stop_timeout=0.5)
    stopping = one.stop()
    world.eventually(lambda: two.snapshot.state is ServerState.STOPPING)
    fresh = three.acquire()
    stopping.result(DEADLINE)
    started = fresh.result(DEADLINE)
    world.note(started)
    again = two.start().result(DEADLINE)
    assert (again.state, again.pid) == (ServerState.READY, started.pid)
    assert two.snapshot.ready


def test_a_leftover_that_is_stopped_is_removed_by_the_next_start(world: World) -> None:
    from tests.process.test_supervisor_faults import end, hold

    holder = hold(world)
    assert holder.stdout is not None
    holder.stdout.readline()
    seen = inspect("127.0.0.1", world.port)
    assert seen is not None
    assert seen.pid is not None
    assert seen.supervisor_pid is not None
    world.note(seen)
    for pid in (seen.pid, seen.supervisor_pid):  # so that nobody can tidy up
        os.kill(pid, signal.SIGSTOP)
    end(holder)
    os.kill(seen.supervisor_pid, signal.SIGKILL)
    assert find(seen.pid) is not None
    fresh = world.link().acquire().result(DEADLINE)
    world.note(fresh)
    assert fresh.ready
    assert fresh.pid != seen.pid
    world.eventually(lambda: find(seen.pid or 0) is None)
