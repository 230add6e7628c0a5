from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.ndjson import LineSplitter

# What str.splitlines would cut at, and what is long in UTF-8.
TRICKY = "\x85\u2028\u2029\x0b\x0c\x1c\x1d\x1e\r𝄞é"


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    splitter = LineSplitter()
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    lines: list[bytes] = []
    for begin, end in itertools.pairwise(places):
        lines += splitter.feed(data[begin:end])
    rest = splitter.finish()
    return lines if rest is None else [*lines, rest]


objects = st.dictionaries(
    st.text(max_size=5), st.text(st.characters() | st.sampled_from(TRICKY), max_size=20), max_size=3
)


@given(st.lists(objects, max_size=10), st.lists(st.integers(0), max_size=20), st.booleans())
def test_any_pieces_give_the_same_objects(
    values: list[dict[str, str]], cuts: list[int], ends: bool
) -> None:
    lines = [json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") for value in values]
    data = b"\n".join(lines) + (b"\n" if ends and lines else b"")
    assert split(data, cuts) == lines


@given(st.binary(max_size=100), st.lists(st.integers(0), max_size=30))
def test_any_bytes_in_any_pieces(data: bytes, cuts: list[int]) -> None:
    expected = [line for line in data.split(b"\n") if line.strip()]
    assert split(data, cuts) == expected
    assert split(data, list(range(len(data)))) == expected


@pytest.mark.parametrize("character", TRICKY)
def test_nothing_but_a_newline_ends_a_line(character: str) -> None:
    line = json.dumps({"content": f"a{character}b"}, ensure_ascii=False).encode()
    assert split(line + b"\n" + line + b"\n", list(range(200))) == [line, line]


def test_a_character_may_be_cut_in_two() -> None:
    splitter = LineSplitter()
    first, second = '{"a":"é"}\n'.encode().split(b"\xa9")
    assert splitter.feed(first) == []
    assert splitter.feed(b"\xa9" + second) == ['{"a":"é"}'.encode()]


def test_blank_lines_are_left_out() -> None:
    assert split(b"\n\r\n  \n{}\r\n\n", [3]) == [b"{}\r"]


def test_several_lines_in_one_piece_come_at_once() -> None:
    splitter = LineSplitter()
    assert splitter.feed(b"1\n2\n3") == [b"1", b"2"]
    assert splitter.finish() == b"3"
    assert splitter.finish() is None


def test_a_long_line_in_small_pieces_is_not_slow() -> None:
    splitter = LineSplitter()
    for _ in range(20_000):
        assert splitter.feed(b"x" * 100) == []
    assert splitter.feed(b"\n") == [b"x" * 2_000_000]
