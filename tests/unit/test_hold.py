"""The connection of a call: ended from any thread while it is the call's, never afterwards."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from manager.hold import Hold

if TYPE_CHECKING:
    from collections.abc import Callable


class Wire:
    def __init__(self) -> None:
        self.ended = 0
        self.limit: Callable[[], float | None] | None = None

    def hang_up(self) -> None:
        self.ended += 1

    def read_within(self, left: Callable[[], float | None]) -> None:
        self.limit = left

    def read_freely(self) -> None:
        self.limit = None


def test_a_connection_is_ended_only_while_it_is_held() -> None:
    hold, wire = Hold(), Wire()
    hold.hang_up()
    hold.take(wire)
    hold.hang_up()
    assert wire.ended == 1
    hold.let_go()
    hold.hang_up()
    assert wire.ended == 1


def test_only_who_waits_for_an_answer_is_sent_again() -> None:
    hold, wire = Hold(), Wire()
    waited: list[float] = []
    hold.take(wire)
    hold.hang_up_unanswered(waited.append)
    hold.asked()
    hold.answered()
    hold.hang_up_unanswered(waited.append)
    assert (wire.ended, waited) == (0, [])
    hold.asked()
    hold.hang_up_unanswered(waited.append)
    assert wire.ended == len(waited) == 1
    hold.let_go()
    hold.hang_up_unanswered(waited.append)
    assert wire.ended == len(waited) == 1


def test_a_connection_is_not_let_go_while_it_is_being_ended() -> None:
    hold = Hold()
    ending, go_on, let_go = threading.Event(), threading.Event(), threading.Event()

    class Slow(Wire):
        def hang_up(self) -> None:
            ending.set()
            assert go_on.wait(30)
            assert not let_go.is_set()
            super().hang_up()

    def give_back() -> None:
        hold.let_go()
        let_go.set()

    wire = Slow()
    hold.take(wire)
    ender = threading.Thread(target=hold.hang_up)
    ender.start()
    assert ending.wait(30)
    giver = threading.Thread(target=give_back)
    giver.start()
    go_on.set()
    ender.join(30)
    giver.join(30)
    assert wire.ended == 1
    assert let_go.is_set()


def test_the_limit_of_a_call_ends_with_its_hold() -> None:
    hold, wire = Hold(), Wire()
    hold.limit(lambda: 1.0)
    hold.take(wire)
    hold.limit(lambda: 2.0)
    assert wire.limit is not None
    assert wire.limit() == 2.0
    hold.limit(None)
    assert wire.limit is None
    hold.limit(lambda: 3.0)
    hold.let_go()
    assert wire.limit is None
