"""What is undone of the starter's settings, where the system refuses, and what is told then."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

if sys.platform == "win32":
    pytest.skip("no supervisor runs there", allow_module_level=True)

import resource

from manager.supervisor import heartbeat, inherited
from manager.supervisor.heartbeat import Heartbeat

if TYPE_CHECKING:
    from pathlib import Path

INFINITY = resource.RLIM_INFINITY


class Limits:
    """The limits of a process that is not this one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *refused: int, **limits: int) -> None:
        self.soft = {getattr(resource, f"RLIMIT_{name}"): soft for name, soft in limits.items()}
        self.hard: dict[int, int] = {}
        self._refused = refused
        monkeypatch.setattr(resource, "getrlimit", self.get)
        monkeypatch.setattr(resource, "setrlimit", self.set)
        monkeypatch.setattr(os, "umask", lambda _: 0o022)
        monkeypatch.setattr(inherited, "_OOM", "/no/such/file")

    def get(self, which: int) -> tuple[int, int]:
        return self.soft.get(which, INFINITY), self.hard.get(which, INFINITY)

    def set(self, which: int, limits: tuple[int, int]) -> None:
        if limits[0] in self._refused:
            raise ValueError("current limit exceeds maximum limit")
        self.soft[which], self.hard[which] = limits


@pytest.mark.parametrize(
    ("soft", "hard", "refused", "after"),
    [
        (256, INFINITY, (), 1 << 20),
        (256, INFINITY, (1 << 20,), 10240),
        (256, 300, (), 300),
        (256, 300, (300, 10240), 256),
        (20000, 20000, (), 20000),
        (1 << 21, 1 << 30, (), 1 << 21),
        (INFINITY, INFINITY, (), INFINITY),
    ],
)
def test_open_files(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, refused: tuple[int, ...], after: int
) -> None:
    limits = Limits(monkeypatch, *refused, NOFILE=soft)
    limits.hard[resource.RLIMIT_NOFILE] = hard
    inherited.forget_starter()
    assert limits.get(resource.RLIMIT_NOFILE) == (after, hard)
    assert (inherited.few_files() is None) == (after == INFINITY or after >= 1024)


def test_other_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(monkeypatch, AS=1 << 30, CPU=60, STACK=8 << 20, CORE=0)
    limits.hard[resource.RLIMIT_CPU] = 3600
    inherited.forget_starter()
    assert limits.soft[resource.RLIMIT_AS] == INFINITY
    assert limits.soft[resource.RLIMIT_STACK] == 8 << 20
    assert limits.soft[resource.RLIMIT_CORE] == 0
    told = inherited.restrictions()
    assert "it is limited to 3600 seconds of processor time, as its starter is" in told
    assert not [text for text in told if "memory" in text]


@pytest.mark.parametrize(("before", "after"), [("-1000", "0"), ("0", "0"), ("300", "300")])
def test_who_is_killed_where_memory_runs_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, before: str, after: str
) -> None:
    if sys.platform != "linux":
        pytest.skip("Linux only")
    path = tmp_path / "oom_score_adj"
    path.write_text(f"{before}\n")
    Limits(monkeypatch)
    monkeypatch.setattr(inherited, "_OOM", str(path))
    inherited.forget_starter()
    # a file keeps what was there before, which the kernel's does not
    assert path.read_text().removeprefix(f"{before}\n") or before == after
    assert path.read_text().endswith(f"{after}\n" if before == after else after)


def test_a_sandbox_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError

    if sys.platform != "linux":
        pytest.skip("Linux only")
    Limits(monkeypatch)
    monkeypatch.setattr(os, "sched_getscheduler", refuse)
    inherited.forget_starter()


class TestHeartbeat:
    def test_it_hangs_after_some_looks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(heartbeat, "INTERVAL", 0.0)
        beat = Heartbeat()
        for _ in range(4):
            assert beat.look()
            assert not beat.hangs
        assert beat.look()
        assert beat.hangs
        beat.heard()
        assert not beat.hangs
        for _ in range(4):
            assert beat.look()
        beat.rest()
        assert beat.look()
        assert not beat.hangs

    def test_time_in_which_nobody_looked_counts_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now = 0.0
        monkeypatch.setattr(heartbeat.time, "monotonic", lambda: now)  # type: ignore[attr-defined]
        beat = Heartbeat()
        assert not beat.look()
        assert beat.due() == heartbeat.INTERVAL
        now = 3600.0
        assert beat.look()
        assert not beat.look()
        assert not beat.hangs
