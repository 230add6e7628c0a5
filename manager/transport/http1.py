"""HTTP/1.1 without I/O: a request becomes bytes, and bytes become an answer as they arrive.

``httptools`` (llhttp, compiled) does the parsing. What it leaves to its user is done here: where
an answer ends (it does not know the request), which answers may be followed by another one on the
same connection, and how large anything may be.

Source: RFC 9112 (message syntax and framing), RFC 9110 (semantics).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from manager.transport.exceptions import ConnectionLost, InvalidAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["ResponseParser", "chunk", "field_lines", "last_chunk", "request_head", "request_line"]

# Sizes. Ollama's own heads have about 200 bytes in 5 lines; the limits are those of common
# servers (nginx and Apache take 8 KiB a line, Go's client 1 MiB, a head), with room for proxies.
MAX_HEAD: Final = 65_536
MAX_HEADERS: Final = 256
# Informational answers (100, 103) before the real one. One is usual; Go's client takes five.
MAX_INFORMATIONAL: Final = 16
# Bytes that may arrive in a body without being part of it: chunk sizes, extensions, trailers.
MAX_OVERHEAD: Final = 65_536

_VERSIONS = frozenset({"1.0", "1.1"})
_FRAMING = frozenset({"content-length", "transfer-encoding"})
_BODILESS = frozenset({204, 304})
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET = re.compile(r"[\x21-\x7e]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def field_lines(headers: Iterable[tuple[str, str]]) -> bytes:
    """Return header fields as they are sent, each with its line end.

    Args:
        headers: Names and values.

    Raises:
        ValueError: A name or value would break the message, such as one with a line end.

    Source: RFC 9110 section 5.
    """
    lines: list[str] = []
    for name, value in headers:
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError(f"the header {name!r} has characters that cannot be sent")
        lines.append(f"{name}: {value}\r\n")
    return "".join(lines).encode("latin-1")


def request_line(method: str, target: str) -> bytes:
    """Return the first line of a request.

    Args:
        method: The method, in capitals.
        target: The path and query, a whole URL for a proxy, or ``host:port`` for a tunnel.

    Raises:
        ValueError: The target would break the message, such as one with a space.

    Source: RFC 9112 section 3.
    """
    if not _TARGET.fullmatch(target):
        raise ValueError("the target of the request has characters that cannot be sent")
    return f"{method} {target} HTTP/1.1\r\n".encode("ascii")


def request_head(method: str, target: str, fields: bytes, length: int | None) -> bytes:
    """Return the head of a request, with the empty line that ends it.

    Args:
        method: The method, in capitals.
        target: The path and query, or a whole URL for a proxy.
        fields: The header fields that do not depend on the body, from ``field_lines``.
        length: The bytes of the body; None if it is sent in chunks.

    Raises:
        ValueError: The target would break the message.

    Source: RFC 9112 section 6.
    """
    framing = b"Transfer-Encoding: chunked" if length is None else b"Content-Length: %d" % length
    return b"%b%b%b\r\n\r\n" % (request_line(method, target), fields, framing)


def chunk(data: bytes) -> bytes:
    """Return a piece of a body that is sent in chunks; it must not be empty."""
    return b"%x\r\n%b\r\n" % (len(data), data)


last_chunk: Final = b"0\r\n\r\n"


class ResponseParser:
    """Parses one answer. A new one is made for each request; one that has failed is of no use.

    Args:
        method: The method of the request: an answer to HEAD has no body.

    Attributes:
        body: The pieces of the body that have arrived and were not taken; always the same list.
        has_head: Whether the head of the answer is complete; informational ones do not count.
        status: The status; 0 before the head is complete.
        headers: The header fields by lower-case name; equal names joined by a comma.
        cookies: The values of the fields ``Set-Cookie``, which must not be joined.
        has_surplus: Whether bytes were found behind the answer. Line ends that arrive together
            with the end of the answer are not noticed.
        is_reusable: Whether the connection may carry another request. Set last, so that it is
            False where an exception of a signal handler interrupted the parsing.
    """

    __slots__ = (
        "_ends_with_connection",
        "_head",
        "_informational",
        "_is_head_request",
        "_keeps_alive",
        "_overhead",
        "_parser",
        "_steps",
        "body",
        "cookies",
        "has_head",
        "has_surplus",
        "headers",
        "is_reusable",
        "status",
    )

    def __init__(self, method: str) -> None:
        self.body: list[bytes] = []
        self.has_head: bool = False
        self.status: int = 0
        self.headers: dict[str, str] = {}
        self.cookies: list[str] = []
        self.has_surplus: bool = False
        self.is_reusable: bool = False
        self._is_head_request = method == "HEAD"
        self._head = bytearray()
        self._informational = 0
        self._overhead = 0
        self._keeps_alive = False
        self._ends_with_connection = False
        self._begin()

    def _begin(self) -> None:
        # What is left to happen: begin, end of the head, end. Nothing is left for a second
        # answer, so the parser stops with an error where one begins.
        self._steps = [None, None, None]
        self._parser = HttpResponseParser(_Callbacks(self._steps.pop, self.body.append))

    @property
    def is_complete(self) -> bool:
        """Whether the whole answer has arrived."""
        return self.has_head and not self._steps

    def feed(self, data: bytes | memoryview) -> None:
        """Take in bytes that arrived.

        Raises:
            InvalidAnswer: They are not an answer of HTTP/1.1, or too large a one.
        """
        if not self.has_head:
            data = self._feed_head(data)
        if not data:
            return
        steps, body = self._steps, self.body
        if not steps:
            self._note_surplus()
            return
        pieces = len(body)
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            if steps:
                raise InvalidAnswer(f"this is not HTTP/1.1: {error}") from error
            self._note_surplus()
            return
        if steps and len(body) > pieces:
            self._overhead = 0
        elif not steps:
            self.is_reusable = self._keeps_alive
        else:
            self._overhead += len(data)
            if self._overhead > MAX_OVERHEAD:
                raise InvalidAnswer(f"more than {MAX_OVERHEAD} bytes came between two chunks")

    def feed_end(self) -> None:
        """Take in that the server has ended the connection.

        Raises:
            ConnectionLost: The answer is not complete.
        """
        self.is_reusable = False
        if not self._steps:
            return
        if not self.has_head:
            raise ConnectionLost("the server ended the connection without an answer")
        if not self._ends_with_connection:
            raise ConnectionLost("the server ended the connection in the middle of the answer")
        self._steps.clear()

    def take(self) -> bytes:
        """Return what has arrived of the body since the last call; maybe nothing."""
        body = self.body
        if len(body) == 1:
            return body.pop()
        taken = b"".join(body)
        body.clear()
        return taken

    def _note_surplus(self) -> None:
        # what follows a complete answer spoils the connection, not the answer
        self.is_reusable = False
        self.has_surplus = True

    def _feed_head(self, data: bytes | memoryview) -> bytes | memoryview:
        """Take in bytes up to the end of the head, and return those behind it."""
        head = self._head
        while data and not self.has_head:
            known = len(head)
            head += data[: MAX_HEAD + 1 - known]
            if head[0] in b"\r\n":
                raise InvalidAnswer("this is not HTTP/1.1: the status line is empty")
            end = head.find(b"\r\n\r\n", max(known - 3, 0))
            if end < 0 and len(head) > MAX_HEAD:
                raise InvalidAnswer(f"the head of the answer has more than {MAX_HEAD} bytes")
            piece = data if end < 0 else data[: end + 4 - known]
            self._parse_head(piece)
            # both see the same end, or one of them is mistaken
            if (end < 0) is (len(self._steps) < 2):
                raise InvalidAnswer("this is not HTTP/1.1: a line of the head has no proper end")
            if end >= 0:
                self._end_head(head[:end].decode("latin-1"))
            data = data[len(piece) :]
        return data

    def _parse_head(self, piece: bytes | memoryview) -> None:
        try:
            self._parser.feed_data(piece)
        except (HttpParserError, HttpParserUpgrade) as error:
            if self._parser.get_status_code() == 101:
                raise InvalidAnswer("the server switched to another protocol") from None
            raise InvalidAnswer(f"this is not HTTP/1.1: {error}") from error

    def _end_head(self, head: str) -> None:
        self._head.clear()
        status_line, *lines = head.split("\r\n")
        version = status_line[5:8]
        if version not in _VERSIONS:
            raise InvalidAnswer(f"the answer is of HTTP/{version}")
        if len(lines) > MAX_HEADERS:
            raise InvalidAnswer(f"the answer has more than {MAX_HEADERS} header fields")
        status = self._parser.get_status_code()
        if status < 100:
            raise InvalidAnswer(f"the answer has the status {status:03}")
        if status < 200:
            self._informational += 1
            if self._informational > MAX_INFORMATIONAL:
                raise InvalidAnswer(f"more than {MAX_INFORMATIONAL} informational answers")
            self._begin()
            return
        self._read_fields(lines)
        self._decide_framing(status, version)
        self.status = status
        self.has_head = True
        if not self._steps:
            self.is_reusable = self._keeps_alive

    def _read_fields(self, lines: list[str]) -> None:
        headers = self.headers
        for line in lines:
            name, _, value = line.partition(":")
            name, value = name.lower(), value.strip(" \t")
            if name == "set-cookie":
                self.cookies.append(value)
            elif name in _FRAMING and line.rstrip(" ").endswith("\t"):
                # the parser takes "chunked" with a tab behind it for an unknown coding
                raise InvalidAnswer(f"this is not HTTP/1.1: a tab follows the {name}")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value

    def _decide_framing(self, status: int, version: str) -> None:
        headers = self.headers
        coding = headers.get("transfer-encoding")
        if coding is not None and coding.lower() != "chunked":
            raise InvalidAnswer(f"the transfer coding {coding[:40]!r} is not known")
        is_new = version == "1.1"
        options = _options(headers["connection"]) if "connection" in headers else ()
        self._keeps_alive = "close" not in options and (is_new or "keep-alive" in options)
        if self._is_head_request or status in _BODILESS:  # the parser does not know the request
            self._steps.clear()
        elif coding is None and "content-length" not in headers:
            self._ends_with_connection = True
            self._keeps_alive = False
        elif coding is not None and not is_new:  # faulty framing, by RFC 9112 section 6.1
            self._keeps_alive = False


def _options(connection: str) -> set[str]:
    return {word.strip(" \t").lower() for word in connection.split(",")}


class _Callbacks:
    """What ``httptools`` calls: all of it C code, in which no signal handler runs.

    What a signal handler raises in a callback in Python is lost: ``httptools`` catches it, and the
    context of the error that it raises instead is another exception where one is being handled.

    Args:
        advance: Removes one of the things that are left to happen.
        on_body: Takes in a piece of the body.
    """

    __slots__ = ("on_body", "on_headers_complete", "on_message_begin", "on_message_complete")

    def __init__(self, advance: Callable[[], None], on_body: Callable[[bytes], None]) -> None:
        self.on_message_begin = advance
        self.on_headers_complete = advance
        self.on_message_complete = advance
        self.on_body = on_body
