"""Newline-delimited JSON: bytes in any pieces to whole lines."""

from __future__ import annotations

__all__ = ["LineSplitter"]


class LineSplitter:
    r"""Cuts a stream of bytes into lines at ``\n`` and nowhere else.

    Go writes U+0085 and its like raw inside JSON strings, so that splitting at Unicode's line
    ends (as ``str.splitlines`` and ``httpx.Response.iter_lines`` do) would break a line in two.

    Source: https://github.com/ndjson/ndjson-spec
    """

    __slots__ = ("_pending",)

    def __init__(self) -> None:
        self._pending: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that ``data`` completes, without their ends; blank ones are left out."""
        first, newline, rest = data.partition(b"\n")
        if not newline:
            if data:
                self._pending.append(data)
            return []
        if self._pending:
            self._pending.append(first)
            first = b"".join(self._pending)
            self._pending.clear()
        lines = [first, *rest.split(b"\n")]
        if last := lines.pop():
            self._pending.append(last)
        return [line for line in lines if line and not line.isspace()]

    def finish(self) -> bytes | None:
        """Return what came after the last line end, if anything."""
        last = b"".join(self._pending)
        self._pending.clear()
        return last if last and not last.isspace() else None
