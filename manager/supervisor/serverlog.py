"""The log of a running server: no larger than its limit, no way to wedge the server."""

from __future__ import annotations

import os
import stat

from manager.supervisor.diskspace import reserve
from manager.supervisor.logfile import open_log, read_tail

__all__ = ["CHECK_INTERVAL", "ServerLog"]

CHECK_INTERVAL = 10.0
"""Seconds between two looks at the size; what is written meanwhile has to fit into the slack."""
_LIMIT = 8 << 20
_SLACK = 4 << 20
_CHUNK = 1 << 20


class ServerLog:
    """A log that a server appends to, on a descriptor that it shares with its supervisor.

    Ollama 0.24.0 hangs in loading a model when it cannot write its log. So room for the whole
    log is set aside; where there is none, the server gets the null device.

    Args:
        path: Where it is.
        limit: The size in bytes from which it starts anew.
        slack: How many more may be written before that is noticed.
    """

    def __init__(self, path: str, limit: int = _LIMIT, slack: int = _SLACK) -> None:
        self.path = path
        self._limit = limit
        self._slack = slack
        self.fd: int = open_log(path)
        self._reserved = False
        self._usable = self._is_file()
        if self._usable:
            self.look()
        if self._usable and not self._reserved:
            self._usable = False
            null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            os.dup2(null, self.fd, inheritable=False)
            os.close(null)
        self._since = self._size()

    @property
    def kept(self) -> bool:
        """Whether the server's output goes anywhere."""
        return self._usable

    def remark(self, text: str) -> None:
        """Write a line that is not the server's, and so not in its ``tail``.

        Args:
            text: The line.
        """
        try:  # noqa: SIM105  contextlib would be one more import
            os.write(self.fd, f"ollama-manager: {text}\n".encode())
        except OSError:
            pass
        self._since = self._size()

    def look(self) -> bool:
        """Start anew if it has grown too large, keeping the old one if there is room for it.

        Returns:
            Whether it did. What is written in this very moment may be lost.
        """
        if not self._usable:
            return False
        anew = self._size() > self._limit
        if anew:
            self._keep_old()
            try:
                os.ftruncate(self.fd, 0)
            except OSError:
                return False  # the disk is broken, which is no reason to stop
            self._reserved = False
            self._since = 0
        # What could not be set aside may be free by the next look.
        self._reserved = self._reserved or reserve(self.fd, self._limit + self._slack)
        return anew

    def tail(self, lines: int) -> list[str]:
        """Read the end of what was written since this log was opened.

        Args:
            lines: How many lines at most.

        Returns:
            The last lines, oldest first.
        """
        return read_tail(self.path, lines, self._since) if self._usable else []

    def close(self) -> None:
        """Let go of it, and of the room that was set aside."""
        if self._usable:
            try:  # noqa: SIM105  contextlib would be one more import
                os.ftruncate(self.fd, self._size())
            except OSError:
                pass
        self._usable = False
        os.close(self.fd)

    def _keep_old(self) -> None:
        old = f"{self.path}.1"
        _remove(old)  # whatever link stands in its place is not written through
        try:
            copy = os.open(old, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                offset = 0
                while data := os.pread(self.fd, _CHUNK, offset):
                    offset += len(data)
                    while data:
                        data = data[os.write(copy, data) :]
            finally:
                os.close(copy)
        except OSError:  # the disk is full
            _remove(old)

    def _is_file(self) -> bool:
        return stat.S_ISREG(os.fstat(self.fd).st_mode)

    def _size(self) -> int:
        return os.fstat(self.fd).st_size


def _remove(path: str) -> None:
    try:  # noqa: SIM105  contextlib would be one more import
        os.unlink(path)
    except OSError:
        pass
