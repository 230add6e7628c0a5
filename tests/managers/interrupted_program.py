"""Makes calls that exceptions of a signal handler interrupt at random; says what came of it.

``interrupted_program.py JSON`` with the server's ``host``, the ``works`` that are interrupted (by
their methods' names), in how many ``rounds``, a ``seed``, and how many ``threads`` take connections
away meanwhile, of which there are ``connections``.
"""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import statistics
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from manager import OllamaManager

if TYPE_CHECKING:
    from collections.abc import Callable

WARM = 30
LAST = 20


class Interruption(Exception):
    """What the signal handler raises."""


class Program:
    def __init__(self, about: dict[str, Any]) -> None:
        self.about = about
        self.chosen = random.Random(about["seed"])
        self.raised = self.came_out = self.completed = self.swallowed = 0
        self.others: Counter[str] = Counter()
        self.is_over = threading.Event()
        # it writes what it notices with descriptors of its own, which are not to be counted
        self.m = OllamaManager(
            host=about["host"], max_connections=about["connections"], watch=False, autostart=False
        )

    def main(self) -> None:
        sys.unraisablehook = self.note_swallowed
        signal.signal(signal.SIGALRM, self.interrupt)
        works = [getattr(self, name) for name in self.about["works"]]
        for work in works:
            work()
        before = self.kept()
        threads = [threading.Thread(target=self.keep_busy) for _ in range(self.about["threads"])]
        for thread in threads:
            thread.start()
        typical = {work: self.typical(work) for work in works}
        for number in range(self.about["rounds"]):
            work = works[number % len(works)]
            self.interrupted(work, typical[work])
        self.is_over.set()
        for thread in threads:
            thread.join()
        for _ in range(LAST):
            for work in works:
                work()
        print(
            json.dumps(
                {
                    "raised": self.raised,
                    "came_out": self.came_out,
                    "completed": self.completed,
                    "swallowed": self.swallowed,
                    "others": self.others,
                    "lost": [now - then for now, then in zip(self.kept(), before, strict=True)],
                }
            )
        )
        self.m.close()

    def interrupt(self, *_: object) -> None:
        self.raised += 1
        raise Interruption

    def interrupted(self, work: Callable[[], None], typical: float) -> None:
        try:
            try:
                signal.setitimer(signal.ITIMER_REAL, self.chosen.uniform(1e-6, 1.2 * typical))
                work()
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            self.completed += 1
        except Interruption:
            self.came_out += 1
        except Exception as error:
            self.others[repr(error)[:200]] += 1

    def note_swallowed(self, unraisable: Any) -> None:
        """Count what Python swallows, as it does in code that the garbage collector calls."""
        if isinstance(unraisable.exc_value, Interruption):
            self.swallowed += 1
        else:
            self.others[f"swallowed: {unraisable.exc_value!r}"[:200]] += 1

    def typical(self, work: Callable[[], None]) -> float:
        def seconds() -> float:
            began = time.perf_counter()
            work()
            return time.perf_counter() - began

        return statistics.median(seconds() for _ in range(WARM))

    def kept(self) -> tuple[int, int, int, int]:
        """How many descriptors, slots, requests in flight and threads there are."""
        gc.collect()
        transport = self.m._session.transport
        client = transport._client
        assert client is not None
        open_now = client.carrier.pool.open_count
        return (
            len(os.listdir("/proc/self/fd")) - open_now,
            len(client.slots._granted),
            transport._in_flight.count(),
            threading.active_count(),
        )

    # What is interrupted

    def call(self) -> None:
        assert self.m.version()

    def stream(self) -> None:
        with self.m.chat("simulated", "write 3 words", stream=True, think=False) as stream:
            assert stream.final().done

    def leave(self) -> None:
        with self.m.chat("simulated", "write 3 words", stream=True, think=False) as stream:
            for _ in stream:
                break

    def forget(self) -> None:
        for _ in self.m.chat("simulated", "write 3 words", stream=True, think=False):
            break

    def keep_busy(self) -> None:
        while not self.is_over.is_set():
            self.call()


if __name__ == "__main__":
    Program(json.loads(sys.argv[1])).main()
