"""What a supervisor takes of the machine while nothing happens."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from manager import OllamaManager
from manager.supervisor.client import inspect

from .program import private_place

if TYPE_CHECKING:
    from .program import Place

__all__ = ["idle"]

_SETTLE_SECONDS = 2.0


def idle(words: list[str], seconds: float) -> dict[str, list[float]]:
    """Watch the supervisor of a ready server that one manager holds and nobody asks.

    Args:
        words: The server program.
        seconds: For so long; the probes for liveness go on.

    Returns:
        Its share of one core, and its resident and proportional memory in bytes; nothing
        where there is no ``/proc``.
    """
    with private_place(words) as place, OllamaManager(**place.settings) as m:
        m.start_server()
        process = Path("/proc", str(_supervisor_of(place)))
        if not process.exists():
            return {}
        time.sleep(_SETTLE_SECONDS)
        before, began = _cpu_seconds(process), time.perf_counter()
        time.sleep(seconds)
        share = (_cpu_seconds(process) - before) / (time.perf_counter() - began)
        return {
            "idle_cpu": [share],
            "idle_rss": [_memory(process / "status", "VmRSS")],
            "idle_pss": [_memory(process / "smaps_rollup", "Pss")],
        }


def _supervisor_of(place: Place) -> int:
    host, _, port = place.host.rpartition(":")
    snapshot = inspect(host, int(port))
    assert snapshot is not None
    assert snapshot.supervisor_pid is not None
    return snapshot.supervisor_pid


def _cpu_seconds(process: Path) -> float:
    # In nanoseconds, of its only thread; the ticks in `stat` are longer than all that it does.
    return int((process / "schedstat").read_text(encoding="ascii").split()[0]) / 1e9


def _memory(table: Path, field: str) -> float:
    found = re.search(rf"^{field}:\s+(\d+) kB$", table.read_text(encoding="ascii"), re.MULTILINE)
    assert found is not None, field
    return float(found[1]) * 1024
