"""Undoes the compression that a proxy put on an answer, although none was asked for.

Source: RFC 9110 section 8.4.
"""

from __future__ import annotations

import zlib
from typing import Final

from manager.transport.exceptions import InvalidEncoding

__all__ = ["Decoder", "decoder_for"]

_GZIP: Final = 16 + zlib.MAX_WBITS
_KNOWN: Final = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": zlib.MAX_WBITS}


class Decoder:
    """Decompresses a body piece by piece.

    Args:
        coding: ``gzip`` or ``deflate``.
    """

    def __init__(self, coding: str) -> None:
        self._is_deflate = coding == "deflate"
        self._inflate = zlib.decompressobj(_KNOWN[coding])
        self._has_begun = False

    def feed(self, data: bytes) -> bytes:
        """Return what ``data`` decompresses to; maybe nothing yet.

        Raises:
            InvalidEncoding: It is damaged.
        """
        if not data:
            return b""
        try:
            try:
                return self._inflate.decompress(data)
            except zlib.error:
                if not self._is_deflate or self._has_begun:
                    raise
                # many servers leave out the zlib header, against RFC 9110 section 8.4.1.2
                self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
                return self._inflate.decompress(data)
        except zlib.error as error:
            raise InvalidEncoding(str(error)) from error
        finally:
            self._has_begun = True

    def finish(self) -> bytes:
        """Return what is left at the end of the body.

        Raises:
            InvalidEncoding: The end is missing.
        """
        if self._has_begun and not self._inflate.eof:
            raise InvalidEncoding("the compressed answer ends too early")
        return self._inflate.flush()


def decoder_for(coding: str | None) -> Decoder | None:
    """Return what undoes a content coding, None where there is nothing to undo.

    Args:
        coding: The value of ``Content-Encoding``, if there is one.

    Raises:
        InvalidEncoding: The coding is not known.
    """
    coding = (coding or "identity").strip().lower()
    if coding in ("identity", ""):
        return None
    if coding not in _KNOWN:
        raise InvalidEncoding(f"the content coding {coding[:40]!r} is not known")
    return Decoder(coding)
