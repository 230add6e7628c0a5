"""What neither a hostile server nor an interrupt can do to the parser: size, time, memory."""

from __future__ import annotations

import gc
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest

from manager.transport.exceptions import ConnectionLost, InvalidAnswer
from manager.transport.http1 import (
    MAX_HEAD,
    MAX_HEADERS,
    MAX_INFORMATIONAL,
    MAX_OVERHEAD,
    ResponseParser,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
HELLO = OK + b"Content-Length: 5\r\n\r\nhello"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"


def endless(parser: ResponseParser, piece: bytes) -> int:
    """Feed the same bytes for ever; return how many of them it took until they were refused."""
    for taken in range(0, 100 * MAX_HEAD, len(piece)):
        try:
            parser.feed(piece)
        except InvalidAnswer:
            assert not parser.is_complete
            return taken
    pytest.fail("it took any number of them")


# Heads


@pytest.mark.parametrize("size", [1, 1000, 65_536, 262_144])
def test_a_header_without_an_end(size: int) -> None:
    parser = ResponseParser("GET")
    parser.feed(OK + b"X: ")
    assert endless(parser, b"y" * size) <= MAX_HEAD


def test_a_header_of_13_megabytes_at_once() -> None:
    with pytest.raises(InvalidAnswer, match="more than 65536 bytes"):
        ResponseParser("GET").feed(OK + b"X: " + b"y" * 13_000_000 + b"\r\n\r\n")


def test_a_reason_without_an_end() -> None:
    parser = ResponseParser("GET")
    parser.feed(b"HTTP/1.1 200 ")
    assert endless(parser, b"y") <= MAX_HEAD


def test_100_000_headers() -> None:
    with pytest.raises(InvalidAnswer, match="more than"):
        ResponseParser("GET").feed(OK + b"X: y\r\n" * 100_000 + b"\r\n")


def test_the_most_that_a_head_may_have() -> None:
    fields = [b"X%d: y\r\n" % number for number in range(MAX_HEADERS)]
    parser = ResponseParser("HEAD")
    parser.feed(OK + b"".join(fields) + b"\r\n")
    assert len(parser.headers) == MAX_HEADERS
    with pytest.raises(InvalidAnswer, match="more than 256 header fields"):
        ResponseParser("HEAD").feed(OK + b"".join(fields) + b"X: y\r\n\r\n")
    head = OK + b"X: " + b"y" * (MAX_HEAD - len(OK) - 7) + b"\r\n\r\n"
    assert len(head) == MAX_HEAD
    for size in (1, MAX_HEAD):
        parser = ResponseParser("HEAD")
        for at in range(0, len(head), size):
            parser.feed(head[at : at + size])
        assert parser.is_complete


def test_interim_answers_without_an_end() -> None:
    parser = ResponseParser("GET")
    parser.feed(INTERIM * MAX_INFORMATIONAL)
    parser.feed(HELLO)
    assert parser.take() == b"hello"
    parser = ResponseParser("GET")
    assert endless(parser, INTERIM) == MAX_INFORMATIONAL * len(INTERIM)
    with pytest.raises(InvalidAnswer, match="more than 16 informational answers"):
        ResponseParser("GET").feed(INTERIM * (MAX_INFORMATIONAL + 1) + HELLO)


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n", b"\r"])
def test_a_million_line_ends(line_end: bytes) -> None:
    with pytest.raises(InvalidAnswer):
        ResponseParser("GET").feed(line_end * 1_000_000 + HELLO)
    parser = ResponseParser("GET")
    parser.feed(INTERIM)
    assert endless(parser, line_end) == 0


# Bodies


@pytest.mark.parametrize("size", [1, 1000, 65_536])
@pytest.mark.parametrize(
    "start",
    [b"5;", b'5;a="', b"0;", b"0\r\nX: ", b"5\r\nhello\r\n0\r\nX", b"0000"],
)
def test_what_is_not_body_has_an_end(start: bytes, size: int) -> None:
    parser = ResponseParser("GET")
    parser.feed(CHUNKED + start)
    filler = b"0" if start == b"0000" else b"y"
    assert endless(parser, filler * size) <= MAX_OVERHEAD


def test_trailers_without_an_end() -> None:
    parser = ResponseParser("GET")
    parser.feed(CHUNKED + b"5\r\nhello\r\n0\r\n")
    assert endless(parser, b"X: y\r\n") <= MAX_OVERHEAD
    assert parser.take() == b"hello"


def test_body_between_them_lets_any_number_of_extensions_pass() -> None:
    parser = ResponseParser("GET")
    parser.feed(CHUNKED)
    for _ in range(5):
        parser.feed(b"1;" + b"y" * (MAX_OVERHEAD - 100))
        parser.feed(b"\r\nx\r\n")
    parser.feed(b"0\r\n\r\n")
    assert parser.take() == b"xxxxx"
    assert parser.is_reusable


def test_a_body_may_be_of_any_size() -> None:
    parser, piece = ResponseParser("GET"), b"x" * 65_536
    parser.feed(OK + b"Content-Length: %d\r\n\r\n" % (len(piece) * 200))
    for _ in range(200):
        assert not parser.is_complete
        parser.feed(piece)
        assert parser.take() == piece
    assert parser.is_reusable


# Memory


@pytest.fixture
def collected() -> Iterator[Callable[[], int]]:
    """Counts what only the garbage collector can free."""
    gc.collect()
    gc.disable()
    try:
        yield gc.collect
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "data",
    [b"", OK, CHUNKED, CHUNKED + b"5\r\nhel", HELLO, HELLO + HELLO, INTERIM + HELLO, b"garbage"],
)
def test_parsers_are_in_no_cycle(data: bytes, collected: Callable[[], int]) -> None:
    for _ in range(10):
        parser = ResponseParser("GET")
        try:
            parser.feed(data)
        except InvalidAnswer as error:
            error.__traceback__ = None  # it refers to this frame, and this frame to it
    del parser
    assert collected() == 0


