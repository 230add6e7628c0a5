r"""Joins the HTTP chunks that arrive together into one, so that they cost as much as one.

A server sends each token as an HTTP chunk of its own, and a client that lags behind reads many of
them at once. h11, httpcore and httpx hand over every one by itself, which costs more than all the
rest. So the chunks that one read brought whole, and the one it brought a part of, are declared as
a single chunk before h11 sees them: ``3\r\nabc\r\n2\r\nde\r\n`` becomes ``5\r\nabcde\r\n``.

Nothing is held back, and nothing that has been handed over is taken up again: after each read h11
has had every byte of the body that came, but for chunks that were taken out before (``take``), and
stands where it would stand without this. What is not plainly understood goes through as it is, for
h11 to judge, and so does all that follows it on that connection: sizes that are not short and
hexadecimal, chunk extensions, trailers, bytes that nobody asked for, heads that leave open how long
the answer is.

Source: https://www.rfc-editor.org/rfc/rfc9112#name-message-body-length, and what h11 makes of it.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["ChunkJoiner"]

# What comes next on the connection.
_HEAD: Final = 0
_COUNTED: Final = 1  # `left` bytes of a body of known length
_SIZE: Final = 2  # the line before a chunk, of which `line` has been seen
_DATA: Final = 3  # `left` bytes of a chunk
_CHUNK_END: Final = 4  # `left` bytes of the line end after a chunk
_END: Final = 5  # `left` bytes of the empty line after the last chunk
_ANYTHING: Final = 6  # nobody knows

_METHOD = re.compile(rb"([A-Z]+) ")
_STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3})(?: [^\r\n]*)?\r\n")
_FRAMING = re.compile(rb"\n(transfer-encoding|content-length):[ \t]*([^\r\n]*?)[ \t]*(?=\r\n)")
_FOLD = re.compile(rb"\n[ \t]")
_LENGTH = re.compile(rb"[0-9]{1,15}")
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
_SIZE_BEGUN = re.compile(rb"[0-9A-Fa-f]{0,8}\r?")
_MAX_SIZE_LINE: Final = 10
_LINE_END: Final = b"\r\n"
# What h11 refuses wherever it stands.
_NO_LINE_END: Final = b"(no line end)\r\n"

# More than h11 lets a head have in httpcore.
_MAX_HEAD: Final = 100 * 1024


class ChunkJoiner:
    """What one HTTP/1.1 connection carries, and where in it the next byte belongs.

    Does no I/O: ``sent`` hears of what is written, and ``received`` turns what was read into what
    is handed over.
    """

    __slots__ = (
        "_asked",
        "_expects_body",
        "_head",
        "_left",
        "_line",
        "_next",
        "handed_over",
        "to_take",
    )

    def __init__(self) -> None:
        self._next = _HEAD
        self._left = 0
        self._line = b""
        self._head = bytearray()
        self._asked = False  # a request whose answer has not begun
        self._expects_body = True
        self.handed_over: int = 0
        """The bytes of the body that ``received`` has returned so far, where it is in chunks."""
        self.to_take: int = 0
        """The bytes of a chunk, with its line end, of which ``take`` has had the beginning."""

    @property
    def is_at_chunk(self) -> bool:
        """Whether a chunk is to come next, or the end of the body."""
        return self._next == _SIZE and not self._line

    @property
    def is_at_head(self) -> bool:
        """Whether the head of an answer is to come next."""
        return self._next == _HEAD and not self._head

    def take(self, data: bytes) -> tuple[list[bytes], bytes]:
        """Return what ``data`` carries of the body, and the rest of it, which is for h11.

        For who reads chunks past h11, from where a chunk is to come: h11 learns nothing of them,
        and makes of the rest what there is to be made of it. That is the end of the body, as a
        rule.
        """
        payloads: list[bytes] = []
        position, size = 0, len(data)
        while position < size:
            if self.to_take > 2:
                payloads.append(data[position : position + self.to_take - 2])
                position += len(payloads[-1])
                self.to_take -= len(payloads[-1])
            elif self.to_take:
                found = data[position : position + self.to_take]
                if not _LINE_END[-self.to_take :].startswith(found):
                    self.to_take = 0
                    return payloads, _NO_LINE_END + data[position:]
                position += len(found)
                self.to_take -= len(found)
            else:
                more, position = _whole_chunks(data, position)
                payloads += more
                line = _SIZE_LINE.match(data, position)
                if not line or not (length := int(line[1], 16)):
                    return payloads, data[position:]
                self.to_take, position = length + 2, line.end()
        return payloads, b""

    def sent(self, data: bytes) -> None:
        """Note what is about to be written: whether an answer has a body depends on the request."""
        if self._asked or not data or self._next == _ANYTHING:
            return
        request = _METHOD.match(data)
        if self._next != _HEAD or request is None or request[1] == b"CONNECT":
            self._next = _ANYTHING
        self._asked = True
        self._expects_body = request is None or request[1] != b"HEAD"

    def received(self, data: bytes) -> bytes:
        """Return what to hand over of what was read: the same body, in fewer chunks."""
        result, position, size = data, 0, len(data)
        while position < size and self._next != _ANYTHING:
            if self._next == _SIZE:
                if not self._line:
                    result, position = self._join(data, position)
                if self._next == _SIZE and position < size:
                    position = self._read_size(data, position)
            elif self._next == _HEAD:
                position = self._read_head(data, position)
            elif self._next in (_COUNTED, _DATA):
                position = self._skip(position, size)
            else:
                position = self._read_line_end(data, position)
        return result

    def _join(self, data: bytes, begin: int) -> tuple[bytes, int]:
        """Return ``data`` with its chunks from ``begin`` on as one, and where in it they end.

        The last of them may have come in part: all of it is declared, as h11 was to expect it.
        """
        payloads, position = _whole_chunks(data, begin)
        size = sum(map(len, payloads))
        self.handed_over += size
        end = position - 2  # before the line end of the last one
        line = _SIZE_LINE.match(data, position)
        if line and (length := int(line[1], 16)):
            part = data[line.end() : line.end() + length]
            position = end = line.end() + len(part)
            missing = length - len(part)
            self._next, self._left = (_DATA, missing) if missing else (_CHUNK_END, 2)
            payloads.append(part)
            self.handed_over += len(part)
            size += length
        if len(payloads) > 1:
            data = b"".join((data[:begin], b"%x\r\n" % size, *payloads, data[end:]))
        return data, position

    def _read_size(self, data: bytes, position: int) -> int:
        known = len(self._line)
        line = self._line + data[position : position + _MAX_SIZE_LINE - known]
        if whole := _SIZE_LINE.match(line):
            self._line = b""
            length = int(whole[1], 16)
            self._next, self._left = (_DATA, length) if length else (_END, 2)
            return position + whole.end() - known
        if _SIZE_BEGUN.fullmatch(line):
            self._line = line
        else:
            self._next = _ANYTHING
        return len(data)

    def _skip(self, position: int, size: int) -> int:
        taken = min(self._left, size - position)
        self._left -= taken
        if self._next == _DATA:
            self.handed_over += taken
        if not self._left:
            self._next, self._left = (_HEAD, 0) if self._next == _COUNTED else (_CHUNK_END, 2)
        return position + taken

    def _read_line_end(self, data: bytes, position: int) -> int:
        found = data[position : position + self._left]
        if not _LINE_END[-self._left :].startswith(found):
            self._next = _ANYTHING
        self._left -= len(found)
        if not self._left and self._next != _ANYTHING:
            self._next = _SIZE if self._next == _CHUNK_END else _HEAD
        return position + len(found)

    def _read_head(self, data: bytes, position: int) -> int:
        if not self._asked:
            self._next = _ANYTHING
            return len(data)
        head, known = self._head, len(self._head)
        head += data[position : position + _MAX_HEAD - known]
        end = head.find(b"\r\n\r\n", max(known - 3, 0)) + 4
        if end < 4:
            if len(head) == _MAX_HEAD:
                self._next = _ANYTHING
            return len(data)
        self._understand(bytes(head[:end]))
        head.clear()
        return position + end - known

    def _understand(self, head: bytes) -> None:
        """Find out what follows a head."""
        line = _STATUS.match(head)
        status = int(line[1]) if line else 0
        # h11 takes other line ends too, and lines that are folded
        plain = head.count(b"\n") == head.count(b"\r\n") and not _FOLD.search(head)
        if not plain or status < 100 or status == 101:
            self._next = _ANYTHING
        if status < 200:
            return  # the answer proper is yet to come
        self._asked = False
        framing = _FRAMING.findall(head.lower())
        if self._next == _ANYTHING or not self._expects_body or status in (204, 304):
            return
        name, value = framing[0] if len(framing) == 1 else (b"", b"")
        if name == b"transfer-encoding" and value == b"chunked":
            self._next, self.handed_over = _SIZE, 0
        elif name == b"content-length" and _LENGTH.fullmatch(value):
            self._left = int(value)
            self._next = _COUNTED if self._left else _HEAD
        else:
            self._next = _ANYTHING


def _whole_chunks(data: bytes, position: int) -> tuple[list[bytes], int]:
    """Return what the chunks carry that are whole from ``position`` on, and where they end."""
    payloads: list[bytes] = []
    match, ends = _SIZE_LINE.match, data.startswith
    while line := match(data, position):
        start = line.end()
        end = start + int(line[1], 16)
        if end == start or not ends(_LINE_END, end):
            break
        payloads.append(data[start:end])
        position = end + 2
    return payloads, position
