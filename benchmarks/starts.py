"""What a start costs, with the manager and without. All figures are in seconds."""

from __future__ import annotations

import http.client
import subprocess
import sys
import time
import timeit
from typing import TYPE_CHECKING

from manager import OllamaManager

from .program import private_place

if TYPE_CHECKING:
    from .program import Place

__all__ = ["bare_start", "import_time", "managed_life"]

_POLL_SECONDS = 0.001
_STATUS_CALLS = 10_000
_IMPORT = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"


def bare_start(words: list[str]) -> float:
    """From spawning `serve` to its first HTTP 200, without a manager."""
    with private_place(words) as place:
        began = time.perf_counter()
        server = subprocess.Popen(
            [*words, "serve"],
            env=place.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            while not _answers(place):
                time.sleep(_POLL_SECONDS)
            return time.perf_counter() - began
        finally:
            server.terminate()
            server.wait(30)


def _answers(place: Place) -> bool:
    connection = http.client.HTTPConnection(place.host, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def managed_life(words: list[str]) -> dict[str, float]:
    """`start_server()` with nothing there, then by a second manager, then `status()`; and close."""
    with private_place(words) as place:
        taken: dict[str, float] = {}
        first = OllamaManager(**place.settings)
        began = time.perf_counter()
        first.start_server()
        taken["start"] = time.perf_counter() - began

        with OllamaManager(**place.settings) as second:
            began = time.perf_counter()
            second.start_server()
            taken["join"] = time.perf_counter() - began

        taken["status"] = timeit.timeit(first.status, number=_STATUS_CALLS) / _STATUS_CALLS

        began = time.perf_counter()
        first.close()
        taken["close"] = time.perf_counter() - began
        return taken


def import_time(statement: str) -> float:
    """Of a statement in a fresh interpreter, without the start of the interpreter itself."""
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT.format(statement)],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)
