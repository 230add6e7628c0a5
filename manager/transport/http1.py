"""HTTP/1.1 without I/O: a request becomes bytes, and bytes become an answer as they arrive.

``httptools`` (llhttp, compiled) does the parsing. What it leaves to its user is done here: where
an answer ends (it does not know the request), which answers may be followed by another one on the
same connection, and how large anything may be.

Source: RFC 9112 (message syntax and framing), RFC 9110 (semantics).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from httptools import (
    HttpParserCallbackError,
    HttpParserError,
    HttpParserUpgrade,
    HttpResponseParser,
)

from manager.transport.exceptions import ConnectionLost, InvalidAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["ResponseParser", "chunk", "field_lines", "last_chunk", "request_head"]

# Sizes. Ollama's own heads have about 200 bytes in 5 lines; the limits are those of common
# servers (nginx and Apache take 8 KiB a line, Go's client 1 MiB, a head), with room for proxies.
MAX_HEAD: Final = 65_536
MAX_HEADERS: Final = 256
# Informational answers (100, 103) before the real one. One is usual; Go's client takes five.
MAX_INFORMATIONAL: Final = 16
# Bytes that may arrive in a body without being part of it: chunk sizes, extensions, trailers.
MAX_OVERHEAD: Final = 65_536

_VERSIONS = frozenset({"1.0", "1.1"})
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
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


def request_head(method: str, target: str, fields: bytes, length: int | None) -> bytes:
    """Return the head of a request, with the empty line that ends it.

    Args:
        method: The method, in capitals.
        target: The path and query, or a whole URL for a proxy.
        fields: The header fields that do not depend on the body, from ``field_lines``.
        length: The bytes of the body; None if it is sent in chunks.

    Source: RFC 9112 sections 3 and 6.
    """
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return b"%b %b HTTP/1.1\r\n%b%b\r\n\r\n" % (
        method.encode("ascii"),
        target.encode("ascii"),
        fields,
        framing.encode("ascii"),
    )


def chunk(data: bytes) -> bytes:
    """Return a piece of a body that is sent in chunks; it must not be empty."""
    return b"%x\r\n%b\r\n" % (len(data), data)


last_chunk: Final = b"0\r\n\r\n"


class ResponseParser:
    """Parses one answer. A new one is made for each request.

    Args:
        method: The method of the request: an answer to HEAD has no body.

    Attributes:
        body: The pieces of the body that have arrived and were not taken. Appended to by the
            parser itself, without Python code in between: what a signal handler raises there
            would be swallowed.
    """

    __slots__ = ("_answer", "_head_size", "_overhead", "_parser", "body")

    def __init__(self, method: str) -> None:
        self.body: list[bytes] = []
        self._answer = _Answer(method, self.body)
        self._parser = HttpResponseParser(self._answer)
        self._answer.read_status = self._parser.get_status_code
        self._answer.read_version = self._parser.get_http_version
        self._head_size = 0
        self._overhead = 0

    @property
    def has_head(self) -> bool:
        """Whether the head of the answer is complete; informational ones do not count."""
        return self._answer.has_head

    @property
    def is_complete(self) -> bool:
        """Whether the whole answer has arrived."""
        return self._answer.is_complete

    @property
    def is_reusable(self) -> bool:
        """Whether the connection may carry another request after this complete answer."""
        answer = self._answer
        return answer.is_complete and answer.keeps_alive and not answer.has_surplus

    @property
    def status(self) -> int:
        """The status; 0 before the head is complete."""
        return self._answer.status

    @property
    def headers(self) -> dict[str, str]:
        """The header fields by lower-case name; equal names joined by a comma."""
        return self._answer.headers

    @property
    def cookies(self) -> list[str]:
        """The values of the fields ``Set-Cookie``, which must not be joined."""
        return self._answer.cookies

    def feed(self, data: bytes | memoryview) -> None:
        """Take in bytes that arrived.

        Raises:
            InvalidAnswer: They are not an answer of HTTP/1.1, or too large a one.
        """
        answer, pieces = self._answer, len(self.body)
        try:
            self._parser.feed_data(data)
        except HttpParserCallbackError as error:
            cause = error.__context__
            if cause is None:
                raise InvalidAnswer(str(error)) from error
            raise cause from None  # InvalidAnswer of ours, or what a signal handler raised
        except HttpParserUpgrade:
            raise InvalidAnswer("the server switched to another protocol") from None
        except HttpParserError as error:
            # what follows a complete answer spoils the connection, not the answer
            if not answer.is_complete:
                raise InvalidAnswer(f"this is not HTTP/1.1: {error}") from error
            answer.has_surplus = True
        if answer.is_complete:
            self._finish()
        elif not answer.has_head:
            self._head_size += len(data)
            if self._head_size > MAX_HEAD:
                raise InvalidAnswer(f"the head of the answer has more than {MAX_HEAD} bytes")
        elif len(self.body) > pieces:
            self._overhead = 0
        else:
            self._overhead += len(data)
            if self._overhead > MAX_OVERHEAD:
                raise InvalidAnswer(f"more than {MAX_OVERHEAD} bytes came between two chunks")

    def feed_end(self) -> None:
        """Take in that the server has ended the connection.

        Raises:
            ConnectionLost: The answer is not complete.
        """
        answer = self._answer
        if answer.is_complete:
            answer.has_surplus = True  # nothing can follow
            return
        if not answer.has_head:
            raise ConnectionLost("the server ended the connection without an answer")
        if not answer.ends_with_connection:
            raise ConnectionLost("the server ended the connection in the middle of the answer")
        answer.is_complete = True
        self._finish()

    def take(self) -> bytes:
        """Return what has arrived of the body since the last call; maybe nothing."""
        body = self.body
        if len(body) == 1:
            return body.pop()
        taken = b"".join(body)
        body.clear()
        return taken

    def _finish(self) -> None:
        answer = self._answer
        if answer.pieces is not None and len(self.body) > answer.pieces:
            del self.body[answer.pieces :]
            answer.has_surplus = True
        # the parser refers to the answer: without these there is no cycle left to collect
        answer.read_status = answer.read_version = None


class _Answer:
    """What ``httptools`` reports of an answer; it does not know the parser that reports."""

    __slots__ = (
        "_body",
        "_fields",
        "_informational",
        "_is_head_request",
        "cookies",
        "ends_with_connection",
        "has_head",
        "has_surplus",
        "headers",
        "is_complete",
        "keeps_alive",
        "on_body",
        "pieces",
        "read_status",
        "read_version",
        "status",
    )

    def __init__(self, method: str, body: list[bytes]) -> None:
        self._body = body
        self.on_body: Callable[[bytes], None] = body.append
        self.read_status: Callable[[], int] | None = None
        self.read_version: Callable[[], str] | None = None
        self.status = 0
        self.headers: dict[str, str] = {}
        self.cookies: list[str] = []
        self.has_head = False
        self.is_complete = False
        self.keeps_alive = False
        self.ends_with_connection = False
        self.has_surplus = False  # bytes behind the answer
        self.pieces: int | None = None  # of the body, when it was complete
        self._fields: list[tuple[bytes, bytes]] = []
        self._informational = 0
        self._is_head_request = method == "HEAD"

    def on_message_begin(self) -> None:
        if self.is_complete:
            self.has_surplus = True
        elif not self.has_head:
            self._fields = []

    def on_header(self, name: bytes, value: bytes | None) -> None:
        if self.has_head:  # of a trailer, which says nothing that is needed
            return
        self._fields.append((name, value or b""))
        if len(self._fields) > MAX_HEADERS:
            raise InvalidAnswer(f"the answer has more than {MAX_HEADERS} header fields")

    def on_headers_complete(self) -> None:
        if self.has_head or self.read_status is None or self.read_version is None:
            return
        status = self.read_status()
        if status == 101 or (version := self.read_version()) not in _VERSIONS:
            raise InvalidAnswer(
                "the server switched to another protocol"
                if status == 101
                else f"the answer is of HTTP/{version}"
            )
        if status < 200:
            self._informational += 1
            if self._informational > MAX_INFORMATIONAL:
                raise InvalidAnswer(f"more than {MAX_INFORMATIONAL} informational answers")
            return
        self.status = status
        self._read_fields(version)
        self.has_head = True
        if self._is_head_request:  # the parser takes what follows for the body
            self._complete(0)

    def on_message_complete(self) -> None:
        if self.has_head and not self.is_complete:
            self._complete(None)

    def _complete(self, pieces: int | None) -> None:
        self.is_complete = True
        self.pieces = len(self._body) if pieces is None else pieces

    def _read_fields(self, version: str) -> None:
        headers = self.headers
        for raw_name, raw_value in self._fields:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1").strip()
            if name == "set-cookie":
                self.cookies.append(value)
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        self._fields = []
        options = {word.strip().lower() for word in headers.get("connection", "").split(",")}
        self.keeps_alive = "close" not in options if version == "1.1" else "keep-alive" in options
        coding = headers.get("transfer-encoding")
        if coding is not None and coding.lower() != "chunked":
            raise InvalidAnswer(f"the transfer coding {coding[:40]!r} is not known")
        self.ends_with_connection = coding is None and "content-length" not in headers
        if self.ends_with_connection:
            self.keeps_alive = self.keeps_alive and (
                self._is_head_request or self.status in (204, 304)
            )
