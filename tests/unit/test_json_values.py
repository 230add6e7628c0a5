from __future__ import annotations

import enum
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.errors import InvalidRequestError
from manager.json_values import check_json, validate_text


class Colour(str, enum.Enum):  # noqa: UP042  - its str() is not its value
    RED = "red"


@pytest.mark.parametrize("text", ["", "a\x00b", "\x1b[0m", "\u0085\u2028", "漢字 🦙", "\ufffe"])
def test_any_text_that_can_be_sent_passes(text: str) -> None:
    assert validate_text(text, "prompt") == text


def test_a_member_of_a_string_enum_counts_as_its_value() -> None:
    sent = validate_text(Colour.RED, "prompt")
    assert sent == "red"
    assert type(sent) is str


@pytest.mark.parametrize("text", ["\ud83d", "ab\udcff"])
def test_half_a_surrogate_pair_is_refused(text: str) -> None:
    with pytest.raises(
        InvalidRequestError, match=r"prompt holds the lone surrogate U\+D"
    ) as caught:
        validate_text(text, "prompt")
    assert caught.value.argument == "prompt"
    caught.value.message.encode()


@pytest.mark.parametrize("value", [None, 3, b"abc", ["abc"]])
def test_text_must_be_a_string(value: object) -> None:
    with pytest.raises(InvalidRequestError, match="prompt must be a string"):
        validate_text(value, "prompt")


LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    LEAVES | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=20,
)


@given(VALUES)
def test_json_comes_back_equal_and_can_be_sent(value: object) -> None:
    try:
        sent = check_json(value, "x")
    except InvalidRequestError as error:
        assert "surrogate" in error.message or "64 bits" in error.message  # noqa: PT017
        return
    assert sent == value
    assert json.loads(json.dumps(sent, allow_nan=False)) == value


def test_tuples_and_enums_become_plain() -> None:
    assert check_json({"a": (1, Colour.RED)}, "x") == {"a": [1, "red"]}


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": [0, {"b": math.nan}]}, "x.a[1].b"),
        ([math.inf], "x[0]"),
        ({"a": {1, 2}}, "x.a"),
        ({"a": object()}, "x.a"),
        ({"a": b"raw"}, "x.a"),
        (["\ud800"], "x[0]"),
        ({1: 2}, "x"),
    ],
)
def test_what_is_no_json_is_refused_with_its_place(value: object, place: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        check_json(value, "x")
    assert caught.value.argument == place
    assert place in caught.value.message


def test_a_value_that_holds_itself_is_refused() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(InvalidRequestError, match="holds itself"):
        check_json(value, "x")


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**5000], ids=["2^64", "-2^63", "big"])
def test_integers_that_cannot_be_sent_are_refused(number: int) -> None:
    with pytest.raises(InvalidRequestError, match=r"x\[0\].*64 bits"):
        check_json([number], "x")
    assert check_json([2**64 - 1, -(2**63)], "x") == [2**64 - 1, -(2**63)]
