"""logs: the end of the server's log, and what is added to it."""

from __future__ import annotations

import os
import time
from codecs import getincrementaldecoder
from typing import TYPE_CHECKING

from manager.cli.terminal import write_json
from manager.errors import ServerNotOwnedError
from manager.supervisor.client import inspect
from manager.supervisor.logfile import log_path, read_tail
from manager.supervisor.states import Ownership

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from manager.cli.invocation import Invocation
    from manager.supervisor.settings import ServerSettings

__all__ = ["LogTail", "show_logs"]

_PAUSE_SECONDS = 0.2


def show_logs(run: Invocation, lines: int, *, follow: bool) -> None:
    """Show the end of the server's log, whether the server runs or not; starts nothing.

    Args:
        run: Which server.
        lines: How many lines.
        follow: Go on until interrupted.

    Raises:
        ServerNotOwnedError: The server is foreign or remote: its log is elsewhere.
    """
    settings = run.server_settings()
    path = _path(settings)
    added = LogTail(path)
    tail = read_tail(path, lines)
    if run.as_json and not follow:
        write_json({"log_path": path, "lines": tail})
        return
    for line in tail:
        run.terminal.text(line)
    if not tail:
        run.terminal.note(f"nothing has been written to {path}")
    if follow:
        _follow(added, lambda text: run.terminal.text(text, end=""))


def _path(settings: ServerSettings) -> str:
    if settings.remote:
        raise _elsewhere(settings)
    seen = inspect(settings.host, settings.port)
    if seen is not None and seen.ownership is Ownership.FOREIGN:
        raise _elsewhere(settings)
    path = seen.log_path if seen is not None else None
    return path or log_path(settings.address, settings.log_dir)


def _elsewhere(settings: ServerSettings) -> ServerNotOwnedError:
    return ServerNotOwnedError(
        f"the server at {settings.base_url} was not started from here, so its log is not known",
        hint="look where it was started, such as `journalctl -u ollama`",
    )


def _follow(tail: LogTail, write: Callable[[str], None]) -> NoReturn:
    while True:
        if text := tail.read():
            write(text)
        time.sleep(_PAUSE_SECONDS)


class LogTail:
    """Reads what is added to a log.

    Args:
        path: The log, which need not exist yet; one that is replaced is read from its start.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._decode = getincrementaldecoder("utf-8")("replace").decode
        try:
            self._position = os.path.getsize(path)
        except OSError:
            self._position = 0

    def read(self) -> str:
        """Return what was added since the last time."""
        try:
            with open(self._path, "rb") as file:
                if file.seek(0, os.SEEK_END) < self._position:
                    self._position = 0
                file.seek(self._position)
                data = file.read()
        except OSError:
            return ""
        self._position += len(data)
        return self._decode(data)
