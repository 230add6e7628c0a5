"""The supervisor as a program: what it says to who starts it, and what it leaves when it fails."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from manager.supervisor.client import inspect
from manager.supervisor.logfile import log_path
from manager.supervisor.protocol import connect, encode

from .conftest import DEADLINE, eventually

if TYPE_CHECKING:
    from .conftest import World

MAIN = "import sys; from manager.supervisor import __main__ as m; {}; sys.exit(m.main(*{!r}))"


@pytest.fixture
def program(world: World) -> list[str]:
    """The words that start it without a fork; it has the world's environment."""
    return [sys.executable, "-c", MAIN.format("pass", ("127.0.0.1", world.port))]


def test_another_was_there_first(world: World, program: list[str]) -> None:
    _, snapshot = world.ready()
    done = subprocess.run(program, capture_output=True, timeout=DEADLINE, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"taken\n", b"")
    seen = inspect("127.0.0.1", world.port)
    assert seen is not None
    assert seen.supervisor_pid == snapshot.supervisor_pid


def test_its_starter_may_be_gone(world: World, program: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    started = subprocess.Popen(program, stdout=writer)
    os.close(writer)
    try:
        eventually(lambda: inspect("127.0.0.1", world.port), "it listens")
        _, snapshot = world.ready()
        assert snapshot.supervisor_pid == started.pid
        world.links[0].close().result(DEADLINE)
        assert started.wait(DEADLINE) == 0
    finally:
        started.kill()
        started.wait()


def test_its_last_words_are_in_the_log(world: World) -> None:
    fails = "m.Loop.run = lambda _: 1 / 0"
    words = [sys.executable, "-c", MAIN.format(fails, ("127.0.0.1", world.port))]
    done = subprocess.run(words, capture_output=True, timeout=DEADLINE, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"listening\n", b"")
    written = Path(log_path(world.settings().address)).read_text()
    assert written.startswith("the supervisor failed:\n")
    assert "ZeroDivisionError" in written


@pytest.mark.skipif(sys.platform != "linux", reason="the limits of another process")
def test_it_has_no_descriptor_left(world: World) -> None:
    """Who comes then waits until there is room, and those who are there notice nothing."""
    link, snapshot = world.ready()
    assert snapshot.supervisor_pid is not None
    supervisor = snapshot.supervisor_pid
    used = {int(name) for name in os.listdir(f"/proc/{supervisor}/fd")}
    room = next(number for number in range(10_000) if number not in used)
    before = resource.prlimit(supervisor, resource.RLIMIT_NOFILE)
    resource.prlimit(supervisor, resource.RLIMIT_NOFILE, (room, before[1]))

    def woken() -> int:
        status = Path(f"/proc/{supervisor}/status").read_text()
        return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])

    since = woken()
    with connect(world.settings().address, DEADLINE) as stranger:
        stranger.sendall(encode({"hello": {"protocol": 1, "pid": 1}}))
        eventually(lambda: woken() > since, "it looks who came")
        assert link.acquire().result(DEADLINE).pid == snapshot.pid
        resource.prlimit(supervisor, resource.RLIMIT_NOFILE, before)
        stranger.settimeout(DEADLINE)
        assert b"hello" in stranger.recv(65536)


def test_who_says_nothing_of_itself_is_not_heard(world: World) -> None:
    world.ready()
    with connect(world.settings().address, DEADLINE) as stranger:
        stranger.sendall(encode({"id": 1, "op": "stop"}))
        assert stranger.recv(65536) == b""
    seen = inspect("127.0.0.1", world.port)
    assert seen is not None
    assert seen.state.value == "ready"
