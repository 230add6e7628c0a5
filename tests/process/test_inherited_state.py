"""What a program has set for itself does not come to the server that it starts for everybody."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from manager.supervisor.client import inspect
from manager.supervisor.processes import find

from .conftest import DEADLINE, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from manager.supervisor.states import Snapshot

    from .conftest import World

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

PROGRAM = """
import json, os, resource, signal, sys, time
from manager.supervisor.link import SupervisorLink
from manager.supervisor.settings import ServerSettings
{}
link = SupervisorLink(ServerSettings.from_dict(json.loads(sys.argv[1])))
snapshot = link.acquire().result(60)
print(json.dumps({{"server": snapshot.pid, "cause": snapshot.cause}}), flush=True)
sys.stdin.readline()
link.close().result(60)
print("closed", flush=True)
"""
BLOCK_ALL = "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())"
IGNORE_ALL = """
for number in signal.valid_signals() - {{signal.SIGKILL, signal.SIGSTOP}}:
    signal.signal(number, signal.SIG_IGN)
"""


class User:
    """A program that has set something for itself, and uses a server."""

    def __init__(self, world: World, lines: str) -> None:
        settings = json.dumps(world.settings().to_dict())
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(lines.format()), settings],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.said: dict[str, Any] = json.loads(self.process.stdout.readline())
        seen = inspect("127.0.0.1", world.port)
        assert seen is not None
        world.note(seen)
        self.seen: Snapshot = seen

    def close(self) -> None:
        out, _ = self.process.communicate("\n", 3 * DEADLINE)
        assert out == "closed\n"

    def log(self) -> str:
        assert self.seen.log_path is not None
        return Path(self.seen.log_path).read_text()


@pytest.fixture
def start(world: World) -> Iterator[Any]:
    users: list[User] = []

    def start(lines: str) -> User:
        users.append(User(world, lines))
        return users[-1]

    yield start
    for user in users:
        user.process.kill()
        user.process.communicate()


def signals_of(pid: int | None) -> dict[str, int]:
    """The sets of signals of a process, as bits: blocked, ignored; without the C library's own."""
    lines = dict(
        line.split(":\t", 1)
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("Sig")
    )
    known = bits(*signal.valid_signals())
    return {name: int(lines[name], 16) & known for name in ("SigBlk", "SigIgn")}


def bits(*numbers: int) -> int:
    return sum(1 << (number - 1) for number in numbers)


@pytest.mark.parametrize("lines", [BLOCK_ALL, IGNORE_ALL])
def test_signals_of_the_starter(world: World, start: Any, lines: str) -> None:
    user = start(lines)
    assert signals_of(user.seen.supervisor_pid) == {
        "SigBlk": 0,
        "SigIgn": bits(signal.SIGPIPE, signal.SIGXFSZ),
    }
    # The fake server blocks SIGTERM, but when it waits for that, and ignores what Python ignores.
    server = signals_of(user.said["server"])
    assert server["SigBlk"] & ~bits(signal.SIGTERM) == 0
    assert server["SigIgn"] == bits(signal.SIGPIPE, signal.SIGXFSZ)
    os.kill(user.said["server"], signal.SIGKILL)
    eventually(lambda: (inspect("127.0.0.1", world.port) or user.seen).pid != user.seen.pid)
    seen = inspect("127.0.0.1", world.port)
    assert seen is not None
    world.note(seen)
    user.close()
    eventually(world.all_gone, "the supervisor heard of its server's end")
    _, snapshot = world.ready()
    assert snapshot.supervisor_pid != seen.supervisor_pid


def limit_of(pid: int, which: int) -> tuple[int, int]:
    return resource.prlimit(pid, which)


def test_limits_of_the_starter(world: World, start: Any) -> None:
    user = start(
        """
for name, soft in (("NOFILE", 20), ("FSIZE", 1 << 40), ("CPU", 3600), ("AS", 1 << 40)):
    which = getattr(resource, "RLIMIT_" + name)
    resource.setrlimit(which, (soft, resource.getrlimit(which)[1]))
"""
    )
    for pid in (user.said["server"], user.seen.supervisor_pid):
        for which in (
            resource.RLIMIT_NOFILE,
            resource.RLIMIT_FSIZE,
            resource.RLIMIT_CPU,
            resource.RLIMIT_AS,
        ):
            soft, hard = limit_of(pid, which)
            assert soft == (min(hard, 1 << 20) if which == resource.RLIMIT_NOFILE else hard), which
    assert user.said["cause"] is None
    user.close()


