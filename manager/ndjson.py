"""Newline-delimited JSON: bytes in any pieces to whole lines."""

from __future__ import annotations

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

    __slots__ = ("_limit", "_pending", "_pending_size")

    def __init__(self, limit: int = MAX_LINE) -> None:
        self._limit = limit
        self._pending: list[bytes] = []
        self._pending_size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that ``data`` completes, without their ends; blank ones are left out.

        Raises:
            LineTooLongError: A line, complete or not, is longer than the limit.
        """
        first, newline, rest = data.partition(b"\n")
        self._pending.append(first)
        self._pending_size += len(first)
        if self._pending_size > self._limit:
            raise self._too_long()
        if not newline:
            return []
        lines = [self._joined(), *rest.split(b"\n")]
        if len(data) > self._limit and max(map(len, lines)) > self._limit:
            raise self._too_long()
        last = lines.pop()
        self._pending.append(last)
        self._pending_size = len(last)
        return [line for line in lines if line and not line.isspace()]

    def _joined(self) -> bytes:
        whole = b"".join(self._pending)
        self._pending.clear()
        self._pending_size = 0
        return whole

    def _too_long(self) -> LineTooLongError:
        self._pending.clear()
        return LineTooLongError(f"a line has more than {self._limit} bytes")

    def finish(self) -> bytes | None:
        """Return what came after the last line end, if anything."""
        last = self._joined()
        return last if last and not last.isspace() else None
