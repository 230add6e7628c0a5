"""Embeddings as arrays: the same, and the same errors, however the answer is read."""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ollama_api.models import EmbedResponse
from ollama_api.types import SpecError

from manager import embedding_arrays, embedding_lists
from manager.embedding_arrays import decode_array, find_simdjson
from manager.embedding_lists import decode_lists

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

needs_simdjson = pytest.mark.skipif(
    importlib.util.find_spec("simdjson") is None, reason="pysimdjson is not installed"
)
ORDINARY = (
    b'{"model":"m","embeddings":[[0.1,-2e-05],[3,0.333333333]],"total_duration":7,'
    b'"load_duration":1,"prompt_eval_count":9}'
)


@contextmanager
def without_simdjson() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "simdjson", None)
        find_simdjson.cache_clear()
        try:
            assert find_simdjson() is None
            yield
        finally:
            find_simdjson.cache_clear()


def outcome(content: bytes) -> tuple[Any, ...]:
    """What reading this comes to, to the bit."""
    try:
        answer = decode_array(content)
    except ValueError as error:
        return type(error).__name__, str(error)
    array = answer.array
    assert array.dtype == np.float32
    assert array.flags.writeable
    assert array.flags.c_contiguous
    return array.shape, array.tobytes(), answer.prompt_eval_count


def both(content: bytes) -> tuple[Any, ...]:
    """The same with and without pysimdjson."""
    found = outcome(content)
    with without_simdjson():
        assert outcome(content) == found
    return found


def finite(text: str) -> float:
    """Refuse what ``json`` accepts beyond JSON, and numbers that would become infinite."""
    if math.isfinite(number := float(text)):
        return number
    raise ValueError(text)


def without_surrogates(items: list[tuple[str, Any]]) -> dict[str, Any]:
    json.dumps(items, ensure_ascii=False).encode()
    return dict(items)


def expected(content: bytes) -> tuple[Any, ...] | None:
    """What the standard library and numpy make of it; ``None`` for an error."""
    try:
        document = json.loads(
            content.decode(),
            parse_float=finite,
            parse_constant=finite,
            object_pairs_hook=without_surrogates,
        )
        answer = EmbedResponse.from_dict(document)
        rows = [[float(number) for number in row] for row in answer.embeddings]
    except (ValueError, OverflowError, RecursionError):
        return None
    width = len(rows[0]) if rows else 0
    if any(len(row) != width for row in rows):
        return None
    with np.errstate(over="ignore"):
        array = np.array(rows, dtype=np.float32).reshape(len(rows), width)
    return array.shape, array.tobytes(), answer.prompt_eval_count


def lists(decode: Callable[[bytes], EmbedResponse], content: bytes) -> tuple[str, str]:
    """What reading this into lists comes to; 1 and 1.0 are two."""
    try:
        return "", repr(decode(content))
    except (ValueError, RecursionError) as error:
        kind = "ValueError" if not isinstance(error, SpecError) else "SpecError"
        return kind, str(error)


def in_two_steps(content: bytes) -> EmbedResponse:
    return EmbedResponse.from_dict(msgspec.json.decode(content) if content else None)


def agrees(content: bytes) -> None:
    assert lists(decode_lists, content) == lists(in_two_steps, content)
    found, wanted = both(content), expected(content)
    if wanted is None:
        assert isinstance(found[0], str), found
    else:
        assert found == wanted


# ---- documents as text, which says more than values do: 1.0, 1e0 and 1 are three

