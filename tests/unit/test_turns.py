"""The order in which requests get connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from manager.turns import Turns

if TYPE_CHECKING:
    from manager.turns import Turn


def has(turn: Turn) -> bool:
    return turn.granted is None or turn.granted.done()


@given(st.integers(1, 4), st.lists(st.integers(0, 30), max_size=60))
def test_whoever_asks_first_is_served_first(most: int, steps: list[int]) -> None:
    """Each step ends a turn, of one who has it or waits for it, or asks for one."""
    turns = Turns(most)
    asked: list[Turn] = []
    for step in steps:
        if step < len(asked):
            asked.pop(step).end()
        else:
            asked.append(turns.ask())
        assert [has(turn) for turn in asked] == [at < most for at in range(len(asked))]


def test_a_turn_ends_once() -> None:
    turns = Turns(1)
    first, second, third = turns.ask(), turns.ask(), turns.ask()
    first.end()
    first.end()
    assert has(second)
    assert not has(third)


def test_without_a_limit_nobody_waits() -> None:
    turns = Turns(None)
    assert all(has(turns.ask()) for _ in range(500))


def test_at_the_end_everybody_is_let_in() -> None:
    turns = Turns(1)
    asked = [turns.ask() for _ in range(3)]
    turns.open()
    assert all(has(turn) for turn in [*asked, turns.ask()])
