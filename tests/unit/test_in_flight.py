from __future__ import annotations

import gc
import threading
import time
from typing import TYPE_CHECKING

from manager.in_flight import InFlight, Waiting

if TYPE_CHECKING:
    import pytest


class Call:
    """Stands for a call."""


CALL = Call()


def do_nothing() -> None:
    """What there is to do about a stream that nobody holds any more."""


class Stream:
    def __init__(self, waits: Waiting | None = None) -> None:
        self.waits = waits
        self.resent = 0

    def waiting(self) -> Waiting | None:
        return self.waits

    def resend(self) -> None:
        self.resent += 1


def waits(model: str | None, operation: str = "chat", *, begun: bool = False) -> Stream:
    return Stream(Waiting(operation, model, time.monotonic() - 5, begun))


class BeginsToWait(Stream):
    """Waits only from the moment on that it has been asked for a while."""

    def waiting(self) -> Waiting:
        threading.Event().wait(0.01)
        return Waiting("chat", "m", time.monotonic(), False)


def test_nobody_has_waited_for_less_than_no_time() -> None:
    in_flight: InFlight[Stream] = InFlight()
    stream = BeginsToWait()
    in_flight.opened(stream, do_nothing)
    (found,) = in_flight.report()["waiting"]
    assert found["seconds"] >= 0, "the supervisor refuses such a time, and whoever sends it"


def test_calls_and_streams_are_counted() -> None:
    in_flight: InFlight[Stream] = InFlight()
    stream = Stream()
    in_flight.begin(CALL)
    in_flight.opened(stream, do_nothing)
    assert in_flight.count() == 2
    assert in_flight.streams() == [stream]
    in_flight.end(CALL)
    in_flight.closed(stream)
    in_flight.closed(stream)
    assert in_flight.count() == 0
    assert in_flight.streams() == []


def test_a_forgotten_stream_does_not_count() -> None:
    in_flight: InFlight[Stream] = InFlight()
    in_flight.opened(Stream(), do_nothing)
    gc.collect()
    assert in_flight.count() == 0


def test_a_forgotten_stream_is_abandoned_and_a_closed_one_is_not() -> None:
    in_flight: InFlight[Stream] = InFlight()
    abandoned: list[str] = []
    closed, stream = Stream(), Stream()
    in_flight.opened(closed, lambda: abandoned.append("closed"))
    in_flight.opened(stream, lambda: abandoned.append("forgotten"))
    in_flight.closed(closed)
    del closed, stream
    gc.collect()
    assert abandoned == ["forgotten"]
    assert in_flight.count() == 0
    assert abandoned == ["forgotten"]


def test_what_an_interrupt_keeps_from_being_abandoned_is_abandoned_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    swallowed: list[object] = []
    monkeypatch.setattr("sys.unraisablehook", lambda found: swallowed.append(found.exc_type))
    in_flight: InFlight[Stream] = InFlight()
    abandoned: list[bool] = []

    def abandon() -> None:
        abandoned.append(not abandoned)
        if len(abandoned) == 1:
            raise KeyboardInterrupt  # which Python swallows in what the garbage collector calls

    in_flight.opened(Stream(), abandon)
    gc.collect()
    assert (swallowed, abandoned) == ([KeyboardInterrupt], [True])
    assert in_flight.count() == 0
    assert abandoned == [True, False]


def test_many_threads() -> None:
    in_flight: InFlight[Stream] = InFlight()

    def work() -> None:
        call = Call()
        for _ in range(500):
            stream = Stream()
            in_flight.begin(call)
            in_flight.opened(stream, do_nothing)
            assert in_flight.count() >= 2
            in_flight.closed(stream)
            in_flight.end(call)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert in_flight.count() == 0


def test_it_reports_who_waits_for_a_runner() -> None:
    in_flight: InFlight[Stream] = InFlight()
    stream, call = waits("a", begun=True), waits("b", "embed")
    others = [Stream(), waits(None), waits("c", "pull_model")]
    for other in (call, *others):
        in_flight.asked(other)
    in_flight.opened(stream, do_nothing)
    found = sorted(in_flight.report()["waiting"], key=lambda entry: entry["model"])
    assert [(entry["model"], entry["begun"]) for entry in found] == [("a", True), ("b", False)]
    assert all(5 <= entry["seconds"] < 60 for entry in found)
    in_flight.answered(call)
    in_flight.closed(stream)
    assert in_flight.report()["waiting"] == []


def test_it_remembers_whose_answers_were_left() -> None:
    in_flight: InFlight[Stream] = InFlight()
    in_flight.left("chat", "a")
    in_flight.left("pull_model", "b")
    in_flight.left("chat", None)
    left = in_flight.report()["left"]
    assert list(left) == ["a"]
    assert 0 <= left["a"] < 60
    for number in range(200):
        in_flight.left("chat", f"model {number}")
    assert len(in_flight.report()["left"]) == 64
    assert "model 199" in in_flight.report()["left"]


def test_requests_that_have_not_begun_are_sent_again_model_by_model() -> None:
    in_flight: InFlight[Stream] = InFlight()
    mine, other, pull, done = waits("a"), waits("b"), waits("a", "pull_model"), Stream()
    for call in (mine, other, pull, done):
        in_flight.asked(call)
    in_flight.resend("a")
    assert [call.resent for call in (mine, other, pull, done)] == [1, 0, 0, 0]


def test_a_stream_closes_once() -> None:
    in_flight: InFlight[Stream] = InFlight()
    stream = Stream()
    in_flight.opened(stream, do_nothing)
    assert in_flight.closed(stream)
    assert not in_flight.closed(stream)


def test_a_forked_child_begins_new_books() -> None:
    in_flight: InFlight[Stream] = InFlight()
    stream, call = waits("a", begun=True), waits("b")
    in_flight.begin(CALL)
    in_flight.opened(stream, do_nothing)
    in_flight.asked(call)
    in_flight.left("chat", "c")
    in_flight.forgot(stream)
    in_flight._lock.acquire()  # as a thread of the parent might
    in_flight.after_fork()
    counted: list[int] = []
    other = threading.Thread(target=lambda: counted.append(in_flight.count()), daemon=True)
    other.start()
    other.join(20)
    assert counted == [0]
    assert in_flight.report() == {"waiting": [], "left": {}}
    assert not list(in_flight.take_forgotten())
    assert not in_flight.closed(stream)
    in_flight.end(CALL)  # what the parent began
    in_flight.begin(CALL)
    assert in_flight.count() == 1