digits = st.text("0123456789", min_size=1, max_size=25)
exact = st.from_regex(
    r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True
)
single = st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr)
double = st.floats(allow_nan=False, allow_infinity=False).map(repr)
# halfway between two floats of 32 bits, and next to it: rounding twice would show
halfway = st.builds(
    lambda low, beside: repr(
        float(np.nextafter((low + float(np.nextafter(np.float32(low), np.float32(2)))) / 2, beside))
    ),
    st.floats(0, 1, width=32),
    st.sampled_from([0.0, 2.0]),
)
numbers = single | exact | double | halfway | st.integers().map(str)
odd = st.sampled_from(
    [
        *("-0", "-0.0", "0e5", "1e400", "-1e400", "1e39", "-3.5e38", "1e-400", "5e-324", "1E+2"),
        *(
            "9007199254740993",
            "18446744073709551615",
            "18446744073709551616",
            "-9223372036854775809",
        ),
        *("9" * 30, "9" * 400, "9" * 5000, "0." + "3" * 900, "2.4703282292062328e-324"),
        *("null", "true", "false", '"1"', "[]", "[1]", "[[1]]", "{}", '{"a":1}'),
        *(
            "NaN",
            "Infinity",
            "-Infinity",
            "01",
            "1.",
            ".5",
            "+1",
            "-",
            "1e",
            "0x1",
            "1_0",
            "nul",
            "",
        ),
    ]
)
spaces = st.sampled_from(["", "", "", "", " ", "\n", " \t\r\n"])


def listed(items: list[str]) -> str:
    return f"[{','.join(items)}]"


