"""Whether a supervisor slows down as more managers hold a lease. All figures are in seconds."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from manager import OllamaManager

from .program import private_place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from manager.events import Event

__all__ = ["SIZES", "crowd"]

SIZES = (1, 10, 50, 100, 200)
_SAMPLES = 15
_CRASHES = 3
_PATIENCE = 60.0
_READY_FOR = 1.05  # an earlier death counts as a failed start, and is waited after


def crowd(words: list[str], sizes: Sequence[int] = SIZES) -> dict[int, dict[str, list[float]]]:
    """Let a crowd of managers grow in one process.

    Args:
        words: The server program.
        sizes: How many managers hold a lease, ascending.

    Returns:
        By size: how long one more took to join and to leave, a few times; and how long a crash
        took, from the kill, to be heard by the first and by the last of them.
    """
    taken: dict[int, dict[str, list[float]]] = {}
    with private_place(words) as place, ExitStack() as stack:
        managers: list[OllamaManager] = []
        for size in sizes:
            while len(managers) < size:
                managers.append(stack.enter_context(OllamaManager(**place.settings)))
                managers[-1].start_server()
            taken[size] = _come_and_go(place.settings)
            taken[size] |= _crashes(managers)
    return taken


def _come_and_go(settings: dict[str, Any]) -> dict[str, list[float]]:
    join: list[float] = []
    leave: list[float] = []
    for _ in range(_SAMPLES):
        one_more = OllamaManager(**settings)
        began = time.perf_counter()
        one_more.start_server()
        joined = time.perf_counter()
        one_more.close()
        join.append(joined - began)
        leave.append(time.perf_counter() - joined)
    return {"join": join, "leave": leave}


def _crashes(managers: list[OllamaManager]) -> dict[str, list[float]]:
    first, last = zip(*(_crash(managers) for _ in range(_CRASHES)), strict=True)
    return {"first_heard": list(first), "last_heard": list(last)}


def _crash(managers: list[OllamaManager]) -> tuple[float, float]:
    times: list[float] = []
    all_heard = threading.Event()

    def heard(_event: Event) -> None:
        times.append(time.perf_counter())
        if len(times) == len(managers):
            all_heard.set()

    unsubscribe = [m.events.subscribe(heard, "server.crashed") for m in managers]
    time.sleep(_READY_FOR)
    pid = managers[0].status().pid
    assert pid is not None
    killed = time.perf_counter()
    os.kill(pid, signal.SIGKILL)
    assert all_heard.wait(_PATIENCE), f"{len(times)} of {len(managers)} heard of the crash"
    for end in unsubscribe:
        end()
    for m in managers:
        m.start_server()  # returns once it is ready again
    return min(times) - killed, max(times) - killed
