"""The supervisor's loop: time in which nobody ran is not counted."""

from __future__ import annotations

import time

import pytest

from manager.supervisor import loop as module
from manager.supervisor.loop import Loop


class Clock:
    """A clock that passes only while the loop waits, and further when nobody runs."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.stopped = 0.0  # for how long nobody runs in the next wait

    def monotonic(self) -> float:
        return self.now

    def select(self, timeout: float | None) -> list[object]:
        self.now += (timeout or 0.0) + self.stopped
        self.stopped = 0.0
        return []


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def loop(clock: Clock) -> Loop:
    loop = Loop()
    loop._selector.close()
    loop._selector = clock  # type: ignore[assignment]
    return loop


def test_timers_are_due_in_running_time(loop: Loop, clock: Clock) -> None:
    heard: list[str] = []
    gaps: list[float] = []
    loop.on_gap(gaps.append)
    loop.set_timer("probe", 5.0, lambda: heard.append("silent"))
    loop.step(1.0)
    clock.stopped = 3600.0
    loop.step(1.0)
    assert (gaps, heard) == ([3600.0], [])
    assert loop.now() == 1002.0
    loop.step(2.5)
    assert heard == []
    loop.step(0.5)
    assert heard == ["silent"]
    assert gaps == [3600.0]


def test_a_busy_machine_is_no_gap(loop: Loop, clock: Clock) -> None:
    clock.stopped = 0.2
    loop.step(1.0)
    assert loop.now() == clock.now


def test_time_may_pass_between_two_waits_as_well(loop: Loop, clock: Clock) -> None:
    heard: list[str] = []
    loop.set_timer("probe", 5.0, lambda: heard.append("silent"))
    loop.step(1.0)
    clock.now += 100.0  # stopped in the middle of a callback
    loop.step(0.0)
    assert heard == []
    loop.step(4.0)
    assert heard == ["silent"]


def test_endless_waiting_is_no_gap(loop: Loop, clock: Clock) -> None:
    clock.stopped = 500.0
    loop.step(None)
    assert loop.now() == 1500.0


def test_without_a_fake_the_clock_is_the_monotonic_one() -> None:
    loop = Loop()
    assert loop.now() == pytest.approx(time.monotonic(), abs=5.0)
    loop.step(0.0)
