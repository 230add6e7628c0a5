"""Past h11 or through it, a body is the same, and comes as early."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpcore
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manager._sync.body import Body
from manager._sync.network import JoiningStream

from .test_chunk_joining import CHUNKED, END, bodies, chunk, cut, payloads, places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

ORIGIN = httpcore.Origin(b"http", b"x", 80)
PLAIN = [b"1\r\na\r\n", b"2\r\nbc\r\n", END]


class Arriving(httpcore.NetworkStream):
    """A connection on which something arrives; at its end comes nothing, or an error."""

    def __init__(self, reads: Iterable[bytes], error: Exception | None = None) -> None:
        self._reads = iter(reads)
        self._error = error
        self.read_before: Callable[[], object] = int
        self.closed = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if data := next(self._reads, b""):
            self.read_before()
        elif self._error:
            raise self._error
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None: ...

    def close(self) -> None:
        self.closed = True

    def get_extra_info(self, info: str) -> Any:
        return None


def opened(arriving: Arriving, **headers: str) -> tuple[Any, JoiningStream]:
    """The answer of httpcore on a connection that joins chunks, its body unread."""
    stream = JoiningStream(arriving)
    connection = httpcore.HTTP11Connection(ORIGIN, stream)
    answer = connection.handle_request(
        httpcore.Request(b"POST", "http://x/api/chat", headers={"Host": "x"})
    )
    assert not isinstance(answer.stream, bytes)
    response = SimpleNamespace(
        headers=httpx.Headers([*answer.headers, *headers.items()]),
        stream=answer.stream,
        extensions={"network_stream": stream},
        request=SimpleNamespace(extensions={"timeout": {"read": 1.0}}),
        is_closed=False,
        close=connection.close,
    )
    return response, stream


def past_h11(arriving: Arriving) -> Iterator[bytes]:
    response, _ = opened(arriving)
    body = Body(response)
    while (piece := body.read()) is not None:
        yield piece


def through_h11(arriving: Arriving) -> Iterator[bytes]:
    response, _ = opened(arriving)
    yield from response.stream


# h11 sees less of a body, and so may find another word for what is wrong with it
_FAULT = re.compile(r"illegal chunk header|malformed chunk footer|peer closed connection")


def told(
    way: Callable[[Arriving], Iterator[bytes]], reads: Iterable[bytes]
) -> tuple[bytes, list[int], str]:
    """What comes of ``reads``: all of it, how much was there before each read, and the end."""
    arriving, found, progress = Arriving(reads), bytearray(), list[int]()
    arriving.read_before = lambda: progress.append(len(found))
    try:
        for piece in way(arriving):
            found += piece
    except httpcore.ProtocolError as error:
        fault = _FAULT.match(str(error))
        return bytes(found), progress, "a fault" if fault else str(error)
    return bytes(found), progress, "the end"


def compare(reads: list[bytes]) -> None:
    assert told(past_h11, reads) == told(through_h11, reads)


@settings(max_examples=150, deadline=None)
@given(bodies, places)
def test_any_body_in_any_pieces(body: bytes, at: list[int]) -> None:
    compare([CHUNKED + body])
    compare([CHUNKED, *cut(body, at)])
    compare(cut(CHUNKED + body, at))


@settings(max_examples=80, deadline=None)
@given(payloads, st.integers(0, 3))
def test_chunks_that_come_one_by_one(chunks: list[bytes], apart: int) -> None:
    """The first ones with the head, a part of one, and the rest each by itself."""
    reads = [CHUNKED, *map(chunk, chunks), END]
    compare([b"".join(reads[: apart + 1]), *reads[apart + 1 :]])
    compare([b"".join(reads[:apart]) + reads[apart][:1] if reads[apart:] else b"x", *reads])


@settings(deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=40), max_size=10))
def test_any_bytes_at_all(reads: list[bytes]) -> None:
    compare([CHUNKED, *reads])


@pytest.mark.parametrize(
    "reads",
    [
        [CHUNKED, *PLAIN],
        [CHUNKED + PLAIN[0], *PLAIN[1:]],
        [CHUNKED + PLAIN[0] + PLAIN[1][:4], PLAIN[1][4:], END],
        [CHUNKED[:50], CHUNKED[50:], *PLAIN],
        [CHUNKED + b"".join(PLAIN)],
    ],
)
def test_chunks_go_past_h11(reads: list[bytes]) -> None:
    response, _ = opened(Arriving(reads))
    body, by_h11 = Body(response), list[bytes]()
    through = response.stream
    body._pieces = (by_h11.append(piece) or piece for piece in through)  # type: ignore[func-returns-value]
    assert body.read_all() == b"abc"
    assert by_h11 == []


def test_a_chunk_that_h11_has_begun_is_its_to_end() -> None:
    """Where a head comes in pieces, h11 has what came with the last of them."""
    head = [CHUNKED[:-2], CHUNKED[-2:] + b"4\r\nab"]
    response, stream = opened(Arriving([*head, b"cd\r\n2\r\nef\r\n", *PLAIN]))
    body = Body(response)
    assert [body.read(), body.read(), body.read()] == [b"ab", b"cd", b"ef"]
    assert stream.may_be_read(6)
    response.stream = None
    assert [body.read(), body.read(), body.read()] == [b"a", b"bc", None]


def test_a_long_chunk_comes_as_it_arrives_and_is_asked_for_at_once() -> None:
    long, asked = b"x" * 300_000, list[int]()
    sent = chunk(long)
    reads = [CHUNKED + sent[:1000], sent[1000:200_000], sent[200_000:-1], b"\n", END]
    response, stream = opened(Arriving(reads))
    inner: Any = stream._stream
    read = inner.read

    def noted(max_bytes: int, timeout: float | None = None) -> Any:
        asked.append(max_bytes)
        return read(max_bytes, timeout)

    inner.read = noted
    body = Body(response)
    pieces = [body.read(), body.read(), body.read()]
    assert [len(piece or b"") for piece in pieces] == [993, 199_000, 100_007]
    assert b"".join(piece or b"" for piece in pieces) == long
    assert body.read() is None
    assert asked[0] > 299_000, "as much as is left of it"


@pytest.mark.parametrize("where", ["read", "read_chunks"])
def test_a_limit_on_reading_holds_for_each_way(where: str) -> None:
    response, stream = opened(Arriving([CHUNKED, *PLAIN]))
    body, limited = Body(response), list[object]()
    kind: Any = JoiningStream

    def read(max_bytes: int, timeout: float | None = None) -> Any:
        limited.append(timeout)
        return getattr(kind, where)(stream, max_bytes, timeout)

    vars(stream)[where] = read
    assert body.read_all() == b"abc"
    assert len(limited) == (3 if where == "read_chunks" else 1)


def test_what_is_encoded_is_left_to_httpx() -> None:
    response, stream = opened(Arriving([CHUNKED, *PLAIN]), **{"content-encoding": "gzip"})
    response.iter_bytes = lambda: iter([b"decoded"])
    body = Body(response)
    assert [body.read(), body.read()] == [b"decoded", None]
    assert stream.may_be_read(0)


@pytest.mark.parametrize(
    ("met", "said"),
    [
        (httpcore.ReadTimeout("late"), httpx.ReadTimeout),
        (httpcore.ReadError("gone"), httpx.ReadError),
        (ZeroDivisionError("something else"), ZeroDivisionError),
    ],
)
def test_an_error_is_one_of_httpx_and_ends_the_connection(
    met: Exception, said: type[Exception]
) -> None:
    arriving = Arriving([CHUNKED, PLAIN[0]], met)
    response, _ = opened(arriving)
    body = Body(response)
    assert body.read() == b"a"
    with pytest.raises(said, match=str(met)):
        body.read()
    assert arriving.closed