def test_pieces_belong_to_their_taker_alone() -> None:
    parser = ResponseParser("GET")
    parser.feed(OK + b"Content-Length: 100000\r\n\r\n" + b"x" * 1000)
    piece = parser.take()
    assert sys.getrefcount(piece) == 2, "the name, and the argument"


# Exceptions


@pytest.mark.parametrize(
    "data",
    [
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        OK + b"X: y\r\n" * (MAX_HEADERS + 1) + b"\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        INTERIM * (MAX_INFORMATIONAL + 1),
        b"garbage",
        CHUNKED + b"garbage",
    ],
)
def test_what_is_refused_while_an_exception_is_handled(data: bytes) -> None:
    """The context of an error that httptools raises is then the exception that is handled."""
    caught: BaseException | None = None
    try:
        raise KeyError("of the user")
    except KeyError:
        try:
            ResponseParser("GET").feed(data)
        except BaseException as error:
            caught = error
    assert isinstance(caught, InvalidAnswer)


def test_what_is_behind_an_answer_while_an_exception_is_handled() -> None:
    parser = ResponseParser("GET")
    try:
        raise KeyError("of the user")
    except KeyError:
        parser.feed(HELLO + HELLO)
    assert parser.take() == b"hello"
    assert not parser.is_reusable


class Alarm(Exception):
    """As a signal handler may raise; no BaseException."""


HEAD = OK + b"".join(b"X-%d: %d\r\n" % (n, n) for n in range(MAX_HEADERS - 1))
PIECES = [INTERIM, HEAD, b"Transfer-Encoding: chunked\r\n\r\n"]
PIECES += [b"5\r\nhello\r\n" * 20] * 5 + [b"0\r\n", b"X: y\r\n" * 20, b"\r\n"]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there is no such timer")
@pytest.mark.parametrize("kind", [KeyboardInterrupt, Alarm])
@pytest.mark.parametrize("cut", ["lines", "whole", "inside an except block"])
def test_no_exception_of_a_signal_handler_is_lost(kind: type[BaseException], cut: str) -> None:
    raised = caught = 0
    is_armed = True

    def handler(number: int, frame: object) -> None:
        nonlocal raised
        if is_armed:
            raised += 1
            raise kind

    def parse() -> None:
        parser = ResponseParser("GET")
        for piece in PIECES if cut == "lines" else [b"".join(PIECES)]:
            parser.feed(piece)
        # an interrupt in the middle would have left it
        assert parser.is_reusable
        assert parser.take() == b"hello" * 100
        assert len(parser.headers) == MAX_HEADERS

    def parse_inside_an_except_block() -> None:
        try:
            raise KeyError("of the user")
        except KeyError:
            parse()

    attempt = parse_inside_an_except_block if cut == "inside an except block" else parse
    before = signal.signal(signal.SIGALRM, handler)
    ends = time.monotonic() + 30
    try:
        while caught < 300 and time.monotonic() < ends:
            try:
                # each time at another place, most of them in the middle of it
                signal.setitimer(signal.ITIMER_REAL, 0.00002 + 0.000001 * (caught % 199))
                while True:
                    attempt()
            except kind:
                caught += 1
    finally:
        is_armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert caught == raised
    assert caught >= 20


def test_what_was_interrupted_is_never_taken_for_reusable() -> None:
    """Whether bytes are behind an answer is known last; until then they may be."""
    parser = ResponseParser("GET")
    parser.feed(HELLO[:-5])

    def interrupt(frame: object, event: str, argument: object) -> object:
        if event == "exception":  # of httptools: bytes are behind the answer
            raise KeyboardInterrupt
        return interrupt

    before = sys.gettrace()
    sys.settrace(interrupt)  # type: ignore[arg-type]
    try:
        with pytest.raises(KeyboardInterrupt):
            parser.feed(b"hello" + HELLO)
    finally:
        sys.settrace(before)
    assert parser.is_complete
    assert parser.take() == b"hello"
    assert not parser.is_reusable
    with pytest.raises(ConnectionLost):
        ResponseParser("GET").feed_end()
