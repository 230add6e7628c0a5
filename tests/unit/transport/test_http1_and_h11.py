"""The parser next to h11: the same answers, as early, with the same end; and where they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.transport.exceptions import ConnectionLost, InvalidAnswer
from manager.transport.http1 import ResponseParser

from .answers import answers, anything, cuts

if TYPE_CHECKING:
    from .answers import Answer

_MAX = 1_000_000  # h11's own limit is smaller than ours, and not what is compared


class Seen(NamedTuple):
    """What a parser has made of the bytes so far."""

    status: int
    headers: dict[str, str]
    body: bytes
    is_complete: bool
    is_reusable: bool


class Ours:
    def __init__(self, method: str) -> None:
        self.parser = ResponseParser(method)
        self.body = b""

    def feed(self, data: bytes) -> Seen | None:
        """Return what is known by now; None if the answer was refused."""
        try:
            self.parser.feed(data) if data else self.parser.feed_end()
        except (InvalidAnswer, ConnectionLost):
            return None
        parser = self.parser
        self.body += parser.take()
        assert parser.has_head is (parser.status > 0)
        headers = dict(parser.headers)
        if "transfer-encoding" in headers:  # as h11 has it
            headers["transfer-encoding"] = headers["transfer-encoding"].lower()
        return Seen(parser.status, headers, self.body, parser.is_complete, parser.is_reusable)


class Theirs:
    def __init__(self, method: str) -> None:
        self.connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX)
        self.connection.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
        self.connection.send(h11.EndOfMessage())
        self.status, self.body, self.is_complete = 0, b"", False
        self.headers: dict[str, str] = {}
        self.is_old = False

    def feed(self, data: bytes) -> Seen | None:
        """Return what is known by now; None if the answer was refused."""
        self.connection.receive_data(data)
        try:
            while not self.is_complete:
                event = self.connection.next_event()
                if event is h11.NEED_DATA or event is h11.PAUSED:
                    break
                self.note(event)
        except h11.RemoteProtocolError:
            return None
        return Seen(self.status, self.headers, self.body, self.is_complete, self.is_reusable())

    def note(self, event: object) -> None:
        if isinstance(event, h11.Response):
            self.status, self.is_old = event.status_code, event.http_version == b"1.0"
            for raw_name, raw_value in event.headers:
                name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
                known = self.headers.get(name)
                self.headers[name] = value if known is None else f"{known}, {value}"
        elif isinstance(event, h11.Data):
            self.body += event.data
        elif isinstance(event, h11.EndOfMessage):
            self.is_complete = True

    def is_reusable(self) -> bool:
        return self.connection.their_state is h11.DONE and self.connection.trailing_data == (
            b"",
            False,
        )

    def would_be_reusable(self) -> bool:
        """The same, if it took connections of HTTP/1.0 for reusable as we do."""
        if not self.is_old:
            return self.is_reusable()
        options = {word.strip().lower() for word in self.headers.get("connection", "").split(",")}
        keeps = "keep-alive" in options and "close" not in options
        return self.is_complete and keeps and self.connection.trailing_data == (b"", False)


@given(st.data())
def test_any_valid_answer_in_any_pieces(data: st.DataObject) -> None:
    answer: Answer = data.draw(answers())
    pieces: list[bytes] = data.draw(cuts(answer.data + answer.surplus))
    if answer.ends:
        pieces.append(b"")
    ours, theirs = Ours(answer.method), Theirs(answer.method)
    for piece in pieces:
        expected = theirs.feed(piece)
        assert expected is not None
        if not answer.ends:
            expected = expected._replace(is_reusable=theirs.would_be_reusable())
        assert ours.feed(piece) == expected
    assert ours.parser.is_complete
    assert not ours.parser.is_reusable or not answer.surplus


@given(st.data())
def test_a_connection_that_ends_too_early(data: st.DataObject) -> None:
    answer: Answer = data.draw(answers())
    start = answer.data[: data.draw(st.integers(0, len(answer.data) - 1))]
    ours, theirs = Ours(answer.method), Theirs(answer.method)
    if start:
        assert (ours.feed(start) is None) is (theirs.feed(start) is None)
    assert theirs.is_complete is ours.parser.is_complete
    assert ours.feed(b"") == theirs.feed(b"")


@given(anything)
def test_where_both_take_invalid_bytes_for_an_answer_it_is_the_same_one(data: bytes) -> None:
    ours, theirs = Ours("GET").feed(data), Theirs("GET").feed(data)
    if ours is not None and theirs is not None and ours.is_complete and theirs.is_complete:
        assert ours[:3] == theirs[:3]


_OK = "HTTP/1.1 200 OK\r\n"
_LENGTH = "Content-Length: 5\r\n"
_PLAIN = f"{_LENGTH}\r\nhello"
_CHUNKED = f"{_OK}Transfer-Encoding: chunked\r\n\r\n"

# What is made of an answer: status, body, whether it is complete and the connection reusable.
Made = tuple[int, bytes, bool, bool]
_GOOD: Made = (200, b"hello", True, True)
_LAST: Made = (200, b"hello", True, False)

# The whole of it; what else is valid, both take for the same. First what we refuse, because
# somebody on the way may understand it differently; then what we take. None: refused.
DIFFERENCES: dict[str, tuple[str, Made | None, Made | None]] = {
    "equal lengths": (f"{_OK}{_LENGTH}{_PLAIN}", None, _GOOD),
    "a list of equal lengths": (f"{_OK}Content-Length: 5, 5\r\n\r\nhello", None, _GOOD),
    "a length and chunks": (
        f"{_OK}{_LENGTH}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        None,
        _GOOD,
    ),
    "a length of more than 64 bits": (
        f"{_OK}Content-Length: 18446744073709551616\r\n\r\nhello",
        None,
        (200, b"hello", False, False),
    ),
    "a length in a trailer": (f"{_CHUNKED}5\r\nhello\r\n0\r\n{_LENGTH}\r\n", None, _GOOD),
    "LF behind the status": (f"HTTP/1.1 200 OK\n{_PLAIN}", None, _GOOD),
    "LF behind a field": (f"{_OK}X: y\n{_PLAIN}", None, _GOOD),
    "LF behind the head": (f"{_OK}Content-Length: 5\r\n\nhello", None, _GOOD),
    "LF behind a trailer": (f"{_CHUNKED}5\r\nhello\r\n0\r\nX: y\n\r\n", None, _GOOD),
    "LF behind a chunk size": (f"{_CHUNKED}5\n", None, (200, b"", False, False)),
    "a folded field": (f"{_OK}X: y\r\n z\r\n{_PLAIN}", None, _GOOD),
    "a folded trailer": (f"{_CHUNKED}5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n", None, _GOOD),
    "a control character": (f"{_OK}X: a\x01b\r\n{_PLAIN}", None, _GOOD),
    "DEL": (f"{_OK}X: a\x7fb\r\n{_PLAIN}", None, _GOOD),
    "a chunk size of more than 64 bits": (
        f"{_CHUNKED}10000000000000000\r\nhello",
        None,
        (200, b"hello", False, False),
    ),
    "space behind a chunk size": (f"{_CHUNKED}5 \r\nhello\r\n0\r\n\r\n", None, _GOOD),
    "space behind a chunk extension": (
        f'{_CHUNKED}5;a="b" \r\nhello\r\n0\r\n\r\n',
        None,
        _GOOD,
    ),
    "an empty chunk extension": (f"{_CHUNKED}5;\r\nhello\r\n0\r\n\r\n", None, _GOOD),
    "a strange chunk extension": (f"{_CHUNKED}5;\xe9\r\nhello\r\n0\r\n\r\n", None, _GOOD),
    "a tab behind the coding": (
        f"{_OK}Transfer-Encoding: chunked\t\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        None,
        _GOOD,
    ),
    "a tab behind the length": (f"{_OK}Content-Length: 5\t\r\n\r\nhello", None, _GOOD),
    "HTTP/2.0": (f"HTTP/2.0 200 OK\r\n{_PLAIN}", None, _GOOD),
    "HTTP/1.2": (f"HTTP/1.2 200 OK\r\n{_PLAIN}", None, _GOOD),
    "HTTP/0.9": (f"HTTP/0.9 200 OK\r\n{_PLAIN}", None, _LAST),
    "keep-alive in HTTP/1.0": (
        f"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n{_PLAIN}",
        _GOOD,
        _LAST,
    ),
    "a control character in the reason": (f"HTTP/1.1 200 \x00\r\n{_PLAIN}", _GOOD, None),
    "a length with many zeros": (
        f"{_OK}Content-Length: 000000000000000000005\r\n\r\nhello",
        _GOOD,
        None,
    ),
    "a chunk size with many zeros": (
        f"{_CHUNKED}000000000000000000005\r\nhello\r\n0\r\n\r\n",
        _GOOD,
        None,
    ),
    "a coding of an interim answer": (
        f"HTTP/1.1 103 X\r\nTransfer-Encoding: gzip\r\n\r\n{_OK}{_PLAIN}",
        _GOOD,
        None,
    ),
    "a coding in a trailer": (
        f"{_CHUNKED}5\r\nhello\r\n0\r\nTransfer-Encoding: gzip\r\n\r\n",
        _GOOD,
        None,
    ),
    "a line end behind the body": (f"{_OK}{_PLAIN}\r\n", _GOOD, _LAST),
    "a line end behind the chunks": (
        f"{_CHUNKED}5\r\nhello\r\n0\r\n\r\n\r\n",
        _GOOD,
        _LAST,
    ),
}


def made(seen: Seen | None) -> Made | None:
    return None if seen is None else (seen.status, *seen[2:])


@pytest.mark.parametrize("name", DIFFERENCES)
def test_where_they_differ(name: str) -> None:
    text, ours, theirs = DIFFERENCES[name]
    assert ours != theirs
    assert made(Ours("GET").feed(text.encode("latin-1"))) == ours
    assert made(Theirs("GET").feed(text.encode("latin-1"))) == theirs
