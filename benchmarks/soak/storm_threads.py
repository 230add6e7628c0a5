"""The calls of a sync manager, by many threads."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from manager import OllamaManager, OllamaManagerError, Timeouts

from .storm import compare, in_child, kept, memory, steady

if TYPE_CHECKING:
    from .storm import Storm

__all__ = ["run"]


def run(storm: Storm, warm: int) -> dict[str, int]:
    """Make some calls before counting, then all of them; return how the memory has grown."""
    with OllamaManager(**storm.settings) as m:
        threads = _Threads(storm, m)
        threads.run(warm)
        before, used = kept(m), memory()
        threads.run(storm.count, ends=True)
        for _ in steady(m, before):
            time.sleep(0.05)
        assert m.version()
        return compare(storm, m, before, used)


class _Threads:
    def __init__(self, storm: Storm, m: OllamaManager) -> None:
        self.storm, self.m = storm, m
        self.lock = threading.Lock()
        self.number = 0
        self.closing: SimpleQueue[Any] = SimpleQueue()

    def run(self, count: int, *, ends: bool = False) -> None:
        self.ways, self.number, self.ends = self.storm.ways(count), 0, ends
        closer = threading.Thread(target=self.close_streams)
        workers = [threading.Thread(target=self.work) for _ in range(self.storm.workers)]
        for thread in (closer, *workers):
            thread.start()
        for thread in workers:
            thread.join()
        self.closing.put(None)
        closer.join()

    def work(self) -> None:
        while True:
            with self.lock:
                way = next(self.ways, None)
                self.number += 1
                end = self.storm.end_before(self.number) if self.ends else None
            if way is None:
                return
            if end is not None:
                self.end_server(end)
            try:
                getattr(self, way)()
            except Exception as error:
                self.storm.ended(way, error)
            else:
                self.storm.ended(way, None)

    def end_server(self, end: str) -> None:
        with contextlib.suppress(OllamaManagerError, ProcessLookupError):  # there may be none
            if end == "restart":
                self.m.restart_server()
            elif (pid := self.m.status().pid) is not None:
                os.kill(pid, signal.SIGKILL)

    def stream(self) -> Any:
        return self.m.chat(self.storm.model, "write 9 words", stream=True, **self.storm.options)

    def close_streams(self) -> None:
        while (stream := self.closing.get()) is not None:
            time.sleep(self.storm.chosen.uniform(0, 0.005))
            stream.close()

    # The ways

    def chat(self) -> None:
        assert self.m.chat(self.storm.model, "write 9 words", **self.storm.options).done

    def read(self) -> None:
        with self.stream() as stream:
            assert stream.final().done

    def leave(self) -> None:
        with self.stream() as stream:
            next(stream)

    def forget(self) -> None:
        next(self.stream())

    def close(self) -> None:
        stream = self.stream()
        self.closing.put(stream)
        for _ in stream:
            pass

    def limit(self) -> None:
        limits = Timeouts(total=self.storm.chosen.uniform(0.001, 0.02))
        self.m.chat(self.storm.model, "write 9 words", timeout=limits, **self.storm.options)

    def fork(self) -> None:
        def work() -> None:
            assert self.m.version()
            self.m.close()

        child = in_child(work)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
