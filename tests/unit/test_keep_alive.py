from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.errors import InvalidRequestError
from manager.keep_alive import check_keep_alive, check_think


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (None, None),
        (0, 0),
        (300, 300),
        (1.5, 1.5),
        (-1, -1),
        (-3.5, -1),
        (-(10**30), -1),
        (timedelta(minutes=5), 300.0),
        (timedelta(seconds=-1), -1),
        ("5m", "5m"),
        ("1h30m", "1h30m"),
        ("1.5h", "1.5h"),
        (".5s", ".5s"),
        ("1.s", "1.s"),
        ("-1m", "-1m"),
        ("+1m", "+1m"),
        ("0", "0"),
        ("100us", "100us"),
        ("100µs", "100µs"),
        ("100μs", "100μs"),
        ("10ns1ms", "10ns1ms"),
    ],
)
def test_what_is_sent(value: object, sent: object) -> None:
    assert check_keep_alive(value) == sent


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        float("-inf"),
        True,
        False,
        10**10,
        timedelta(days=200_000),
        "",
        " ",
        "5 m",
        "5m ",
        "five minutes",
        "m",
        ".s",
        "1d",
        "5M",
        "--5m",
        "5m-3s",
        "3000000h",
        "1e3s",
        "５m",
        b"5m",
        [],
    ],
)
def test_what_is_refused(value: object) -> None:
    with pytest.raises(InvalidRequestError, match="keep_alive") as caught:
        check_keep_alive(value)
    assert caught.value.argument == "keep_alive"
    assert "5m" in str(caught.value.hint)


@pytest.mark.parametrize("text", ["-1", "300", "1.5", "00"])
def test_a_number_in_a_string_is_refused_with_the_remedy(text: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"keep_alive.*no unit") as caught:
        check_keep_alive(text)
    assert f'"{text}s"' in str(caught.value.hint)


UNITS = ["ns", "us", "µs", "ms", "s", "m", "h"]


@given(st.lists(st.tuples(st.integers(0, 999), st.sampled_from(UNITS)), min_size=1, max_size=4))
def test_every_duration_of_go_is_taken(pieces: list[tuple[int, str]]) -> None:
    text = "".join(f"{number}{unit}" for number, unit in pieces)
    assert check_keep_alive(text) == text


@given(st.floats() | st.integers() | st.text(max_size=8) | st.timedeltas())
def test_a_value_is_sent_in_a_form_that_json_has_or_refused(value: object) -> None:
    try:
        sent = check_keep_alive(value)
    except InvalidRequestError as error:
        assert "keep_alive" in error.message  # noqa: PT017
    else:
        assert isinstance(sent, (int, float, str))
        assert isinstance(sent, str) or -1 <= sent <= 2**63 / 10**9


@pytest.mark.parametrize("value", [None, True, False, "low", "medium", "high", "max"])
def test_think_levels(value: object) -> None:
    assert check_think(value) == value


@pytest.mark.parametrize("value", ["", "High", "hard", 1, 0.5, "true", []])
def test_other_think_levels_are_refused(value: object) -> None:
    with pytest.raises(InvalidRequestError, match="think must be"):
        check_think(value)


def test_the_nearest_think_level_is_suggested() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        check_think("hihg")
    assert caught.value.hint == 'Did you mean "high"?'


@pytest.mark.parametrize(
    "value",
    [10**5000, "9" * 5000 + "h", "9" * 5000, f"0.{'1' * 5000}s"],
    ids=["integer", "hours", "no unit", "fraction"],
)
def test_absurd_numbers_are_refused_like_others(value: object) -> None:
    with pytest.raises(InvalidRequestError, match="keep_alive"):
        check_keep_alive(value)


def test_a_negative_number_means_for_ever_however_large() -> None:
    assert check_keep_alive(-(10**5000)) == -1
