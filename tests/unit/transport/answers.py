"""Answers by RFC 9112 for the tests of the parser, valid and spoiled, and what cuts them up."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st

_TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_VISIBLE = "".join(map(chr, [*range(0x21, 0x7F), *range(0x80, 0x100)]))
_BODILESS = (204, 304)
# What decides about the framing is generated on purpose, and nowhere else.
_FRAMING = {"connection", "content-length", "transfer-encoding", "upgrade"}

tokens = st.text(_TOKEN, min_size=1, max_size=12)
names = tokens.filter(lambda name: name.lower() not in _FRAMING)
values = st.text(_VISIBLE + " \t", max_size=20).map(lambda text: text.strip(" \t"))
fields = st.tuples(names | st.sampled_from(["Set-Cookie", "set-cookie", "Date"]), values)
padding = st.text(" \t", max_size=3)
quoted = st.text(_VISIBLE.replace('"', "").replace("\\", "") + " \t", max_size=8).map(
    lambda text: f'"{text}\\""'
)
extensions = st.tuples(tokens, st.none() | tokens | quoted)
connections = st.lists(
    st.sampled_from(["close", "Close", "keep-alive", "Keep-Alive", "x", "upgrade", "x, close"]),
    max_size=2,
)


class Answer(NamedTuple):
    """The answer to a request, as bytes.

    Attributes:
        method: Of the request.
        data: The answer itself, interim ones included.
        surplus: Bytes behind it.
        is_old: Whether it is of HTTP/1.0.
        ends: Whether nothing but the end of the connection ends it.
    """

    method: str
    data: bytes
    surplus: bytes
    is_old: bool
    ends: bool


@st.composite
def heads(draw: st.DrawFn, version: str, status: int, more: list[tuple[str, str]]) -> bytes:
    """A head that has the fields of ``more`` in any place."""
    lines = draw(st.permutations([*draw(st.lists(fields, max_size=4)), *more]))
    text = f"HTTP/{version} {status} {draw(values)}\r\n"
    for name, value in lines:
        behind = draw(padding)
        if name.lower() in _FRAMING:  # see the table of differences
            behind = behind.replace("\t", "")
        text += f"{name}:{draw(padding)}{value}{behind}\r\n"
    return f"{text}\r\n".encode("latin-1")


@st.composite
def chunked(draw: st.DrawFn) -> bytes:
    """A body in chunks, with extensions and trailers."""
    body = b""
    for piece in [*draw(st.lists(st.binary(min_size=1, max_size=40), max_size=5)), b""]:
        size = f"{len(piece):x}"
        size = draw(st.sampled_from([size, size.upper(), f"000{size}"]))
        for name, value in draw(st.lists(extensions, max_size=2)):
            size += f";{name}" if value is None else f";{name}={value}"
        body += size.encode("latin-1") + b"\r\n" + piece + (b"\r\n" if piece else b"")
    for name, value in draw(st.lists(fields, max_size=2)):
        body += f"{name}: {value}\r\n".encode("latin-1")
    return body + b"\r\n"


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """Any valid answer, and maybe bytes behind it."""
    method = draw(st.sampled_from(["GET", "POST", "HEAD"]))
    version = draw(st.sampled_from(["1.1", "1.1", "1.1", "1.0"]))
    status = draw(st.sampled_from([200, 200, 201, 205, 404, 503, 599, *_BODILESS]))
    data = b""
    if version == "1.1":
        for interim in draw(st.lists(st.sampled_from([100, 102, 103, 199]), max_size=3)):
            data += draw(heads(version, interim, []))
    body, more = b"", [("Connection", value) for value in draw(connections)]
    framings = ["length", "none"] + (["chunked"] if version == "1.1" else [])
    framing = draw(st.sampled_from(framings[1:] if status == 204 else framings))
    if framing == "length":
        body = draw(st.binary(max_size=60))
        more.append((draw(st.sampled_from(["Content-Length", "content-length"])), str(len(body))))
    elif framing == "chunked":
        body = draw(chunked())
        coding = draw(st.sampled_from(["chunked", "Chunked"]))
        more.append((draw(st.sampled_from(["Transfer-Encoding", "transfer-encoding"])), coding))
    data += draw(heads(version, status, more))
    if method == "HEAD" or status in _BODILESS:
        body = b""
    ends = framing == "none" and method != "HEAD" and status not in _BODILESS
    if ends:
        body = draw(st.binary(max_size=60))
    surplus = b"" if ends else draw(surpluses)
    return Answer(method, data + body, surplus, version == "1.0", ends)


# Line ends are another matter: see the table of differences.
surpluses = st.just(b"") | st.sampled_from(
    [
        b"H",
        b"\x00",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nagain\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ]
)

_PARTS = [
    *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 100 \r\n\r\n", b"HTTP/", b"1.1"),
    *(b"HTTP/1.1 204 \r\n", b"HTTP/1.1 304\r\n", b"HTTP/1.1 101 S\r\nUpgrade: x\r\n", b"099"),
    *(b"Content-Length: 5\r\n", b"Content-Length:", b"Content-Length: 18446744073709551616\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"chunked"),
    *(b"Connection: close\r\n", b"Connection: upgrade\r\n", b"Upgrade: h2c\r\n", b"X: y\r\n"),
    *(b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\x00", b"\xff", b" ", b"\t", b":", b";", b",", b'"'),
    *(b"hello", b"5\r\nhello\r\n", b"0\r\n\r\n", b"0\r\n", b"5;a=b\r\n", b"fffffffffffffffff\r\n"),
]


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """A valid answer of which parts are removed, repeated or replaced."""
    answer = draw(answers())
    data = answer.data + answer.surplus
    for _ in range(draw(st.integers(1, 4))):
        first, second = sorted(draw(st.tuples(*[st.integers(0, len(data))] * 2)))
        middle = draw(st.sampled_from([*_PARTS, b"", data[first:second] * 2]))
        data = data[:first] + middle + data[draw(st.sampled_from([first, second])) :]
    return data


anything = st.one_of(
    spoiled(),
    st.lists(st.sampled_from(_PARTS), max_size=20).map(b"".join),
    st.binary(max_size=200),
)
"""Any bytes at all, most of them similar to an answer."""


@st.composite
def cuts(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """The same bytes in pieces, of which none is empty."""
    if draw(st.booleans()):
        return [data[at : at + 1] for at in range(len(data))]
    places = sorted(draw(st.sets(st.integers(1, max(1, len(data) - 1)), max_size=8)))
    pieces = [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]
    return [piece for piece in pieces if piece]
