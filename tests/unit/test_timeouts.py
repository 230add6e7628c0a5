from __future__ import annotations

import math
import sys
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.default import DEFAULT
from manager.errors import InvalidRequestError
from manager.progress import progress_timeouts
from manager.timeouts import ResolvedTimeouts, Timeouts, resolve_timeouts

CONFIGURED = ResolvedTimeouts(connect=2, first_token=300, chunk=60, total=None)


def test_default_is_as_configured() -> None:
    assert resolve_timeouts(DEFAULT, CONFIGURED) is CONFIGURED
    assert resolve_timeouts(Timeouts(), CONFIGURED) == CONFIGURED
    assert repr(DEFAULT) == "DEFAULT"


def test_none_is_no_limit_at_all() -> None:
    assert attrs.astuple(resolve_timeouts(None, CONFIGURED)) == (None, None, None, None)


def test_a_number_is_the_longest_silence() -> None:
    result = resolve_timeouts(7, CONFIGURED)
    assert attrs.astuple(result) == (2, 7.0, 7.0, None)


def test_a_record_sets_them_one_by_one() -> None:
    result = resolve_timeouts(Timeouts(total=9, chunk=None), CONFIGURED)
    assert attrs.astuple(result) == (2, 300, None, 9.0)


@pytest.mark.parametrize("bad", [0, -1, math.nan, math.inf, -math.inf, True, "5", [1], -0.0])
@pytest.mark.parametrize("field", [None, "connect", "first_token", "chunk", "total"])
def test_bad_values_name_the_argument(bad: Any, field: str | None) -> None:
    timeout = bad if field is None else Timeouts(**{field: bad})
    with pytest.raises(InvalidRequestError) as caught:
        resolve_timeouts(timeout, CONFIGURED)
    assert caught.value.argument == ("timeout" if field is None else f"timeout.{field}")
    assert caught.value.hint


@pytest.mark.parametrize("huge", [1e8, 10**400, sys.maxsize, 1e308])
def test_more_than_the_system_can_wait_is_cut(huge: float) -> None:
    result = resolve_timeouts(huge, CONFIGURED)
    assert result.chunk is not None
    # sockets take milliseconds in 31 bits
    assert 24 * 3600 < result.chunk * 1000 < 2**31
    configured = ResolvedTimeouts(connect=1e8, first_token=1e8, chunk=1e8, total=1e8)
    assert all(limit * 1000 < 2**31 for limit in attrs.astuple(configured))


@given(st.floats(min_value=1e-9, max_value=1e6))
def test_any_sensible_number_is_taken_as_it_is(seconds: float) -> None:
    assert resolve_timeouts(seconds, CONFIGURED).first_token == seconds


def test_pulls_may_be_silent_unless_told_otherwise() -> None:
    assert progress_timeouts(5) == 5
    assert progress_timeouts(None) is None
    result = resolve_timeouts(progress_timeouts(DEFAULT), CONFIGURED)
    assert attrs.astuple(result) == (2, None, None, None)
