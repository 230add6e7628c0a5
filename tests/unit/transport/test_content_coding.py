"""What a proxy compressed is decompressed, however it is cut; what is damaged is an error."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.transport.content_coding import decoder_for
from manager.transport.exceptions import InvalidEncoding

from .answers import cuts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from manager.transport.content_coding import Decoder

TEXT = b'{"response": "hello"}\n' * 20


def raw(data: bytes) -> bytes:
    """The deflate format without the header of zlib, as many servers send it."""
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflate.compress(data) + deflate.flush()


def stored(data: bytes) -> bytes:
    deflate = zlib.compressobj(0, wbits=-zlib.MAX_WBITS)
    return deflate.compress(data) + deflate.flush()


COMPRESS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw),
    "raw deflate, stored": ("deflate", stored),
}
kinds = pytest.mark.parametrize("kind", COMPRESS)


def decoder(coding: str) -> Decoder:
    found = decoder_for(coding)
    assert found is not None
    return found


def decoded(coding: str, pieces: Iterable[bytes]) -> bytes:
    this = decoder(coding)
    return b"".join([this.feed(piece) for piece in pieces]) + this.finish()


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


@kinds
def test_whole_and_in_single_bytes(kind: str) -> None:
    coding, compress = COMPRESS[kind]
    for text in (b"", b"x", TEXT):
        data = compress(text)
        assert decoded(coding, [data]) == text
        assert decoded(coding, bytewise(data)) == text
        assert decoded(coding, [b"", data, b""]) == text


@given(st.data(), st.sampled_from(list(COMPRESS)), st.binary(max_size=200))
def test_anything_in_any_pieces(data: st.DataObject, kind: str, text: bytes) -> None:
    coding, compress = COMPRESS[kind]
    assert decoded(coding, data.draw(cuts(compress(text)))) == text


@kinds
def test_what_was_flushed_is_there_at_once(kind: str) -> None:
    """Each line of a stream, if the proxy flushes."""
    coding = COMPRESS[kind][0]
    bits = {"gzip": 31, "x-gzip": 31, "deflate": 15}.get(kind, -15)
    compress, this = zlib.compressobj(wbits=bits), decoder(coding)
    for number in range(5):
        line = b"line %d\n" % number
        data = compress.compress(line) + compress.flush(zlib.Z_SYNC_FLUSH)
        assert this.feed(data) == line
    assert this.feed(compress.flush()) + this.finish() == b""


@kinds
def test_an_answer_that_ends_too_early(kind: str) -> None:
    coding, compress = COMPRESS[kind]
    data = compress(TEXT)
    for size in range(1, len(data)):
        with pytest.raises(InvalidEncoding, match="too early"):
            decoded(coding, [data[:size]])
        with pytest.raises(InvalidEncoding, match="too early"):
            decoded(coding, bytewise(data[:size]))


@kinds
def test_an_empty_answer(kind: str) -> None:
    """To HEAD, say: it is compressed by its head only."""
    assert decoded(COMPRESS[kind][0], []) == b""
    assert decoded(COMPRESS[kind][0], [b""]) == b""


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_damage(coding: str) -> None:
    data = bytearray(COMPRESS[coding][1](TEXT))
    data[-2] ^= 1  # of the checksum
    with pytest.raises(InvalidEncoding):
        decoded(coding, [bytes(data)])
    for garbage in (TEXT, b"\xff" * 20, b"\x1f\x8b\xff" + b"x" * 20):
        with pytest.raises(InvalidEncoding):
            decoded(coding, [garbage])
        with pytest.raises(InvalidEncoding):
            decoded(coding, bytewise(garbage))


@given(st.data(), st.sampled_from(["gzip", "deflate"]), st.binary(max_size=60))
def test_any_bytes_are_decoded_or_an_error_however_they_are_cut(
    data: st.DataObject, coding: str, text: bytes
) -> None:
    def outcome(pieces: list[bytes]) -> bytes | None:
        try:
            return decoded(coding, pieces)
        except InvalidEncoding:
            return None

    middle = data.draw(st.integers(0, len(text)))
    spoiled = text[:middle] + COMPRESS[coding][1](text) + text[middle:]
    for damaged in (text, spoiled, COMPRESS[coding][1](text) + text):
        assert outcome(data.draw(cuts(damaged)) if damaged else []) == outcome([damaged])


def test_members_of_gzip_are_joined() -> None:
    """RFC 1952 section 2.2; some proxies flush by ending a member."""
    data = gzip.compress(b"hello") + gzip.compress(b"") + gzip.compress(b" world")
    assert decoded("gzip", [data]) == b"hello world"
    assert decoded("gzip", bytewise(data)) == b"hello world"
    for size in range(len(gzip.compress(b"hello")) + 1, len(data)):
        if size == len(gzip.compress(b"hello") + gzip.compress(b"")):
            continue
        with pytest.raises(InvalidEncoding, match="too early"):
            decoded("gzip", [data[:size]])


@kinds
def test_bytes_behind_what_is_compressed(kind: str) -> None:
    """They would be lost without a word, or belong to another answer."""
    coding, compress = COMPRESS[kind]
    data = compress(TEXT)
    for surplus in (b"x", b"{}\n", b"\x00"):
        for pieces in ([data + surplus], [data, surplus], bytewise(data + surplus)):
            with pytest.raises(InvalidEncoding):
                decoded(coding, pieces)


def test_codings() -> None:
    for nothing in (None, "", "identity", " Identity "):
        assert decoder_for(nothing) is None
    for known in ("gzip", " GZIP\t", "x-gzip", "X-GZip", "deflate"):
        assert decoder_for(known) is not None
    for unknown in ("br", "zstd", "gzip, gzip", "gzip, identity", "compress", "\u0130dentity"):
        with pytest.raises(InvalidEncoding, match="is not known"):
            decoder_for(unknown)
