"""Past h11 or through it, a body is the same, and comes as early."""

from __future__ import annotations

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
        close=connection.close,
    )
    return response, stream


def past_h11(arriving: Arriving) -> Iterator[bytes]:
    response, _ = opened(arriving)
    body = Body(response, 1.0)
    while (piece := body.read()) is not None:
        yield piece


def through_h11(arriving: Arriving) -> Iterator[bytes]:
    response, _ = opened(arriving)
    yield from response.stream


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
        return bytes(found), progress, str(error)
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


def test_a_whole_chunk_goes_past_h11() -> None:
    response, stream = opened(Arriving([CHUNKED, *PLAIN]))
    body = Body(response, 1.0)
    response.stream = None
    assert [body.read(), body.read()] == [b"a", b"bc"]
    assert stream.may_be_read(0)
    assert body.read() is None


def test_chunks_after_one_that_came_in_parts_go_past_h11_again() -> None:
    response, stream = opened(Arriving([CHUNKED, b"4\r\nab", b"cd\r\n2\r\nef\r\n", *PLAIN]))
    body = Body(response, 1.0)
    assert [body.read(), body.read(), body.read()] == [b"ab", b"cd", b"ef"]
    assert stream.may_be_read(6)
    response.stream = None
    assert [body.read(), body.read(), body.read()] == [b"a", b"bc", None]


def test_a_read_with_a_limit_is_made_as_the_limit_wants() -> None:
    response, stream = opened(Arriving([CHUNKED, *PLAIN]))
    body, limited = Body(response, 1.0), list[object]()

    def read(max_bytes: int, timeout: float | None = None) -> bytes:
        limited.append(timeout)
        return JoiningStream.read(stream, max_bytes, timeout)

    vars(stream)["read"] = read
    assert body.read() == b"a"
    assert len(limited) == 1
    del vars(stream)["read"]
    assert body.read() == b"bc"
    assert len(limited) == 1


def test_what_is_encoded_is_left_to_httpx() -> None:
    response, stream = opened(Arriving([CHUNKED, *PLAIN]), **{"content-encoding": "gzip"})
    response.iter_bytes = lambda: iter([b"decoded"])
    body = Body(response, 1.0)
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
    body = Body(response, 1.0)
    assert body.read() == b"a"
    with pytest.raises(said, match=str(met)):
        body.read()
    assert arriving.closed