def rows_of(number: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def of_width(width: int) -> st.SearchStrategy[str]:
        return st.lists(st.lists(number, min_size=width, max_size=width).map(listed), max_size=4)

    return st.integers(0, 4).flatmap(of_width).map(listed)


embeddings = rows_of(numbers)
odd_embeddings = (
    rows_of(numbers | odd)
    | st.lists(st.lists(numbers, max_size=3).map(listed) | odd, max_size=4).map(listed)
    | odd
)
names = st.sampled_from(
    [
        *("model", "embeddings", "total_duration", "load_duration", "prompt_eval_count", "x", ""),
        *("\\u006dodel", "model\\u0000", "\\ud800", "é", "[", "{", '\\"'),
    ]
)
values = (
    st.sampled_from(
        ['"m"', "null", "1", "2.0", "1.5", "true", '"["', '"{"', '"\\n"', '"ü"', '"\\ud83d"']
    )
    | st.recursive(odd, lambda inner: st.lists(inner, max_size=2).map(listed), max_leaves=4)
    | odd_embeddings
)


@st.composite
def documents(draw: st.DrawFn, vectors: st.SearchStrategy[str], others: bool = False) -> bytes:
    """A document as Ollama sends it, or with other fields and values, in any order."""
    fields = [("model", '"m"'), ("embeddings", draw(vectors)), ("prompt_eval_count", "9")]
    if others:
        fields += draw(st.lists(st.tuples(names, values), max_size=3))
        fields = draw(st.permutations(fields))
        fields = fields[: draw(st.integers(1, len(fields)))]
    space = draw(spaces)
    text = f",{space}".join(f'"{name}"{space}:{space}{value}' for name, value in fields)
    return f"{draw(spaces)}{{{text}{space}}}{draw(spaces)}".encode()


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A document in which some bytes are others, missing or new."""
    content = bytearray(draw(documents(embeddings, others=draw(st.booleans()))))
    pieces = st.sampled_from(
        [
            *(b"[", b"]", b"{", b"}", b",", b":", b'"', b"\\", b"-", b"+", b".", b"e", b"0", b"1"),
            *(b"9", b" ", b"\n", b"\x00", b"\x0c", b"\x7f", b"\x80", b"\xff", b"\xc3\xa9"),
            *(b"\xef\xbb\xbf", b"null", b"true", b'"embeddings":', b"[]", b"],[", b"[["),
        ]
    )
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.sampled_from([0, 0, 1, 1, 2, 10**6])))
        content[start:end] = draw(pieces) if draw(st.booleans()) or start == end else b""
    return bytes(content)


@given(documents(embeddings))
def test_the_numbers_are_those_of_the_standard_library(content: bytes) -> None:
    agrees(content)


@given(documents(odd_embeddings, others=True))
def test_any_document_is_read_as_the_standard_library_reads_it(content: bytes) -> None:
    agrees(content)


@given(mutated())
def test_damaged_documents_are_read_as_the_standard_library_reads_them(content: bytes) -> None:
    agrees(content)


@given(st.binary(max_size=50))
def test_any_bytes_are_an_array_or_an_error(content: bytes) -> None:
    agrees(content)


def answer(vectors: str, *more: str) -> bytes:
    return f'{{"model":"m","embeddings":{vectors}{"".join(more)}}}'.encode()


ARRAYS: dict[str, tuple[bytes, list[list[float]]]] = {
    "no rows": (answer("[]"), []),
    "null for none": (answer("null"), []),
    "rows of nothing": (answer("[[],[]]"), [[], []]),
    "integers": (answer("[[1,2],[3,-0]]"), [[1, 2], [3, 0]]),
    "a negative zero": (answer("[[-0.0]]"), [[-0.0]]),
    "an integer beyond 64 bits": (answer("[[18446744073709551616]]"), [[2.0**64]]),
    "beyond float32": (answer("[[1e39,-1e39]]"), [[np.inf, -np.inf]]),
    "too small": (answer("[[1e-400,1e-60]]"), [[0, 0]]),
    "the last of two": (b'{"embeddings":[[1]],"model":"m","embeddings":[[2]]}', [[2]]),
    "the last of two, by another name": (answer("[[1]]", r',"\u0065mbeddings":[[2]]'), [[2]]),
    "fields that are not known": (answer("[[1]]", ',"x":[[2],{"y":[]}],"z":"]["'), [[1]]),
    "a text with brackets": (b'{"model":"[[{","embeddings":[[1]]}', [[1]]),
    "a text beyond ASCII": ('{"model":"\u00fc","embeddings":[[1]]}'.encode(), [[1]]),
    "spaces": (b' { "model" : "m" , "embeddings" : [ [ 1 , 2 ] ] }\n', [[1, 2]]),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_arrays(case: str) -> None:
    content, rows = ARRAYS[case]
    wanted = np.array(rows, dtype=np.float32)
    shape = (len(rows), len(rows[0]) if rows else 0)
    assert both(content) == (shape, wanted.tobytes(), None)


ERRORS: dict[str, tuple[bytes, str]] = {
    "rows of different lengths": (
        answer("[[1,2],[3]]"),
        "embeddings[1]: expected 2 numbers, as in embeddings[0], got 1",
    ),
    "a row of nothing": (
        answer("[[1],[]]"),
        "embeddings[1]: expected 1 numbers, as in embeddings[0], got 0",
    ),
    "as many numbers, in other rows": (
        answer("[[1,2],[3],[4,5,6]]"),
        "embeddings[1]: expected 2 numbers, as in embeddings[0], got 1",
    ),
    "lists within a row": (
        answer("[[[1],[2]]]"),
        "embeddings[0][0]: expected a number, got a list",
    ),
    "one within one": (answer("[[1,[2]]]"), "embeddings[0][1]: expected a number, got a list"),
    "an empty list within a row": (
        answer("[[1,[],2]]"),
        "embeddings[0][1]: expected a number, got a list",
    ),
    "a flat list": (answer("[1,2]"), "embeddings[0]: expected a list, got 1"),
    "null": (answer("[[1,null]]"), "embeddings[0][1]: expected a number, got null"),
    "a text": (answer('[["1"]]'), 'embeddings[0][0]: expected a number, got "1"'),
    "a boolean": (answer("[[1],[true]]"), "embeddings[1][0]: expected a number, got true"),
    "an object": (answer("[[{}]]"), "embeddings[0][0]: expected a number, got an object"),
    "a row that is null": (answer("[[1],null]"), "embeddings[1]: expected a list, got null"),
    "an integer beyond float": (
        answer(f"[[1,{'9' * 400}]]"),
        "embeddings[0][1]: expected a number within the range of float, got a huge number",
    ),
    "an exponent beyond float": (answer("[[1e400]]"), "Number out of range"),
    "not a number": (answer("[[NaN]]"), "JSON is malformed"),
    "infinite": (answer("[[Infinity]]"), "JSON is malformed"),
    "no embeddings": (b'{"model":"m"}', "embeddings: expected a list, got nothing"),
    "no model": (b'{"embeddings":[[1]]}', "model: expected a string, got nothing"),
    "a model that is no text": (
        b'{"model":5,"embeddings":[[1]]}',
        "model: expected a string, got 5",
    ),
    "a count that is no integer": (
        answer("[[1]]", ',"prompt_eval_count":1.5'),
        "prompt_eval_count: expected an integer, got 1.5",
    ),
    "another document": (b"[1]", "expected an object, got a list"),
    "a number alone": (b"1", "expected an object, got 1"),
    "nothing": (b"", "expected an object, got null"),
    "not JSON": (b"<html>", "JSON is malformed"),
    "cut off": (ORDINARY[:-9], "Input data was truncated"),
    "one more behind it": (ORDINARY * 2, "JSON is malformed"),
    "a byte order mark": (b"\xef\xbb\xbf" + ORDINARY, "JSON is malformed"),
    "another encoding": (ORDINARY.decode().encode("utf-16"), "JSON is malformed"),
    "invalid UTF-8": (b'{"model":"\xff","embeddings":[[1]]}', "UTF-8"),
    "half a surrogate pair": (
        rb'{"model":"\ud800 and more","embeddings":[[1]]}',
        "JSON is malformed",
    ),
    "too deep": (answer("[[" + "[" * 10**5), "recursion"),
    "too deep elsewhere": (answer("[[1]]", ',"x":', "[" * 10**5, "]" * 10**5), "recursion"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case: str) -> None:
    content, message = ERRORS[case]
    _, found = both(content)
    assert message in found


def test_what_ollama_sends_is_read_in_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding_lists, "_read_any", None)
    assert decode_lists(ORDINARY).embeddings == [[0.1, -2e-05], [3, 0.333333333]]


@needs_simdjson
def test_what_ollama_sends_is_read_by_simdjson() -> None:
    found = embedding_arrays._by_simdjson(ORDINARY)
    assert found is not None
    assert found.array.tolist() == np.array([[0.1, -2e-05], [3, 0.333333333]], np.float32).tolist()


@needs_simdjson
def test_threads_read_at_once() -> None:
    contents = [answer(listed([listed([str(number)] * 100)] * 50)) for number in range(20)]
    with ThreadPoolExecutor(8) as pool:
        for number, found in enumerate(pool.map(decode_array, contents * 5)):
            assert (found.array == number % 20).all()
            assert found.array.shape == (50, 100)


def test_the_answer_for_the_log_is_the_whole_answer() -> None:
    content = answer("[[1,0.1]]", ',"new_field":[2]')
    assert decode_array(content).to_dict() == json.loads(content)


@pytest.mark.parametrize(
    "broken",
    ["raise RuntimeError('Unable to import low-level simdjson bindings.')", "loads = None"],
    ids=["without its compiled part", "another package"],
)
def test_what_is_not_pysimdjson_is_not_used(
    broken: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "simdjson.py").write_text(broken)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "simdjson", raising=False)
    find_simdjson.cache_clear()
    try:
        assert find_simdjson() is None
        assert outcome(ORDINARY)[0] == (2, 2)
    finally:
        sys.modules.pop("simdjson", None)
        find_simdjson.cache_clear()


def test_nothing_optional_is_imported_before_it_is_used() -> None:
    code = "import sys, manager.embedding_arrays; print(*{'numpy', 'simdjson'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []
