"""Where the CPU time of a call goes: the running function, looked at each millisecond.

A profiler that hears of every call would make small functions look dear.
"""

from __future__ import annotations

import re
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from manager import OllamaManager

from .place import MESSAGES, PACE, manager_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from .sizes import Sizes

__all__ = ["profiles"]

_INTERVAL = 0.001
_SECONDS = 3.0
_PACKAGE = re.compile(r"/(manager|ollama_api)/(.*)\.py$")
_LIBRARY = re.compile(r".*/(?:site-packages|python3\.[0-9]+)/([^/.]+)")


def profiles(url: str, sizes: Sizes) -> dict[str, dict[str, float]]:
    """Return the share of each module in the CPU time of a few kinds of call."""
    if not hasattr(signal, "setitimer"):
        return {}
    texts = [f"The text number {number}, of no great length." for number in range(sizes.texts)]
    embedder = f"embed-{sizes.dimensions}"
    seconds = min(_SECONDS, sizes.profiled / 1000)
    with OllamaManager(**manager_settings(url)) as m:

        def read(model: str) -> None:
            for _ in m.chat(model, MESSAGES, stream=True):
                pass

        work: dict[str, Callable[[], Any]] = {
            "streamed chunk": lambda: read(f"flood-{sizes.chunks}-8"),
            "paced chunk": lambda: read(f"paced-{sizes.paced}-{PACE}"),
            "round trip": lambda: m.chat("m", MESSAGES),
            "`embed`": lambda: m.embed(embedder, texts),
            "`embed_array`": lambda: m.embed_array(embedder, texts),
        }
        return {name: _profile(function, seconds) for name, function in work.items()}


def _profile(work: Callable[[], Any], seconds: float) -> dict[str, float]:
    work()
    seen: Counter[str] = Counter()

    def look(_number: int, frame: Any) -> None:
        seen[_module_of(frame.f_code.co_filename)] += 1

    before = signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, _INTERVAL, _INTERVAL)
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            work()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    return {name: count / seen.total() for name, count in seen.most_common()}


def _module_of(filename: str) -> str:
    filename = filename.replace("\\", "/")
    if found := _PACKAGE.search(filename):
        return (
            "models (generated)"
            if found[1] == "ollama_api"
            else f"manager.{found[2]}".replace("/", ".")
        )
    if found := _LIBRARY.search(filename):
        return found[1]
    return "this benchmark"
