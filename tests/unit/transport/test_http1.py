"""What ``httptools`` leaves to its user: framing, versions, codings, ends, bytes behind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.transport.exceptions import ConnectionLost, InvalidAnswer
from manager.transport.http1 import (
    ResponseParser,
    chunk,
    field_lines,
    last_chunk,
    request_head,
)

from .answers import anything, cuts

OK = b"HTTP/1.1 200 OK\r\n"
FIVE = OK + b"Content-Length: 5\r\n\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
HELLO = FIVE + b"hello"


def parsed(data: bytes, method: str = "GET") -> ResponseParser:
    parser = ResponseParser(method)
    parser.feed(data)
    return parser


def bytewise(data: bytes, method: str = "GET") -> ResponseParser:
    parser = ResponseParser(method)
    for at in range(len(data)):
        parser.feed(data[at : at + 1])
    return parser


# The head


def test_a_head_in_single_bytes() -> None:
    head = (
        b"HTTP/1.1 404 Not Found\r\nX-A:  b \t\r\nSet-Cookie: a=b\r\nx-a: c\r\nset-cookie: c=d\r\n"
    )
    parser = bytewise(head + b"Empty:\r\n")
    assert not parser.has_head
    assert parser.status == 0
    parser.feed(b"Content-Length: 0\r\n\r\n")
    assert parser.has_head
    assert parser.status == 404
    assert parser.headers == {
        "x-a": "b, c",
        "set-cookie": "a=b, c=d",
        "empty": "",
        "content-length": "0",
    }
    assert parser.cookies == ["a=b", "c=d"]
    assert parser.is_reusable


def test_the_status_in_pieces() -> None:
    parser = ResponseParser("GET")
    for piece in (b"HTTP/1.", b"1 2", b"0", b"4 No", b" Con", b"tent\r", b"\n\r", b"\n"):
        assert not parser.has_head
        parser.feed(piece)
    assert parser.status == 204
    assert parser.is_complete


def test_a_view_is_as_good_as_bytes() -> None:
    buffer = bytearray(HELLO)
    parser = ResponseParser("GET")
    parser.feed(memoryview(buffer)[:10])
    parser.feed(memoryview(buffer)[10:])
    buffer[:] = bytes(len(buffer))  # it is used for the next answer
    assert parser.headers == {"content-length": "5"}
    assert parser.take() == b"hello"


def test_no_bytes_say_nothing() -> None:
    parser = parsed(OK + b"\r\n")
    parser.feed(b"")
    assert not parser.body
    parser = parsed(HELLO)
    parser.feed(b"")
    assert parser.is_reusable


def test_the_reason_may_be_missing() -> None:
    assert parsed(b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n").is_reusable
    assert parsed(b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n").is_reusable


def test_values_are_latin_1_and_keep_what_is_no_space() -> None:
    parser = parsed(OK + b"X: \xc3\xa0\r\nY:\x85z\xa0 \r\n\r\n")
    assert parser.headers == {"x": "\xc3\xa0", "y": "\x85z\xa0"}


@pytest.mark.parametrize(
    "head",
    [
        b"garbage",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x16\x03\x01",  # TLS
        b"ICY 200 OK\r\n",
        b"http/1.1 200 OK\r\n",
        b"HTTP/1.1  200 OK\r\n",
        b"HTTP/1.1 20 OK\r\n",
        b"HTTP/1.1 2000 OK\r\n",
        b"HTTP/1.1 200 OK\nX: y\r\n",
        b"HTTP/1.1 200 OK\r\nX: y\nZ: a\r\n",
        b"HTTP/1.1 200 OK\r\nX: y\r\n z\r\n",
        b"HTTP/1.1 200 OK\r\n X: y\r\n",
        b"HTTP/1.1 200 OK\r\nX : y\r\n",
        b"HTTP/1.1 200 OK\r\n: y\r\n",
        b"HTTP/1.1 200 OK\r\nX\r\n",
        b"HTTP/1.1 200 OK\r\nX\xe9: y\r\n",
        b"HTTP/1.1 200 OK\r\nX: \x00\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\rb\r\n",
        b"\r\nHTTP/1.1 200 OK\r\n",
        b"\nHTTP/1.1 200 OK\r\n",
        b"\r\n\r\n",
    ],
)
def test_what_is_no_head_is_refused_before_it_ends(head: bytes) -> None:
    for feed in (parsed, bytewise):
        with pytest.raises(InvalidAnswer, match="this is not HTTP"):
            feed(head)


@pytest.mark.parametrize("status", [b"000", b"099", b"101"])
def test_a_status_that_is_no_answer(status: bytes) -> None:
    for fields in (b"", b"Upgrade: x\r\nConnection: Upgrade\r\n"):
        with pytest.raises(InvalidAnswer, match=r"another protocol|the status 0"):
            parsed(b"HTTP/1.1 %b OK\r\n%b\r\n" % (status, fields))


@pytest.mark.parametrize("version", [b"0.9", b"1.2", b"2.0", b"3.0"])
def test_versions_that_are_refused(version: bytes) -> None:
    with pytest.raises(InvalidAnswer, match="HTTP"):
        parsed(b"HTTP/%b 200 OK\r\nContent-Length: 0\r\n\r\n" % version)


# Interim answers


def test_interim_answers_are_passed_over() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    for feed in (parsed, bytewise):
        parser = feed(interim)
        assert not parser.has_head
        assert not parser.is_complete
        parser = feed(interim + HELLO)
        assert parser.status == 200
        assert parser.headers == {"content-length": "5"}
        assert parser.take() == b"hello"
        assert parser.is_reusable


@pytest.mark.parametrize(
    "fields",
    [b"Content-Length: 3\r\n", b"Transfer-Encoding: gzip\r\n", b"Connection: close\r\n"],
)
def test_what_an_interim_answer_says_of_framing_is_not_meant(fields: bytes) -> None:
    parser = parsed(b"HTTP/1.1 103 Early Hints\r\n" + fields + b"\r\n" + HELLO)
    assert parser.take() == b"hello"
    assert parser.is_reusable


# Where an answer ends


def test_an_answer_to_head_has_no_body() -> None:
    parser = parsed(FIVE, "HEAD")
    assert parser.is_complete
    assert parser.is_reusable
    assert parser.headers["content-length"] == "5"
    parser.feed(b"hello")
    assert not parser.is_reusable
    assert parser.has_surplus
    assert parser.take() == b""


@pytest.mark.parametrize(
    "framing", [b"", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"]
)
@pytest.mark.parametrize("status", [b"204", b"304"])
def test_statuses_without_a_body(status: bytes, framing: bytes) -> None:
    head = b"HTTP/1.1 " + status + b" X\r\n" + framing + b"\r\n"
    assert parsed(head).is_reusable
    parser = parsed(head + b"hello")
    assert parser.is_complete
    assert not parser.is_reusable
    assert parser.take() == b""


def test_no_framing_means_until_the_end() -> None:
    parser = parsed(OK + b"Connection: keep-alive\r\n\r\n")
    assert not parser.is_complete
    parser.feed(b"hello")
    parser.feed(b"HTTP/1.1 200 OK\r\n\r\n")
    assert not parser.is_complete
    parser.feed_end()
    assert parser.is_complete
    assert not parser.is_reusable
    assert parser.take() == b"helloHTTP/1.1 200 OK\r\n\r\n"


def test_an_end_without_any_body() -> None:
    parser = parsed(OK + b"\r\n")
    parser.feed_end()
    assert parser.is_complete
    assert parser.take() == b""


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"HTTP/1.1 20",
        OK,
        OK + b"Content-Length: 5\r\n\r",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        FIVE,
        FIVE + b"hell",
        CHUNKED,
        CHUNKED + b"5",
        CHUNKED + b"5\r\nhel",
        CHUNKED + b"5\r\nhello\r\n",
        CHUNKED + b"5\r\nhello\r\n0\r\n",
        CHUNKED + b"5\r\nhello\r\n0\r\nX: y\r\n",
        CHUNKED + b"5\r\nhello\r\n0\r\nX: y\r\n\r",
    ],
)
def test_an_end_in_the_middle(start: bytes) -> None:
    parser = parsed(start)
    with pytest.raises(ConnectionLost, match="middle" if parser.has_head else "without an answer"):
        parser.feed_end()
    assert not parser.is_complete
    assert not parser.is_reusable


def test_an_end_behind_the_answer() -> None:
    parser = parsed(HELLO)
    assert parser.is_reusable
    parser.feed_end()
    assert parser.is_complete
    assert not parser.is_reusable


def test_chunks_with_extensions_and_trailers() -> None:
    body = b'5;a=b;c\r\nhello\r\n1;d="e;\\"f"\r\n \r\n005\r\nworld\r\n0;x\r\n'
    body += b"X: y\r\nSet-Cookie: a=b\r\n\r\n"
    for feed in (parsed, bytewise):
        parser = feed(CHUNKED + body)
        assert parser.take() == b"hello world"
        assert parser.is_reusable
        assert parser.headers == {"transfer-encoding": "chunked"}, "a trailer is none of them"
        assert parser.cookies == []
        assert not feed(CHUNKED + body[:-1]).is_complete


def test_what_arrives_can_be_taken_at_once() -> None:
    parser = parsed(CHUNKED + b"5\r\nhel")
    assert parser.take() == b"hel"
    assert parser.take() == b""
    parser.feed(b"lo\r\n1\r\n \r\n5\r\nwo")
    assert parser.take() == b"lo wo"


@pytest.mark.parametrize(
    "coding",
    [
        b"gzip",
        b"gzip, chunked",
        b"chunked, gzip",
        b"chunked, chunked",
        b"identity",
        b"",
        b"chunked;a=b",
    ],
)
def test_codings_that_are_refused(coding: bytes) -> None:
    for method in ("GET", "HEAD"):
        with pytest.raises(InvalidAnswer):
            parsed(OK + b"Transfer-Encoding: " + coding + b"\r\n\r\n", method)


def test_codings_in_two_fields_are_refused() -> None:
    field = b"Transfer-Encoding: chunked\r\n"
    with pytest.raises(InvalidAnswer, match="transfer coding"):
        parsed(OK + field + field + b"\r\n")


@pytest.mark.parametrize("name", [b"Transfer-Encoding", b"transfer-encoding", b"TRANSFER-ENCODING"])
@pytest.mark.parametrize("coding", [b"chunked", b"Chunked", b" CHUNKED "])
def test_chunked_in_any_case(name: bytes, coding: bytes) -> None:
    parser = parsed(OK + name + b":" + coding + b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    assert parser.take() == b"hello"
    assert parser.is_reusable


@pytest.mark.parametrize("end", [b"\t", b" \t", b"\t "])
def test_a_tab_behind_the_coding_never_makes_raw_chunks_a_body(end: bytes) -> None:
    parser = ResponseParser("GET")
    try:
        parser.feed(OK + b"Transfer-Encoding: chunked" + end + b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    except InvalidAnswer:
        assert not parser.body
    else:
        assert parser.take() == b"hello"


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 5\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: 5, 5\r\n",
        b"Content-Length: 5 5\r\n",
        b"Content-Length: -5\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: 0x5\r\n",
        b"Content-Length: 5.0\r\n",
        b"Content-Length: five\r\n",
        b"Content-Length:\r\n",
        b"Content-Length: 18446744073709551616\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ],
)
def test_lengths_that_are_refused(fields: bytes) -> None:
    for feed in (parsed, bytewise):
        with pytest.raises(InvalidAnswer):
            feed(OK + fields + b"\r\nhello")


def test_a_huge_length_is_only_never_reached() -> None:
    parser = parsed(OK + b"Content-Length: 18446744073709551615\r\n\r\nhello")
    assert parser.take() == b"hello"
    with pytest.raises(ConnectionLost):
        parser.feed_end()


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"x\r\n",
            b"-5\r\n",
            b"0x5\r\n",
            b" 5\r\n",
            b"5 \r\n",
            b"5\n",
            b"\r\n",
            b"5;\r\n",
            b"5;a\n",
        ),
        *(
            b"5\r\nhelloXX",
            b"5\r\nhello0",
            b"10000000000000000\r\n",
            b"0\r\nX y\r\n",
            b"0\r\nX: y\n",
        ),
    ],
)
def test_chunks_that_are_refused(body: bytes) -> None:
    for feed in (parsed, bytewise):
        with pytest.raises(InvalidAnswer):
            feed(CHUNKED + body + b"\r\n")


# Whether the connection may be used again


@pytest.mark.parametrize(
    ("version", "connection", "is_reusable"),
    [
        (b"1.1", None, True),
        (b"1.1", b"keep-alive", True),
        (b"1.1", b"keep-alive, Upgrade", True),
        (b"1.1", b"close", False),
        (b"1.1", b"Close", False),
        (b"1.1", b"keep-alive,close", False),
        (b"1.1", b"x,\t CLOSE ,y", False),
        (b"1.1", b"closed", True),
        (b"1.1", b"", True),
        (b"1.0", None, False),
        (b"1.0", b"Keep-Alive", True),
        (b"1.0", b"x, keep-alive", True),
        (b"1.0", b"keep-alive, close", False),
        (b"1.0", b"close", False),
    ],
)
def test_what_the_head_says_of_the_connection(
    version: bytes, connection: bytes | None, is_reusable: bool
) -> None:
    field = b"" if connection is None else b"Connection: " + connection + b"\r\n"
    parser = parsed(b"HTTP/" + version + b" 200 OK\r\n" + field + b"Content-Length: 0\r\n\r\n")
    assert parser.is_complete
    assert parser.is_reusable is is_reusable


def test_two_fields_about_the_connection() -> None:
    both = b"Connection: x\r\nconnection: close\r\n"
    assert not parsed(OK + both + b"Content-Length: 0\r\n\r\n").is_reusable


def test_chunks_in_http_1_0_end_the_connection() -> None:
    head = b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"
    parser = parsed(head + b"5\r\nhello\r\n0\r\n\r\n")
    assert parser.take() == b"hello"
    assert parser.is_complete
    assert not parser.is_reusable


ENDED = [HELLO, CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"]
BEHIND = [
    b"x",
    b"H",
    b"\x00",
    b"garbage\r\n\r\n",
    HELLO,
    CHUNKED + b"5\r\nagain\r\n0\r\n\r\n",
    OK + b"\r\nuntil the end",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"\r\n" + HELLO,
]


@pytest.mark.parametrize("answer", ENDED)
@pytest.mark.parametrize("surplus", BEHIND)
def test_bytes_behind_the_answer_spoil_the_connection_only(answer: bytes, surplus: bytes) -> None:
    together = parsed(answer + surplus)
    later = parsed(answer)
    assert later.is_reusable
    later.feed(surplus)
    for parser in (together, later, bytewise(answer + surplus)):
        assert parser.is_complete
        assert not parser.is_reusable
        assert parser.has_surplus
        assert parser.status == 200
        assert parser.take() == b"hello"


def test_a_line_end_that_comes_later_spoils_the_connection_too() -> None:
    parser = parsed(HELLO)
    parser.feed(b"\r\n")
    assert not parser.is_reusable


def test_more_than_the_length() -> None:
    parser = parsed(HELLO + b"!")
    assert parser.take() == b"hello"
    assert not parser.is_reusable


# Any bytes


class Made:
    """Everything that a parser made of bytes that came in pieces, up to where it refused them."""

    def __init__(self, method: str, pieces: list[bytes]) -> None:
        self.parser = parser = ResponseParser(method)
        self.refused = self.lost = False
        self.body = b""
        try:
            for piece in pieces:
                had = (parser.has_head, parser.is_complete)
                parser.feed(piece)
                assert had <= (parser.has_head, parser.is_complete)
                assert parser.is_complete or not parser.is_reusable
                assert parser.has_head or not (parser.body or parser.is_complete)
                self.body += parser.take()
            parser.feed_end()
        except InvalidAnswer:
            self.refused = True
            self.body += parser.take()
        except ConnectionLost:
            self.lost = True

    def all(self) -> tuple[object, ...]:
        parser = self.parser
        known = (parser.status, parser.headers, parser.cookies) if parser.has_head else ()
        return (self.refused, self.lost, self.body, known, self.refused or parser.is_complete)


@given(st.data(), anything, st.sampled_from(["GET", "HEAD"]))
def test_any_bytes_are_an_answer_or_refused_however_they_are_cut(
    data: st.DataObject, answer: bytes, method: str
) -> None:
    whole = Made(method, [answer] if answer else [])
    assert whole.refused or whole.lost or whole.parser.is_complete
    assert Made(method, data.draw(cuts(answer))).all() == whole.all()


# What is sent


def test_a_request() -> None:
    fields = field_lines([("Host", "a:1"), ("X", "\xe9\t\xff"), ("Y", "")])
    assert fields == b"Host: a:1\r\nX: \xe9\t\xff\r\nY: \r\n"
    assert request_head("POST", "/a?b", fields, 5) == (
        b"POST /a?b HTTP/1.1\r\nHost: a:1\r\nX: \xe9\t\xff\r\nY: \r\nContent-Length: 5\r\n\r\n"
    )
    assert request_head("PUT", "/", b"", None) == (
        b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    assert chunk(b"x" * 26) + last_chunk == b"1a\r\n" + b"x" * 26 + b"\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", "x"),
        ("a b", "x"),
        ("a:", "x"),
        ("a\r\n", "x"),
        ("\xe9", "x"),
        ("a", "x\r\nb: c"),
        ("a", "x\n"),
        ("a", "x\r"),
        ("a", "\x00"),
        ("a", "\x7f"),
        ("a", "\u20ac"),
    ],
)
def test_fields_that_cannot_be_sent(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="cannot be sent"):
        field_lines([(name, value)])


@pytest.mark.parametrize("target", ["", "/a b", "/a\r\nX: y", "/\xe9", "/\x00", "/\t", "/a\n"])
def test_targets_that_cannot_be_sent(target: str) -> None:
    with pytest.raises(ValueError, match="cannot be sent"):
        request_head("GET", target, b"", 0)


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=9)), max_size=3))
def test_fields_never_become_more_than_they_are(fields: list[tuple[str, str]]) -> None:
    try:
        lines = field_lines(fields)
    except ValueError:
        return
    assert lines.count(b"\r") == lines.count(b"\n") == lines.count(b"\r\n") == len(fields)
