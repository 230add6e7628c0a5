"""What is measured in processes of its own: imports, first calls, memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .place import run_program
from .rounds import Pair, in_turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from .sizes import Sizes

__all__ = ["first_calls", "imports", "many_texts", "memories"]

_TIMED = """
import os, sys, time
cpu, wall = time.process_time(), time.perf_counter()
{work}
print(time.process_time() - cpu, time.perf_counter() - wall, flush=True)
os._exit(0)
"""
_IMPORT_OURS = "from manager import OllamaManager"
_IMPORT_THEIRS = "import ollama"
_FIRST_OURS = """
from manager import OllamaManager
OllamaManager(host=sys.argv[1] + "/x").chat("m", "hi")
"""
_FIRST_THEIRS = """
import ollama
ollama.Client(host=sys.argv[1]).chat("m", [{"role": "user", "content": "hi"}])
"""
_FIRST_ASYNC_OURS = """
import asyncio
from manager import AsyncOllamaManager
async def main():
    await AsyncOllamaManager(host=sys.argv[1] + "/x").chat("m", "hi")
asyncio.run(main())
"""
_FIRST_ASYNC_THEIRS = """
import asyncio
from ollama import AsyncClient
async def main():
    await AsyncClient(host=sys.argv[1]).chat("m", [{"role": "user", "content": "hi"}])
asyncio.run(main())
"""


def _turns(
    rounds: int, ours: str, theirs: str, url: str, *, keys: tuple[str, str]
) -> dict[str, Pair]:
    found = {key: Pair() for key in keys}

    def run(work: str, side: str) -> float:
        values = run_program(_TIMED.format(work=work), url)
        for key, value in zip(keys, values, strict=True):
            getattr(found[key], side).append(value)
        return values[0]

    in_turn(1, lambda: run(ours, "ours"), lambda: run(theirs, "theirs"), warm=False)
    for pair in found.values():  # the first ones fill the caches of the system
        pair.ours.clear(), pair.theirs.clear()
    in_turn(rounds, lambda: run(ours, "ours"), lambda: run(theirs, "theirs"), warm=False)
    return found


def imports(url: str, sizes: Sizes) -> dict[str, Pair]:
    """Measure the CPU time of the import alone."""
    keys = ("import", "import_wall")
    return _turns(sizes.programs, _IMPORT_OURS, _IMPORT_THEIRS, url, keys=keys)


def first_calls(url: str, sizes: Sizes) -> dict[str, Pair]:
    """Measure the first chat of a new process, its imports included."""
    keys = ("first_sync", "first_sync_wall")
    found = _turns(sizes.programs, _FIRST_OURS, _FIRST_THEIRS, url, keys=keys)
    keys = ("first_async", "first_async_wall")
    return found | _turns(sizes.programs, _FIRST_ASYNC_OURS, _FIRST_ASYNC_THEIRS, url, keys=keys)


_RESIDENT = """
import asyncio, gc, sys
def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
"""
_MEMORY_SYNC = """
client = make()
next(iter(client.chat("held", MESSAGES, stream=True)))  # what is loaded by the first is not counted
before = resident()
streams = [client.chat("held", MESSAGES, stream=True) for _ in range(int(sys.argv[2]))]
for stream in streams:
    next(iter(stream))
print(resident() - before, resident(), flush=True)
os._exit(0)
"""
_MEMORY_ASYNC = """
async def main():
    client = make_async()
    first = await client.chat("held", MESSAGES, stream=True)
    await anext(aiter(first))
    before = resident()
    streams = [await client.chat("held", MESSAGES, stream=True) for _ in range(int(sys.argv[2]))]
    for stream in streams:
        await anext(aiter(stream))
    print(resident() - before, resident(), flush=True)
    os._exit(0)
asyncio.run(main())
"""
_MAKE = """
import os
MESSAGES = [{{"role": "user", "content": "hi"}}]
if {ours}:
    from manager import AsyncOllamaManager, OllamaManager
    settings = dict(host=sys.argv[1] + "/x", watch=False, max_connections=2048, connect_timeout=60)
    make = lambda: OllamaManager(**settings)
    make_async = lambda: AsyncOllamaManager(**settings)
else:
    import httpx, ollama
    settings = dict(host=sys.argv[1], limits=httpx.Limits(max_connections=2048))
    make = lambda: ollama.Client(**settings)
    make_async = lambda: ollama.AsyncClient(**settings)
"""


def memories(url: str, sizes: Sizes) -> dict[str, Pair]:
    """Measure what open streams add to the resident memory, and all of it, in bytes."""
    found: dict[str, Pair] = {}
    for kind, code in (("sync", _MEMORY_SYNC), ("async", _MEMORY_ASYNC)):
        added, whole = Pair(), Pair()

        def run(*, ours: bool, code: str = code, added: Pair = added, whole: Pair = whole) -> float:
            program = _RESIDENT + _MAKE.format(ours=ours) + code
            growth, total = run_program(program, url, str(sizes.streams))
            (added.ours if ours else added.theirs).append(max(growth, 1.0))
            (whole.ours if ours else whole.theirs).append(total)
            return growth

        in_turn(sizes.memories, lambda: run(ours=True), lambda: run(ours=False), warm=False)
        found |= {f"memory_{kind}": added, f"memory_{kind}_whole": whole}
    return found


_MANY_SYNC = """
client = make()
count = sum(1 for _ in client.embed_many(f"embed-{sys.argv[3]}", texts()))
"""
_MANY_ASYNC = """
async def main():
    count = 0
    async for _ in make_async().embed_many(f"embed-{sys.argv[3]}", texts()):
        count += 1
    return count
count = asyncio.run(main())
"""
_PEAK = r"""
import re, resource, time
def texts():
    for number in range(int(sys.argv[2])):
        yield f"The text number {{number}}, of no great length."
began = time.perf_counter()
{work}
assert count == int(sys.argv[2])
try:
    with open("/proc/self/status") as file:
        peak = int(re.search(r"VmHWM:\s+([0-9]+)", file.read())[1]) * 1024
except OSError:  # on Linux, what getrusage says began with the process that started this one
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(peak, time.perf_counter() - began, flush=True)
os._exit(0)
"""


def many_texts(url: str, sizes: Sizes, progress: Callable[[str], None]) -> list[dict[str, float]]:
    """Measure the peak of the resident memory and the time of ``embed_many``, by size."""
    found: list[dict[str, float]] = []
    for count in sizes.many_texts:
        for kind, work in (("sync", _MANY_SYNC), ("async", _MANY_ASYNC)):
            progress(f"embed_many of {count:,} texts, {kind}")
            program = _RESIDENT + _MAKE.format(ours=True) + _PEAK.format(work=work)
            peak, seconds = run_program(program, url, str(count), str(sizes.dimensions))
            found.append(
                {"texts": count, "is_async": kind == "async", "peak": peak, "seconds": seconds}
            )
    return found