def test_a_low_hard_limit_is_told(world: World, start: Any) -> None:
    user = start("resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300))")
    assert limit_of(user.said["server"], resource.RLIMIT_NOFILE) == (300, 300)
    assert "no more than 300 files" in user.said["cause"]
    assert "no more than 300 files" in user.log()
    user.close()


def test_a_low_priority_is_told(world: World, start: Any) -> None:
    user = start("os.nice(3)")
    nice = os.getpriority(os.PRIO_PROCESS, user.said["server"])
    assert nice > 0
    assert f"nice {nice}" in user.log()
    user.close()


def test_processors_of_the_starter_are_told(world: World, start: Any) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("there is one processor")
    user = start("os.sched_setaffinity(0, {{min(os.sched_getaffinity(0))}})")
    assert len(os.sched_getaffinity(user.said["server"])) == 1
    assert f"1 of {os.cpu_count()} processors" in user.log()
    user.close()


@pytest.mark.parametrize(
    ("umask", "expected"), [(0o000, 0o002), (0o777, 0o077), (0o022, 0o022), (0o077, 0o077)]
)
def test_umask_of_the_starter(world: World, start: Any, umask: int, expected: int) -> None:
    """Never open to the world, never closed to the user."""
    user = start(f"os.umask({umask})")
    status = Path(f"/proc/{user.said['server']}/status").read_text()
    assert int(status.partition("\nUmask:\t")[2].split()[0], 8) == expected
    user.close()


def test_scheduling_of_the_starter(world: World, start: Any) -> None:
    user = start("os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))")
    assert os.sched_getscheduler(user.said["server"]) == os.SCHED_OTHER
    user.close()


def test_a_starter_that_is_not_to_be_killed(world: World, start: Any) -> None:
    """Where memory runs out, the server may be killed; the starter had said otherwise of itself."""
    if os.geteuid() != 0:
        pytest.skip("only root can set it")
    try:
        Path("/proc/self/oom_score_adj").write_text("0")
        subprocess.run(["sh", "-c", "echo -5 >/proc/self/oom_score_adj"], check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("may not be set here")
    user = start("open('/proc/self/oom_score_adj', 'w').write('-5')")
    for pid in (user.said["server"], user.seen.supervisor_pid):
        assert int(Path(f"/proc/{pid}/oom_score_adj").read_text()) == 0
    user.close()


def test_nothing_is_told_where_there_is_nothing_to_tell(world: World, start: Any) -> None:
    user = start("")
    assert user.said["cause"] is None
    inherited = os.nice(0) > 0 or len(os.sched_getaffinity(0)) < (os.cpu_count() or 1)
    assert inherited or "ollama-manager:" not in user.log()
    user.close()


DEAF = """
import os, signal
from manager.supervisor import __main__ as m
on_signal = m.Loop.on_signal
m.Loop.on_signal = lambda s, n, c: None if n == signal.SIGCHLD else on_signal(s, n, c)
{}
import sys
sys.exit(m.main("127.0.0.1", {}))
"""


@pytest.mark.parametrize("lines", ["", "del os.pidfd_open"])
def test_a_death_is_heard_of_without_its_signal(world: World, lines: str) -> None:
    words = [sys.executable, "-c", DEAF.format(lines, world.port)]
    supervisor = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == "listening\n"
        link, snapshot = world.ready()
        assert snapshot.supervisor_pid == supervisor.pid
        world.stable(snapshot)
        assert snapshot.pid is not None
        os.kill(snapshot.pid, signal.SIGKILL)
        eventually(lambda: link.snapshot.ready and link.snapshot.pid != snapshot.pid)
        world.note(link.snapshot)
        assert find(snapshot.pid) is None
        link.close().result(DEADLINE)
        assert supervisor.wait(DEADLINE) == 0
    finally:
        supervisor.kill()
        supervisor.communicate()
