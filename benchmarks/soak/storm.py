"""Calls and streams in every way at once, and what is left of them: the program of one manager.

``python -m benchmarks.soak.storm JSON`` with the fields of ``Storm``; says now and then how many
are done, and in the end what came of them and what was lost.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import random
import sys
import threading
import time
import traceback
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

import attrs

from manager import OllamaManagerError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Storm", "kept"]

Way = Literal["chat", "read", "leave", "forget", "close", "limit", "cancel", "fork"]

# Each thread and task is to end within this, and what ends a moment after its call.
_PATIENCE = 60.0
_WARM = 4  # a part of the calls comes before anything is counted
# Python keeps a few objects for itself; one for each call would be far more.
_FEW_BLOCKS = 2_000


@attrs.define
class Storm:
    """What is done, and what has come of it so far.

    Attributes:
        kind: Of the manager: ``sync`` or ``async``.
        settings: Of the manager.
        model: The name of the model.
        options: Of each chat.
        count: How many calls and streams.
        workers: How many threads or tasks.
        ends: How often the server is killed, or restarted.
        shares: Of the ways in which calls are made and left.
        seed: Of what is left to chance.
    """

    kind: str
    settings: dict[str, Any]
    model: str
    options: dict[str, Any]
    count: int
    workers: int
    ends: int
    shares: dict[Way, int]
    seed: int = 1
    outcomes: Counter[str] = attrs.field(factory=Counter[str], init=False)
    wrong: Counter[str] = attrs.field(factory=Counter[str], init=False)
    chosen: random.Random = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.chosen = random.Random(self.seed)

    def ways(self, count: int) -> Iterator[Way]:
        """Yield a way for each call; any thread may take one at a time."""
        shares = dict(self.shares)
        if count != self.count:
            # In a child nobody can import what another thread was importing at the fork (CPython).
            shares.pop("fork", None)
        ways, weights = list(shares), list(shares.values())
        for number in range(count):
            if count == self.count and number % max(count // 100, 1) == 0:
                say(done=number)
            yield self.chosen.choices(ways, weights)[0]

    def ended(self, way: Way, error: BaseException | None) -> None:
        """Note how a call ended; only some errors are what one would expect."""
        if error is None:
            self.outcomes[f"{way}: fine"] += 1
        elif isinstance(error, OllamaManagerError) and (
            way == "limit" or error.code != "connections_in_use"
        ):
            self.outcomes[f"{way}: {error.code}"] += 1
        else:
            self.wrong[f"{way}: {error!r}"[:200]] += 1

    def end_before(self, number: int) -> Literal["restart", "kill"] | None:
        """Return how the server ends before this call, if it does."""
        which, rest = divmod(number, max(self.count // (self.ends + 1), 1))
        if rest or not 0 < which <= self.ends:
            return None
        return "restart" if which % 2 else "kill"


def kept(m: Any) -> dict[str, int]:
    """Return how much there is of what must not be lost."""
    gc.collect()
    transport = m._session.transport
    client = transport._client
    pool = client.carrier.pool
    return {
        "descriptors": len(os.listdir("/proc/self/fd")) - pool.open_count,
        "connections in use": pool.open_count - pool.idle_count,
        "slots": len(client.slots._granted),
        "requests in flight": transport._in_flight.count(),
        "threads": threading.active_count(),
    }


def memory() -> dict[str, int]:
    """Return how many objects there are, about, and how many bytes are resident."""
    gc.collect()
    with open("/proc/self/statm", encoding="ascii") as file:
        resident = int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    return {"blocks": sys.getallocatedblocks(), "resident": resident}


def in_child(work: Any) -> int:
    """Do something in a forked child; return its pid to the parent."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        faulthandler.dump_traceback_later(_PATIENCE / 2, exit=True)
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def compare(storm: Storm, m: Any, before: dict[str, int], used: dict[str, int]) -> dict[str, int]:
    """Note what was lost; return by how much the memory has grown."""
    for what, number in kept(m).items():
        if number != before[what]:
            storm.wrong[f"lost: {what}"] += number - before[what]
    grown = {what: size - used[what] for what, size in memory().items()}
    if grown["blocks"] > max(storm.count // 4, _FEW_BLOCKS):
        storm.wrong["lost: memory, in blocks"] += grown["blocks"]
    return grown


def steady(m: Any, before: dict[str, int]) -> Iterator[None]:
    """Yield for as long as something may still be about to end."""
    deadline = time.monotonic() + _PATIENCE
    while kept(m) != before and time.monotonic() < deadline:
        yield


def say(**words: Any) -> None:
    print(json.dumps(words), flush=True)


def main() -> None:
    storm = Storm(**json.loads(sys.argv[1]))
    if storm.kind == "sync":
        from .storm_threads import run
    else:
        from .storm_tasks import run
    grown = run(storm, max(storm.count // _WARM, 2 * storm.workers))
    say(outcomes=storm.outcomes, wrong=storm.wrong, grown=grown)


if __name__ == "__main__":
    main()
