"""The order of addresses, and the schedule of the attempts to connect to them."""

from __future__ import annotations

import socket
from collections import Counter
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from manager.transport.addresses import ATTEMPT_DELAY, Address, ConnectRace, interleave

ADDRESSES = st.lists(
    st.builds(
        lambda is_ipv6, number: (
            Address(socket.AF_INET6, (f"2001:db8::{number}", 80, 0, 0))
            if is_ipv6
            else Address(socket.AF_INET, (f"192.0.2.{number}", 80))
        ),
        st.booleans(),
        st.integers(1, 9),
    )
)


@given(ADDRESSES)
def test_families_alternate(addresses: list[Address]) -> None:
    ordered = interleave(addresses)
    assert Counter(ordered) == Counter(set(addresses))
    assert ordered[:1] == addresses[:1]
    for family in {address.family for address in addresses}:
        wanted = dict.fromkeys(a for a in addresses if a.family == family)
        assert [a for a in ordered if a.family == family] == list(wanted)
    runs = [len(list(run)) for _, run in groupby(ordered, lambda address: address.family)]
    assert all(run == 1 for run in runs[:-1]), "only what is left of one family stands together"


def test_the_example_of_the_rfc() -> None:
    six = [Address(socket.AF_INET6, (f"2001:db8::{n}", 80, 0, 0)) for n in (1, 2, 3)]
    four = [Address(socket.AF_INET, ("192.0.2.1", 80))]
    assert interleave([*six, *four]) == [six[0], four[0], six[1], six[2]]


@given(
    count=st.integers(0, 6),
    steps=st.lists(st.tuples(st.sampled_from(["wait", "fail", "connect"]), st.floats(0, 1))),
)
def test_the_schedule(count: int, steps: list[tuple[str, float]]) -> None:
    """Each step lets time pass, and perhaps an attempt end; attempts that are due are started."""
    race: ConnectRace[int] = ConnectRace(range(count))
    now, tried, pending = 100.0, 0, 0
    may_start_at = now
    is_won = False

    def start_what_is_due() -> None:
        nonlocal tried, pending, may_start_at
        while (due := race.due(now)) is not None:
            assert due == tried, "in order, none twice"
            assert not is_won
            assert now >= may_start_at
            race.started(now)
            tried, pending, may_start_at = tried + 1, pending + 1, now + ATTEMPT_DELAY
        to_next = race.seconds_to_next(now)
        if is_won or tried == count:
            assert to_next is None
        else:
            assert pending, "nobody is waited for while there is something to try"
            assert to_next is not None
            assert 0 < to_next <= ATTEMPT_DELAY
        assert race.is_lost == (not is_won and not pending and tried == count)

    start_what_is_due()
    for what, seconds in steps:
        now += seconds
        if what != "wait" and pending and not is_won:
            pending -= 1
            if what == "fail":
                race.failed()
                may_start_at = now
            else:
                race.connected()
                is_won = True
        start_what_is_due()


def test_the_next_attempt_starts_late_or_at_once() -> None:
    race = ConnectRace(["first", "second", "third"])
    assert race.due(10) == "first"
    race.started(10)
    assert race.due(10.2) is None
    assert race.seconds_to_next(10.125) == 0.125
    assert race.due(10.25) == "second"
    race.started(10.25)
    race.failed()
    assert race.due(10.25) == "third"
    race.started(10.25)
    race.failed()
    assert race.seconds_to_next(10.25) is None
    assert not race.is_lost
    race.failed()
    assert race.is_lost
