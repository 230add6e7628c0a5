"""What outlives a killed supervisor, found by the mark of its life and removed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from manager.supervisor import stragglers as module
from manager.supervisor.processes import MARK, descendants_of, find, mark, survivors_of
from manager.supervisor.stragglers import Stragglers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")

ADDRESS = f"test-{os.getpid()}:1"


@pytest.fixture
def start() -> Iterator[Callable[[str], int]]:
    """Start a process with the mark of a life."""
    started: list[subprocess.Popen[bytes]] = []

    def start(nonce: str) -> int:
        environ = {**os.environ, MARK: mark(ADDRESS, nonce)}
        process = subprocess.Popen(["sleep", "600"], env=environ)
        started.append(process)
        # a process that has just begun its program has no environment yet
        shown = Path(f"/proc/{process.pid}/environ")
        deadline = time.monotonic() + 20
        while MARK.encode() not in shown.read_bytes() and time.monotonic() < deadline:
            time.sleep(0.001)
        return process.pid

    yield start
    for process in started:
        process.kill()
        process.wait()


def dead_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 20
    while find(pid) is not None and time.monotonic() < deadline:
        time.sleep(0.005)
    return find(pid) is None


def test_survivors_bear_the_mark_of_the_dead_one(start: Callable[[str], int]) -> None:
    dead = dead_pid()
    mine = {start(f"{dead}-123"), start(f"{dead}-456")}
    start(f"{dead}9-123")  # another supervisor's, whose pid begins with the same digits
    start("1-123")
    assert {process.pid for process in survivors_of(dead, ADDRESS)} == mine
    assert survivors_of(dead, f"{ADDRESS}1") == []


def test_what_a_living_process_may_own_is_left_alone(start: Callable[[str], int]) -> None:
    start(f"{os.getpid()}-123")
    assert survivors_of(os.getpid(), ADDRESS) == []


def test_they_get_a_moment_then_are_killed(
    start: Callable[[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    stragglers = Stragglers(ADDRESS)
    assert stragglers.due() is None
    dead = dead_pid()
    old, successor = start(f"{dead}-1"), start("1-2")
    os.kill(old, signal.SIGSTOP)
    stragglers.died(dead)
    assert stragglers.due() == 100.25
    stragglers.tick()
    assert find(old) is not None
    now[0] += 0.25
    stragglers.tick()
    monkeypatch.undo()
    assert gone(old)
    assert find(successor) is not None


def test_looking_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    looked: list[int] = []

    def survivors(dead: int, _: str) -> list[object]:
        looked.append(dead)
        return [None]  # one that cannot be killed

    monkeypatch.setattr(module, "survivors_of", survivors)
    monkeypatch.setattr(module, "kill", lambda _: None)
    stragglers = Stragglers(ADDRESS)
    stragglers.died(7)
    while (due := stragglers.due()) is not None:
        now[0] = due
        stragglers.tick()
    assert looked == [7, 7, 7]
    stragglers.died(0)  # in another namespace
    assert stragglers.due() is None


def test_there_may_be_no_later(start: Callable[[str], int]) -> None:
    dead = dead_pid()
    old = start(f"{dead}-1")
    stragglers = Stragglers(ADDRESS)
    stragglers.finish()
    assert find(old) is not None
    stragglers.died(dead)
    stragglers.finish()
    assert stragglers.due() is None
    assert gone(old)


def test_descendants_are_found_at_any_depth() -> None:
    program = "sleep 600 & echo $!; wait"
    words = ["sh", "-c", f"sh -c '{program}'; :"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        leaf = int(process.stdout.readline())
        below = descendants_of(process.pid)
        assert leaf in below
        assert len(below) == 2
        assert leaf in descendants_of(os.getpid())
        for pid in (*below, process.pid):
            os.kill(pid, signal.SIGKILL)
