"""How long each step may take."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.timeouts import ResolvedTimeouts
from manager.transport.deadlines import Deadlines, Limit
from manager.transport.exceptions import TransferTimedOut

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    this = Clock()
    monkeypatch.setattr(time, "monotonic", this.monotonic)
    yield this
    monkeypatch.undo()


def timeouts(
    connect: float | None = None,
    first_token: float | None = None,
    chunk: float | None = None,
    total: float | None = None,
) -> ResolvedTimeouts:
    return ResolvedTimeouts(connect=connect, first_token=first_token, chunk=chunk, total=total)


def test_without_limits_nothing_ends() -> None:
    deadlines = Deadlines(timeouts())
    assert deadlines.left() is None
    assert not deadlines.is_over()
    assert deadlines.connecting() is deadlines.queueing() is None
    for limit in (
        deadlines.sending(),
        deadlines.answering(),
        deadlines.reading(),
        deadlines.streaming(),
    ):
        assert limit.seconds() is None


def test_each_step_has_its_limit(clock: Clock) -> None:
    deadlines = Deadlines(timeouts(1, 2, 3))
    clock.now += 100
    assert deadlines.elapsed() == 100
    assert deadlines.connecting() == 1
    assert deadlines.queueing() == 2
    assert deadlines.sending().seconds() == 2
    assert deadlines.answering().seconds() == 2
    assert deadlines.reading().seconds() == 2
    assert deadlines.streaming().seconds() == 3


def test_the_total_limit_bounds_each_step(clock: Clock) -> None:
    deadlines = Deadlines(timeouts(10, 20, 30, 40))
    clock.now += 35
    limits = deadlines.sending(), deadlines.answering(), deadlines.reading(), deadlines.streaming()
    assert deadlines.left() == 5
    assert not deadlines.is_over()
    assert deadlines.connecting() == deadlines.queueing() == 5
    assert [limit.seconds() for limit in limits] == [5, 5, 5, 5]
    clock.now += 5
    assert deadlines.is_over()
    assert deadlines.left() == 0
    assert deadlines.connecting() == deadlines.queueing() == 0
    for limit in limits:
        with pytest.raises(TransferTimedOut):
            limit.seconds()
    clock.now += 5
    assert deadlines.left() == -5
    assert deadlines.connecting() == deadlines.queueing() == 0


def test_a_head_that_drips_has_one_limit(clock: Clock) -> None:
    limit = Deadlines(timeouts(first_token=10)).answering()
    clock.now += 6
    assert limit.seconds() == 4
    clock.now += 6
    with pytest.raises(TransferTimedOut):
        limit.seconds()


def test_a_body_that_drips_has_the_total_one_only(clock: Clock) -> None:
    limit = Deadlines(timeouts(first_token=10, total=15)).reading()
    clock.now += 8
    assert limit.seconds() == 7
    limit = Deadlines(timeouts(first_token=10)).reading()
    clock.now += 80
    assert limit.seconds() == 10


moments = st.none() | st.floats(0.001, 1e6)


@given(moments, moments, st.floats(0, 2e6))
def test_a_wait_is_never_longer_than_a_limit(
    silence: float | None, until: float | None, passed: float
) -> None:
    now = time.monotonic()
    limit = Limit(silence, None if until is None else now + until - passed)
    try:
        seconds = limit.seconds()
    except TransferTimedOut:
        assert until is not None
        assert until - passed < 0.1 or time.monotonic() - now > until - passed
        return
    if silence is None and until is None:
        assert seconds is None
        return
    assert seconds is not None
    assert (
        0
        < seconds
        <= min(math.inf if silence is None else silence, math.inf if until is None else until)
    )
