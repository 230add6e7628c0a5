"""Watching a server that is not ours: an idle connection whose end tells of its death."""

from __future__ import annotations

import socket
import time

from manager.supervisor.probe import Verdict, probe_now

__all__ = ["ForeignWatch"]

_SHORT = 2.0
_PROBE_TIMEOUT = 2.0


class ForeignWatch:
    """An open, silent connection to a server; becomes readable when the server ends.

    Nothing is sent, so a server without a limit for idle connections (Ollama has none) keeps it
    for ever. One that does not is left unwatched: the next failing request will tell.

    Args:
        host: Where to connect.
        port: The port.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._since = 0.0
        self.socket: socket.socket | None = None
        self._connect()

    def answers(self) -> bool:
        """Ask it, waiting for the answer; one that is merely slow is still there."""
        verdict, _ = probe_now(*self._target, _PROBE_TIMEOUT)
        return verdict in (Verdict.OLLAMA, Verdict.SILENT)

    def renew(self) -> None:
        """The connection ended, the server did not: watch again, unless it cut us off soon."""
        soon = time.monotonic() - self._since < _SHORT
        self.close()
        if not soon:
            self._connect()

    def close(self) -> None:
        """Stop watching."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def _connect(self) -> None:
        self._since = time.monotonic()
        try:
            self.socket = socket.create_connection(self._target, timeout=1.0)
        except OSError:
            self.socket = None
