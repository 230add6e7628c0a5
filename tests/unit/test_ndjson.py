from __future__ import annotations

import itertools
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.ndjson import LineSplitter, LineTooLongError

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


def test_a_long_line_in_small_pieces_comes_whole() -> None:
    splitter = LineSplitter()
    for _ in range(20_000):
        assert splitter.feed(b"x" * 100) == []
    assert splitter.feed(b"\n") == [b"x" * 2_000_000]


def seconds_for(pieces: int) -> float:
    """How long a line takes that comes in so many pieces."""
    began = time.thread_time()
    splitter = LineSplitter()
    for _ in range(pieces):
        splitter.feed(b"x" * 64)
    assert splitter.finish() == b"x" * (64 * pieces)
    return time.thread_time() - began


def test_the_cost_of_a_line_grows_with_its_length_and_no_faster() -> None:
    short = min(seconds_for(2_000) for _ in range(5))
    long = min(seconds_for(32_000) for _ in range(5))
    assert long < short * 16 * 6, "16 times as long; were it copied with each piece, 256 times"


@given(st.binary(max_size=60), st.lists(st.integers(0), max_size=10), st.integers(0, 20))
def test_lines_may_be_as_long_as_the_limit(data: bytes, cuts: list[int], limit: int) -> None:
    lines = data.split(b"\n")
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    splitter = LineSplitter(limit)
    found: list[bytes] = []
    try:
        for begin, end in itertools.pairwise(places):
            found += splitter.feed(data[begin:end])
        splitter.check()
    except LineTooLongError:
        assert max(map(len, lines)) > limit
        short = itertools.takewhile(lambda line: len(line) <= limit, lines)
        assert found == [line for line in short if line.strip()], "all that came before it"
    else:
        assert max(map(len, lines)) <= limit
        rest = splitter.finish()
        assert found + ([] if rest is None else [rest]) == [line for line in lines if line.strip()]


def test_a_line_without_end_is_not_kept() -> None:
    splitter = LineSplitter(limit=1000)
    for _ in range(100):
        splitter.feed(b"x" * 10)
    with pytest.raises(LineTooLongError, match="more than 1000 bytes"):
        splitter.feed(b"x")
    assert splitter.finish() is None


@pytest.mark.parametrize("bad", [b"x" * 11, b"x" * 11 + b"\n", b"x" * 11 + b"\ngood\n"])
def test_lines_before_one_that_is_too_long_come_first(bad: bytes) -> None:
    splitter = LineSplitter(limit=10)
    assert splitter.feed(b"one\ntwo\n\n" + bad) == [b"one", b"two"]
    with pytest.raises(LineTooLongError):
        splitter.check()
    with pytest.raises(LineTooLongError):
        splitter.feed(b"good\n")
    assert splitter.finish() is None


def test_a_line_that_is_too_long_is_an_error_at_once_where_nothing_came_before() -> None:
    with pytest.raises(LineTooLongError):
        LineSplitter(limit=10).feed(b"\n \n" + b"x" * 11 + b"\n")
