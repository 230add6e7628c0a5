"""Functions that are called later, on one thread."""

from __future__ import annotations

import os
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING

import pytest

from manager.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 30.0


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def threads() -> set[threading.Thread]:
    """The threads of all timers: those of other tests may not have ended yet."""
    return {thread for thread in threading.enumerate() if thread.name == "manager-timers"}


def test_each_is_called_in_its_turn_and_not_before_its_time() -> None:
    others = threads()
    timers = Timers()
    began = time.monotonic()
    called: list[tuple[int, float]] = []
    for number in (3, 1, 2):

        def note(number: int = number) -> None:
            called.append((number, time.monotonic() - began))

        timers.call_later(number * 0.05, note)
    assert len(threads() - others) == 1
    until(lambda: len(called) == 3)
    assert [number for number, _ in called] == [1, 2, 3]
    assert all(after >= number * 0.05 for number, after in called)
    until(lambda: threads() <= others)


def test_one_that_is_called_off_is_not_called() -> None:
    timers = Timers()
    called: list[str] = []
    done = threading.Event()
    call_off = timers.call_later(0.05, lambda: called.append("off"))
    timers.call_later(0.1, done.set)
    call_off()
    call_off()
    assert done.wait(PATIENCE)
    assert not called
    call_off()


def test_the_thread_ends_when_all_are_called_off() -> None:
    others = threads()
    timers = Timers()
    for call_off in [timers.call_later(3600, print) for _ in range(200)]:
        call_off()
    until(lambda: threads() <= others)
    done = threading.Event()
    timers.call_later(0, done.set)
    assert done.wait(PATIENCE)


class Late:
    """Something to be called."""

    def __call__(self) -> None: ...


def test_those_that_are_called_off_are_not_kept() -> None:
    timers = Timers()
    last = timers.call_later(3600, print)
    functions: weakref.WeakSet[Late] = weakref.WeakSet()
    for _ in range(1000):
        functions.add(late := Late())
        timers.call_later(3600, late)()
    del late
    assert not functions
    last()


def test_an_error_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    timers = Timers()
    seen: list[object] = []
    monkeypatch.setattr(sys, "excepthook", lambda *error: seen.append(error[1]))
    done = threading.Event()

    def fail() -> None:
        raise RuntimeError("no")

    timers.call_later(0.01, fail)
    timers.call_later(0.02, done.set)
    assert done.wait(PATIENCE)
    assert [str(error) for error in seen] == ["no"]


def test_without_room_for_a_thread_the_next_one_tries_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    timers = Timers()

    def fail(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        with pytest.raises(RuntimeError):
            timers.call_later(0, print)
    done = threading.Event()
    timers.call_later(0, done.set)
    assert done.wait(PATIENCE)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_begins_with_none() -> None:
    timers = Timers()
    call_off = timers.call_later(3600, print)
    child = os.fork()
    if child == 0:
        done = threading.Event()
        timers.call_later(0.01, done.set)
        os._exit(0 if done.wait(PATIENCE) and timers._entries.empty() else 1)
    _, status = os.waitpid(child, 0)
    call_off()
    assert os.waitstatus_to_exitcode(status) == 0
