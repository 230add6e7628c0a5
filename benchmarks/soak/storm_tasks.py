"""The calls of an async manager, by many tasks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING, Any

from manager import AsyncOllamaManager, OllamaManagerError, Timeouts

from .storm import compare, in_child, kept, memory, steady

if TYPE_CHECKING:
    from .storm import Storm

__all__ = ["run"]


def run(storm: Storm, warm: int) -> dict[str, int]:
    """Make some calls before counting, then all of them; return how the memory has grown."""
    return asyncio.run(_run(storm, warm))


async def _run(storm: Storm, warm: int) -> dict[str, int]:
    async with AsyncOllamaManager(**storm.settings) as m:
        tasks = _Tasks(storm, m)
        await tasks.run(warm)
        before, used = kept(m), memory()
        await tasks.run(storm.count, ends=True)
        for _ in steady(m, before):
            await asyncio.sleep(0.05)
        assert await m.version()
        if len(asyncio.all_tasks()) > 1:
            storm.wrong["lost: tasks"] += len(asyncio.all_tasks()) - 1
        return compare(storm, m, before, used)


class _Tasks:
    def __init__(self, storm: Storm, m: AsyncOllamaManager) -> None:
        self.storm, self.m = storm, m
        self.number = 0

    async def run(self, count: int, *, ends: bool = False) -> None:
        self.ways, self.number, self.ends = self.storm.ways(count), 0, ends
        await asyncio.gather(*(self.work() for _ in range(self.storm.workers)))

    async def work(self) -> None:
        for way in self.ways:
            self.number += 1
            end = self.storm.end_before(self.number) if self.ends else None
            if end is not None:
                await self.end_server(end)
            try:
                await getattr(self, way)()
            except Exception as error:
                self.storm.ended(way, error)
            else:
                self.storm.ended(way, None)

    async def end_server(self, end: str) -> None:
        with contextlib.suppress(OllamaManagerError, ProcessLookupError):  # there may be none
            if end == "restart":
                await self.m.restart_server()
            elif (pid := self.m.status().pid) is not None:
                os.kill(pid, signal.SIGKILL)

    async def stream(self) -> Any:
        words = self.storm.model, "write 9 words"
        return await self.m.chat(*words, stream=True, **self.storm.options)

    # The ways

    async def chat(self) -> None:
        answer = await self.m.chat(self.storm.model, "write 9 words", **self.storm.options)
        assert answer.done

    async def read(self) -> None:
        async with await self.stream() as stream:
            assert (await stream.final()).done

    async def leave(self) -> None:
        async with await self.stream() as stream:
            await anext(stream)

    async def forget(self) -> None:
        await anext(await self.stream())

    async def close(self) -> None:
        stream = await self.stream()

        async def close() -> None:
            await asyncio.sleep(self.storm.chosen.uniform(0, 0.005))
            await stream.close()

        closing = asyncio.create_task(close())
        try:
            async for _ in stream:
                pass
        finally:
            await closing

    async def limit(self) -> None:
        limits = Timeouts(total=self.storm.chosen.uniform(0.001, 0.02))
        await self.m.chat(self.storm.model, "write 9 words", timeout=limits, **self.storm.options)

    async def cancel(self) -> None:
        work = self.chat if self.storm.chosen.random() < 0.5 else self.read
        task = asyncio.create_task(work())
        for _ in range(self.storm.chosen.choice((1, 2))):
            await asyncio.sleep(self.storm.chosen.uniform(0, 0.006))
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def fork(self) -> None:
        async def use() -> None:
            assert await self.m.version()
            await self.m.aclose()

        child = in_child(lambda: asyncio.run(use()))
        # a thread to wait in would count as one that was lost
        while not (ended := os.waitpid(child, os.WNOHANG))[0]:  # noqa: ASYNC110, ASYNC222
            await asyncio.sleep(0.01)
        assert os.waitstatus_to_exitcode(ended[1]) == 0
