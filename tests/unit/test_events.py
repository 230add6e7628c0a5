from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from manager import events as events_module
from manager.errors import InvalidRequestError
from manager.events import EVENT_NAMES, Events, RequestFinished, RequestStarted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from manager.events import Event

NAMES = {
    "server.starting",
    "server.ready",
    "server.adopted",
    "server.crashed",
    "server.unresponsive",
    "server.restarting",
    "server.failed",
    "server.stopped",
    "request.started",
    "request.retried",
    "request.finished",
    "request.failed",
    "request.cancelled",
    "model.progress",
    "config.reloaded",
    "config.rejected",
    "config.rolled_back",
}


@pytest.fixture
def events() -> Iterator[Events]:
    made = Events()
    yield made
    made.close()


class Heard:
    """Collects events and waits for them."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._changed = threading.Condition()

    def __call__(self, event: Event) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def wait_for(self, count: int) -> list[Event]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.events) >= count, 10)
            return list(self.events)

    @property
    def ids(self) -> list[str]:
        return [event.request_id for event in self.events]  # type: ignore[attr-defined]


def started(number: int = 0) -> RequestStarted:
    return RequestStarted(request_id=str(number), endpoint="GET /")


def finished() -> RequestFinished:
    return RequestFinished(request_id="0", endpoint="GET /", attempts=1, seconds=0.1)


def test_the_names() -> None:
    assert set(EVENT_NAMES) == NAMES


def test_a_listener_hears_all_in_order(events: Events) -> None:
    heard = Heard()
    events.subscribe(heard)
    for number in range(500):
        events.emit(started(number))
    heard.wait_for(500)
    assert heard.ids == [str(number) for number in range(500)]


def test_only_the_names_that_were_asked_for(events: Events) -> None:
    heard = Heard()
    events.subscribe(heard, "request.finished", "server.ready")
    for _ in range(3):
        events.emit(started())
        events.emit(finished())
    assert [event.name for event in heard.wait_for(3)] == ["request.finished"] * 3


def test_every_listener_hears(events: Events) -> None:
    several = [Heard() for _ in range(5)]
    for heard in several:
        events.subscribe(heard)
    events.emit(started())
    for heard in several:
        heard.wait_for(1)


def test_unsubscribe(events: Events) -> None:
    gone, stays = Heard(), Heard()
    unsubscribe = events.subscribe(gone)
    events.subscribe(stays)
    unsubscribe()
    unsubscribe()
    events.emit(started())
    stays.wait_for(1)
    assert gone.events == []
    assert events.active


def test_active_only_while_somebody_listens(events: Events) -> None:
    assert not events.active
    unsubscribe = events.subscribe(Heard())
    assert events.active
    unsubscribe()
    assert not events.active


def test_the_same_listener_twice_is_two_subscriptions(events: Events) -> None:
    heard = Heard()
    unsubscribe = events.subscribe(heard)
    events.subscribe(heard)
    events.emit(started())
    heard.wait_for(2)
    unsubscribe()
    events.emit(started())
    heard.wait_for(3)
    events.close()
    assert len(heard.events) == 3


@pytest.mark.parametrize("name", ["server.redy", "", "SERVER.READY", 7, None])
def test_a_bad_name(events: Events, name: Any) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        events.subscribe(print, name)
    assert caught.value.argument == "names"
    assert not events.active


def test_a_misspelt_name_is_corrected(events: Events) -> None:
    with pytest.raises(InvalidRequestError, match=r"did you mean 'server\.ready'"):
        events.subscribe(print, "server.redy")  # type: ignore[arg-type]


def test_a_listener_must_be_callable(events: Events) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        events.subscribe("print")  # type: ignore[arg-type]
    assert caught.value.argument == "listener"


def test_a_listener_that_raises_goes_on_and_is_reported(
    events: Events, caplog: pytest.LogCaptureFixture
) -> None:
    heard, other = Heard(), Heard()

    def failing(event: Event) -> None:
        heard(event)
        raise RuntimeError("listener is broken")

    events.subscribe(failing)
    events.subscribe(other)
    with caplog.at_level(logging.ERROR, "ollama_manager.events"):
        for number in range(3):
            events.emit(started(number))
        heard.wait_for(3)
        other.wait_for(3)
        events.close()
    reports = [record for record in caplog.records if record.name == "ollama_manager.events"]
    assert len(reports) == 3
    assert "listener is broken" in caplog.text
    assert "request.started" in reports[0].getMessage()


def test_a_slow_listener_holds_up_nobody(
    events: Events, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "_QUEUE_LIMIT", 10)
    release, entered = threading.Event(), threading.Event()
    slow_heard, quick = Heard(), Heard()

    def slow(event: Event) -> None:
        entered.set()
        release.wait(20)
        slow_heard(event)

    events.subscribe(slow)
    monkeypatch.undo()
    events.subscribe(quick)
    with caplog.at_level(logging.WARNING, "ollama_manager.events"):
        events.emit(started(0))
        assert entered.wait(10)
        before = time.monotonic()
        for number in range(1, 40):
            events.emit(started(number))
        assert time.monotonic() - before < 5
        quick.wait_for(40)
    assert slow_heard.events == []
    reports = [r for r in caplog.records if "too slow" in r.getMessage()]
    assert len(reports) == 1, "dropping is reported once"
    release.set()
    slow_heard.wait_for(11)
    assert slow_heard.ids == [str(number) for number in range(11)]


def test_close_delivers_what_waits() -> None:
    events, heard = Events(), Heard()
    events.subscribe(heard)
    for number in range(200):
        events.emit(started(number))
    events.close()
    assert len(heard.events) == 200
    assert not events.active
    events.emit(started())
    assert len(heard.events) == 200


def test_close_does_not_wait_long_for_a_stuck_listener(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "_FLUSH_SECONDS", 0.05)
    events, release = Events(), threading.Event()
    entered = threading.Event()

    def stuck(event: Event) -> None:
        entered.set()
        release.wait(30)

    events.subscribe(stuck)
    events.emit(started())
    assert entered.wait(10)
    before = time.monotonic()
    events.close()
    assert time.monotonic() - before < 10
    release.set()


def test_a_listener_may_close_and_unsubscribe() -> None:
    events, done = Events(), threading.Event()

    def closing(event: Event) -> None:
        unsubscribe()
        events.close()
        done.set()

    unsubscribe = events.subscribe(closing)
    events.emit(started())
    assert done.wait(10)


def test_listeners_run_on_threads_of_their_own(events: Events) -> None:
    threads: list[str] = []
    heard = Heard()

    def note(event: Event) -> None:
        threads.append(threading.current_thread().name)
        heard(event)

    events.subscribe(note)
    events.emit(started())
    heard.wait_for(1)
    assert threads != [threading.current_thread().name]


def test_emitting_from_many_threads_loses_nothing(events: Events) -> None:
    heard = Heard()
    events.subscribe(heard)

    def emit(worker: int) -> None:
        for number in range(100):
            events.emit(started(worker * 1000 + number))

    threads = [threading.Thread(target=emit, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    heard.wait_for(800)
    for worker in range(8):
        own = [int(i) for i in heard.ids if int(i) // 1000 == worker]
        assert own == sorted(own), "each thread's events stay in order"


def test_records_are_frozen_and_dated() -> None:
    before = time.time()
    event = started()
    assert before <= event.time <= time.time()
    with pytest.raises(AttributeError):
        event.request_id = "other"  # type: ignore[misc]
