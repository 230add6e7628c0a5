"""How soon a manager's listener hears that the server has died. All figures are in seconds."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from manager import OllamaManager

from .program import private_place

if TYPE_CHECKING:
    from collections.abc import Callable

    from manager.events import Event

__all__ = ["crashes"]

_PATIENCE = 60.0
_READY_FOR = 1.05  # an earlier death counts as a failed start, and is waited after


def crashes(
    words: list[str], count: int, progress: Callable[[int], None]
) -> dict[str, list[float]]:
    """Kill a ready server again and again.

    Args:
        words: The server program.
        count: How often.
        progress: Hears of each kill, from 1.

    Returns:
        For each kill: until the process was gone (as a poll of its pidfd sees it), from there
        and from the kill until `server.crashed` was heard, and from the kill until `server.ready`.
    """
    taken: dict[str, list[float]] = defaultdict(list)
    with private_place(words) as place, OllamaManager(**place.settings) as m:
        heard = _Heard()
        m.events.subscribe(heard, "server.crashed", "server.ready")
        m.start_server()
        for number in range(1, count + 1):
            progress(number)
            heard.wait("server.ready")
            heard.clear()
            time.sleep(_READY_FOR)
            pid = m.status().pid
            assert pid is not None
            gone = _Exit(pid)
            killed = time.perf_counter()
            os.kill(pid, signal.SIGKILL)
            crashed = heard.wait("server.crashed")
            taken["crash_from_kill"].append(crashed - killed)
            if (exited := gone.wait()) is not None:
                taken["exit"].append(exited - killed)
                taken["crash_from_exit"].append(max(0.0, crashed - exited))
            taken["ready_again"].append(heard.wait("server.ready") - killed)
    return taken


class _Heard:
    """A listener that notes when it heard of what."""

    def __init__(self) -> None:
        self._times: dict[str, float] = {}
        self._changed = threading.Condition()

    def __call__(self, event: Event) -> None:
        now = time.perf_counter()
        with self._changed:
            self._times.setdefault(event.name, now)
            self._changed.notify_all()

    def wait(self, name: str) -> float:
        with self._changed:
            assert self._changed.wait_for(lambda: name in self._times, _PATIENCE), name
            return self._times[name]

    def clear(self) -> None:
        with self._changed:
            self._times.clear()


class _Exit:
    """Notes, on a thread of its own, when a process ended; no parent, so by its pidfd."""

    def __init__(self, pid: int) -> None:
        self._at: float | None = None
        self._thread: threading.Thread | None = None
        if sys.platform == "linux":
            handle = os.pidfd_open(pid)
            polling = threading.Event()
            self._thread = threading.Thread(target=self._run, args=(handle, polling))
            self._thread.start()
            polling.wait(_PATIENCE)

    def _run(self, handle: int, polling: threading.Event) -> None:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        polling.set()
        poll.poll(_PATIENCE * 1000)
        self._at = time.perf_counter()
        os.close(handle)

    def wait(self) -> float | None:
        """When it ended; None where the system cannot tell."""
        if self._thread is not None:
            self._thread.join(_PATIENCE)
        return self._at
