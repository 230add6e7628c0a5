"""Joined or not, h11 makes the same of what a server sends, and as early."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manager.chunk_joining import ChunkJoiner

if TYPE_CHECKING:
    from collections.abc import Iterable

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
)
END = b"0\r\n\r\n"
REQUEST = b"POST /api/chat HTTP/1.1\r\nHost: x\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class Client:
    """Reads answers as httpcore does, and writes down what it learns at each read."""

    def __init__(self, methods: Iterable[str], *, joins: bool) -> None:
        self._methods = iter(methods)
        self._joiner = ChunkJoiner() if joins else None
        self._connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=100 * 1024)
        self.seen: list[Any] = []  # what h11 found, in the end
        self.progress: list[tuple[int, int]] = []  # after each read: bytes of bodies, other events
        self.pieces = 0
        self.over = False
        self._body = 0
        self._ask()

    def _ask(self) -> None:
        method = next(self._methods, None)
        if method is None:
            self.over = True
            return
        request = h11.Request(method=method, target="/", headers=[("Host", "x")])
        data = self._connection.send(request)
        assert data is not None
        self._connection.send(h11.EndOfMessage())
        if self._joiner:
            self._joiner.sent(data)

    def read(self, data: bytes) -> None:
        if self.over:
            return
        handed_over = self._joiner.received(data) if self._joiner else data
        assert len(handed_over) <= len(data)
        self._connection.receive_data(handed_over)
        try:
            while not self.over and (event := self._connection.next_event()) is not h11.NEED_DATA:
                self._note(event)
        except h11.RemoteProtocolError as error:
            self.seen.append(str(error))
            self.over = True
        self.progress.append((self._body, len(self.seen)))

    def _note(self, event: Any) -> None:
        if isinstance(event, h11.Data):
            self.pieces += 1
            self._body += len(event.data)
            if self.seen and isinstance(self.seen[-1], bytearray):
                self.seen[-1] += event.data
            else:
                self.seen.append(bytearray(event.data))
            return
        self.seen.append(event if isinstance(event, type) else repr(event))
        if isinstance(event, h11.EndOfMessage):
            if self._connection.our_state is self._connection.their_state is h11.DONE:
                self._connection.start_next_cycle()
                self._ask()
            else:
                self.over = True
        elif event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
            self.over = True


def compare(reads: Iterable[bytes], methods: Iterable[str] = ("POST",)) -> tuple[Client, Client]:
    """Let both read the same; return the one that joins, and the plain one."""
    methods = list(methods)
    joining, plain = Client(methods, joins=True), Client(methods, joins=False)
    for data in (*reads, b""):
        joining.read(data)
        plain.read(data)
        assert joining.progress == plain.progress
    assert joining.seen == plain.seen
    assert joining.pieces <= plain.pieces
    return joining, plain


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[begin:end] for begin, end in itertools.pairwise(places)]


# Any answers

payloads = st.lists(st.binary(min_size=1, max_size=5) | st.just(b"x" * 20), max_size=5)
names = st.sampled_from(
    [
        b"Transfer-Encoding",
        b"transfer-encoding",
        b"Content-Length",
        b"X",
        b"Transfer-Encoding ",
        b"\tY",
    ]
)
values = st.sampled_from(
    [
        b"chunked",
        b" Chunked\t",
        b"gzip, chunked",
        b"identity",
        b"0",
        b"7",
        b"7, 7",
        b"-7",
        b"",
        b"\x00",
    ]
)
odd_heads = st.builds(
    lambda status, headers, end: (
        b"HTTP/1.1 "
        + status
        + end
        + end.join([name + b":" + value for name, value in headers])
        + end
        + end
    ),
    st.sampled_from(
        [
            b"200 OK",
            b"200",
            b"204 No",
            b"304 X",
            b"100 C",
            b"103 E",
            b"101 S",
            b"404 N",
            b"2000 ?",
            b"099 X",
        ]
    ),
    st.lists(st.tuples(names, values), max_size=3),
    st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n"]),
)
heads = (
    st.just(CHUNKED) | st.just(b"HTTP/1.1 200 OK\r\nTRANSFER-ENCODING:chunked\r\n\r\n") | odd_heads
)
odd_pieces = st.sampled_from(
    [
        b"5;a=b\r\nhello\r\n",
        b"5 \r\nhello\r\n",
        b"0005\r\nhello\r\n",
        b"5\nhello\n",
        b"0x5\r\nhello\r\n",
        b"+5\r\nhello\r\n",
        b"1_0\r\n",
        b"5\r\nhelloXY",
        b"5\r\nhelloAB\r\n",
        b"5\r\nhello\rX",
        b"\r\n",
        b"ffffffff\r\nabc",
        b"fffffffff\r\nabc",
        b"1" * 21 + b"\r\n",
        b"000000005\r\nhello\r\n",
        b"5\r\nhel",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"g\r\n",
        b"0\r\nTrailer: x\r\n\r\n",
        b"0\r\n\n",
        b"00\r\n\r\n",
        b"0;x\r\n\r\n",
    ]
)
bodies = st.builds(
    lambda chunks, odd, more, end: b"".join([*map(chunk, chunks), odd, *map(chunk, more), end]),
    payloads,
    st.just(b"") | odd_pieces,
    payloads,
    st.just(END) | st.sampled_from([b"", b"0\r\n", b"0\r\nA: b\r\n\r\n"]),
)
counted = st.binary(max_size=30).map(
    lambda body: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
)
good = st.builds(lambda chunks: b"".join([CHUNKED, *map(chunk, chunks), END]), payloads) | counted
bodiless = st.sampled_from([b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"])
any_answer = good | bodiless | st.builds(lambda head, body: head + body, heads, bodies)
methods = st.lists(
    st.sampled_from(["POST", "GET", "HEAD", "DELETE", "CONNECT"]), min_size=1, max_size=4
)
places = st.lists(st.integers(0, 1000), max_size=20)


@settings(max_examples=120, deadline=None)
@given(st.lists(any_answer, min_size=1, max_size=4), methods, places)
def test_any_answers_in_any_pieces(answers: list[bytes], methods: list[str], at: list[int]) -> None:
    data = b"".join(answers)
    compare([data], methods)
    compare(cut(data, at), methods)
    compare(cut(data, range(len(data))), methods)


@settings(max_examples=80, deadline=None)
@given(st.lists(good, min_size=1, max_size=4), st.lists(places, min_size=4, max_size=4))
def test_one_answer_after_the_other(answers: list[bytes], at: list[list[int]]) -> None:
    """As a server sends them: the next one once it is asked for."""
    pieces = [
        piece for answer, where in zip(answers, at, strict=False) for piece in cut(answer, where)
    ]
    compare(pieces, ["POST"] * (len(answers) + 1))


@settings(max_examples=80, deadline=None)
@given(payloads, st.integers(0, 100), st.binary(min_size=1, max_size=2), places)
def test_chunks_with_a_fault_at_any_place(
    chunks: list[bytes], place: int, fault: bytes, at: list[int]
) -> None:
    data = b"".join([CHUNKED, *map(chunk, chunks), END])
    place = len(CHUNKED) + place % (len(data) - len(CHUNKED) + 1)
    for broken in (
        data[:place] + fault + data[place + len(fault) :],
        data[:place] + fault + data[place:],
    ):
        compare([broken])
        compare(cut(broken, at))


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=10))
def test_any_bytes_at_all(reads: list[bytes]) -> None:
    compare([CHUNKED, *reads])
    compare(reads)


# What is joined


def received(*reads: bytes, sent: bytes = REQUEST) -> list[bytes]:
    joiner = ChunkJoiner()
    joiner.sent(sent)
    return [joiner.received(data) for data in reads]


def test_chunks_of_one_read_become_one() -> None:
    assert received(CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n" + END) == [
        CHUNKED + b"5\r\nabcde\r\n" + END
    ]
    assert received(CHUNKED, b"3\r\nabc\r\n2\r\nde\r\n1\r\nf\r\n")[1] == b"6\r\nabcdef\r\n"


def test_a_chunk_that_came_in_part_is_declared_in_full() -> None:
    reads = received(CHUNKED, b"3\r\nabc\r\n5\r\nde", b"fgh\r\n1\r\ni\r\n1\r\nj\r", b"\n1\r\nk\r\n")
    assert reads[1:] == [b"8\r\nabcde", b"fgh\r\n2\r\nij\r", b"\n1\r\nk\r\n"]


def test_a_size_that_came_in_part_stays() -> None:
    reads = received(
        CHUNKED, b"1\r\na\r\n1\r\nb\r\n1", b"0\r\n" + b"x" * 16 + b"\r\n1\r\nc\r\n1\r\nd\r\n"
    )
    assert reads[1:] == [b"2\r\nab\r\n1", b"0\r\n" + b"x" * 16 + b"\r\n2\r\ncd\r\n"]


def test_a_single_chunk_is_not_even_copied() -> None:
    data = chunk(b"hello")
    assert received(CHUNKED, data)[1] is data


@pytest.mark.parametrize(
    "before",
    [
        CHUNKED + chunk(b"a") + END,
        b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n1\r\na\r\n1\r\nb\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    ],
)
def test_the_next_answer_is_joined_again(before: bytes) -> None:
    joiner = ChunkJoiner()
    joiner.sent(REQUEST)
    assert b"".join(joiner.received(piece) for piece in cut(before, [7, 40])) == before
    joiner.sent(REQUEST)
    joiner.sent(b"the body, of which no answer depends")
    assert joiner.received(CHUNKED + chunk(b"a") * 2 + END) == CHUNKED + b"2\r\naa\r\n" + END


def test_an_answer_to_head_has_no_body() -> None:
    joiner = ChunkJoiner()
    joiner.sent(b"HEAD /api/blobs/sha256:1 HTTP/1.1\r\nHost: x\r\n\r\n")
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    assert joiner.received(head) == head
    joiner.sent(REQUEST)
    assert joiner.received(CHUNKED + chunk(b"a") * 2) == CHUNKED + b"2\r\naa\r\n"


def test_the_answer_after_an_interim_one_is_joined() -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert received(interim + CHUNKED + chunk(b"a") * 2) == [interim + CHUNKED + b"2\r\naa\r\n"]


# What is not


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\tx\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Transfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nContent-Length: 6\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 110_000 + b"\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n"
        + chunk(b"a") * 2
        + CHUNKED,  # not asked for
        CHUNKED + END + CHUNKED,  # not asked for
        CHUNKED + b"5;a=b\r\nhello\r\n",
        CHUNKED + b"000000005\r\nhello\r\n",
        CHUNKED + b"5\r\nhelloXY",
        CHUNKED + b"-\r\n",
        CHUNKED + b"0\r\nTrailer: x\r\n\r\n",
    ],
)
@pytest.mark.parametrize("places", [[], range(0, 200, 3), range(200)])
def test_what_is_not_plain_goes_through_as_it_is(head: bytes, places: Iterable[int]) -> None:
    reads = [*cut(head + chunk(b"a") * 3, places), END, CHUNKED + chunk(b"b") * 3]
    joiner = ChunkJoiner()
    joiner.sent(REQUEST)
    for data in reads:
        assert joiner.received(data) is data
        joiner.sent(b"and so on")


@pytest.mark.parametrize(
    "request_", [b"CONNECT x:443 HTTP/1.1\r\n\r\n", b"\x05\x01\x00", b"post / "]
)
def test_other_protocols_go_through_as_they_are(request_: bytes) -> None:
    data = CHUNKED + chunk(b"a") * 2
    assert received(data, sent=request_) == [data]


def test_a_request_in_the_middle_of_an_answer_ends_the_joining() -> None:
    joiner = ChunkJoiner()
    joiner.sent(REQUEST)
    joiner.received(CHUNKED + chunk(b"a"))
    joiner.sent(REQUEST)
    assert joiner.received(chunk(b"a") * 2) == chunk(b"a") * 2


def test_it_is_worth_it() -> None:
    data = CHUNKED + b"".join(chunk(b"%d" % number) for number in range(10_000)) + END
    joining, plain = compare([data[at : at + 65536] for at in range(0, len(data), 65536)])
    assert plain.pieces >= 10_000
    assert joining.pieces <= 2 * (len(data) // 65536 + 1)
