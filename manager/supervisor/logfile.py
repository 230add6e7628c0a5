"""The server's log: a file for the owner alone. A pipe that nobody reads would wedge the server."""

from __future__ import annotations

import os
import sys

__all__ = ["log_path", "open_log", "read_tail"]

_TAIL_BYTES = 256 << 10


def log_path(address: str, folder: str | None = None) -> str:
    """Return where the log of an address is.

    Args:
        address: The server's address, ``host:port``.
        folder: An explicit folder; None: the platform's place for state.

    Returns:
        An absolute path. Nothing is made.
    """
    name = "".join(c if c.isalnum() or c in ".-_" else "_" for c in address.replace(":", "-"))
    return os.path.join(os.path.abspath(folder or _state_folder()), f"ollama-{name[:100]}.log")


def open_log(path: str) -> int:
    """Open a log for appending.

    Args:
        path: Where it is.

    Returns:
        A file descriptor; that of the null device when the file cannot be written.
    """
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        log = os.open(path, flags, 0o600)
        os.fchmod(log, 0o600)
    except OSError:
        # A server without a log is better than none.
        return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    return log


def read_tail(path: str, lines: int, since: int = 0) -> list[str]:
    """Read the end of a log.

    Args:
        path: Where it is.
        lines: How many lines at most.
        since: The offset in bytes before which nothing is read.

    Returns:
        The last lines, oldest first; none when there is no log.
    """
    if lines <= 0:
        return []
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            start = max(size - _TAIL_BYTES, since if since <= size else 0)
            file.seek(start)
            data = file.read(size - start)
    except OSError:
        return []
    text = data.decode("utf-8", "replace")
    if start not in (0, since):
        text = text.partition("\n")[2]  # the first line is cut
    return text.rstrip("\n").split("\n")[-lines:] if text.strip() else []


def _state_folder() -> str:
    home = os.path.expanduser("~")
    if sys.platform == "darwin":
        return os.path.join(home, "Library", "Logs", "ollama-manager")
    state = os.environ.get("XDG_STATE_HOME") or ""
    if not os.path.isabs(state):
        state = os.path.join(home, ".local", "state")
    return os.path.join(state, "ollama-manager")
