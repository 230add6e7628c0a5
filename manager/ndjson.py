"""Newline-delimited JSON: bytes in any pieces to whole lines."""

from __future__ import annotations

from itertools import takewhile
from typing import Final

__all__ = ["MAX_LINE", "LineSplitter", "LineTooLongError"]

MAX_LINE: Final = 64 * 2**20
"""The bytes that one line of a stream may have; Ollama's own client stops at 8 MB."""


class LineTooLongError(ValueError):
    """A line has more bytes than it may have."""


class LineSplitter:
    r"""Cuts a stream of bytes into lines at ``\n`` and nowhere else.

    Go writes U+0085 and its like raw inside JSON strings, so that splitting at Unicode's line
    ends (as ``str.splitlines`` and ``httpx.Response.iter_lines`` do) would break a line in two.

    Args:
        limit: The bytes that a line may have, without its end.

    Source: https://github.com/ndjson/ndjson-spec
    """

    __slots__ = ("_limit", "_pending", "_pending_size", "_too_long")

    def __init__(self, limit: int = MAX_LINE) -> None:
        self._limit = limit
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._too_long = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that ``data`` completes, without their ends; blank ones are left out.

        Lines that came before one that is too long are returned; only then it is an error, here
        or in ``check``.

        Raises:
            LineTooLongError: A line, complete or not, is longer than the limit.
        """
        self.check()
        size = len(data)
        if not self._pending_size and 0 < size <= self._limit and data.find(b"\n") == size - 1:
            return [] if data.isspace() else [data[:-1]]  # a single line, and all of it
        first, newline, rest = data.partition(b"\n")
        self._pending.append(first)
        self._pending_size += len(first)
        if self._pending_size > self._limit:
            self._give_up()
            self.check()
        if not newline:
            return []
        lines = [self._joined(), *rest.split(b"\n")]
        if len(data) > self._limit and max(map(len, lines)) > self._limit:
            lines = list(takewhile(self._is_short, lines))
            self._give_up()
        else:
            last = lines.pop()
            self._pending.append(last)
            self._pending_size = len(last)
        found = [line for line in lines if line and not line.isspace()]
        if not found:
            self.check()
        return found

    def check(self) -> None:
        """Do nothing, unless a line was too long.

        Raises:
            LineTooLongError: It was.
        """
        if self._too_long:
            raise LineTooLongError(f"a line has more than {self._limit} bytes")

    def _is_short(self, line: bytes) -> bool:
        return len(line) <= self._limit

    def _give_up(self) -> None:
        self._too_long = True
        self._pending.clear()
        self._pending_size = 0

    def _joined(self) -> bytes:
        whole = b"".join(self._pending)
        self._pending.clear()
        self._pending_size = 0
        return whole

    def finish(self) -> bytes | None:
        """Return what came after the last line end, if anything."""
        last = self._joined()
        return last if last and not last.isspace() else None
