"""Undoes the compression that a proxy put on an answer, although none was asked for.

Source: RFC 9110 section 8.4, RFC 1950 (zlib), RFC 1952 (gzip).
"""

from __future__ import annotations

import zlib
from typing import Final

from manager.transport.exceptions import InvalidEncoding

__all__ = ["Decoder", "decoder_for"]

_GZIP: Final = 16 + zlib.MAX_WBITS
_KNOWN: Final = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": zlib.MAX_WBITS}
# At the end of each member of gzip the rest of what was fed is copied: let it be little.
_PIECE: Final = 16_384


class Decoder:
    """Decompresses a body piece by piece.

    Args:
        coding: ``gzip``, ``x-gzip`` or ``deflate``.
    """

    def __init__(self, coding: str) -> None:
        self._bits = _KNOWN[coding]
        self._inflate = zlib.decompressobj(self._bits)
        self._has_begun = False
        # of deflate: what came before its format was known
        self._start: bytes | None = b"" if coding == "deflate" else None

    def feed(self, data: bytes) -> bytes:
        """Return what ``data`` decompresses to; maybe nothing yet.

        Raises:
            InvalidEncoding: It is damaged.
        """
        pieces = [data[at : at + _PIECE] for at in range(0, len(data), _PIECE)]
        try:
            return b"".join([self._decompress(piece) for piece in pieces])
        except zlib.error as error:
            raise InvalidEncoding(f"the compressed answer is damaged: {error}") from error

    def finish(self) -> bytes:
        """Return what is left at the end of the body.

        Raises:
            InvalidEncoding: The end is missing.
        """
        if self._has_begun and not self._inflate.eof:
            raise InvalidEncoding("the compressed answer ends too early")
        return self._inflate.flush()

    def _decompress(self, data: bytes) -> bytes:
        self._has_begun = True
        if self._start is not None:
            self._start += data
            if len(self._start) < 2:
                return b""
            data, self._start = self._start, None
            if not _has_zlib_header(data):
                # many servers leave it out, against RFC 9110 section 8.4.1.2
                self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        decompressed: list[bytes] = []
        while data:
            if self._inflate.eof:
                if self._bits != _GZIP:
                    raise InvalidEncoding("bytes follow the compressed answer")
                self._inflate = zlib.decompressobj(_GZIP)  # the next member: RFC 1952 section 2.2
            decompressed.append(self._inflate.decompress(data))
            data = self._inflate.unused_data
        return b"".join(decompressed)


def _has_zlib_header(data: bytes) -> bool:
    return data[0] & 15 == zlib.DEFLATED and int.from_bytes(data[:2], "big") % 31 == 0


def decoder_for(coding: str | None) -> Decoder | None:
    """Return what undoes a content coding, None where there is nothing to undo.

    Args:
        coding: The value of ``Content-Encoding``, if there is one.

    Raises:
        InvalidEncoding: The coding is not known.
    """
    coding = (coding or "identity").strip(" \t").lower()
    if coding in ("identity", ""):
        return None
    if coding not in _KNOWN:
        raise InvalidEncoding(f"the content coding {coding[:40]!r} is not known")
    return Decoder(coding)
