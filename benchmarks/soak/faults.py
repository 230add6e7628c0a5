"""The faults, each many times over; every function counts what went wrong and takes times."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manager import OllamaManagerError, StreamInterruptedError
from tests.managers.either import is_alive
from tests.process.crowd import crowd
from tests.process.stage import parent, send

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.process.stage import Stage

    from .figures import Figures

    Step = Callable[[], object]

__all__ = [
    "SHARES",
    "kill_managers",
    "kill_servers",
    "kill_supervisors",
    "many_processes",
    "storm",
    "unread_log",
]

SHARES: dict[str, float] = {
    "chat": 4,
    "read": 4,
    "leave": 2,
    "forget": 2,
    "close": 2,
    "limit": 1,
    "fork": 0.1,
}
"""Ways in which calls of a storm are made and left: as often as each other, so many times."""

_STREAMS = 2
_WAITING = 2
_WORKERS = 16
_POLL_SECONDS = 0.001
_PATIENCE = 60.0


async def kill_servers(
    stage: Stage, count: int, figures: Figures, step: Step, *, pause: float
) -> None:
    """SIGKILL the server, with streams in flight and requests not yet answered.

    Args:
        stage: Where.
        count: How often.
        figures: Takes what is found.
        step: Is told of each round.
        pause: Seconds that the server is ready before each kill.
    """
    lenient = _lenient(count) if pause < 1 else {}
    async with stage.make(**lenient) as m:
        await m.start_server()
        for _ in range(count):
            ready_at = time.monotonic()
            cut, waiting, before = await _under_way(stage, m)
            await asyncio.sleep(pause - (time.monotonic() - ready_at))
            server = m.status().pid
            began = time.monotonic()
            send(signal.SIGKILL, server)
            await _until(partial(_is_back, m, server))
            figures.took("ready again", time.monotonic() - began)
            if not _are_gone(before):
                figures.wrong("orphans")
            _look_for_others(stage, m, figures)
            await _settle(cut, waiting, figures)
            step()
    figures.expect("ready again", "p99", 2.0)


async def kill_supervisors(stage: Stage, count: int, figures: Figures, step: Step) -> None:
    """SIGKILL the supervisor; its server goes, and the requests that wait are answered."""
    async with stage.make(**_lenient(count)) as m:
        for _ in range(count):
            await m.start_server()
            cut, waiting, before = await _under_way(stage, m)
            server = m.status().pid
            watching = asyncio.ensure_future(asyncio.to_thread(_most_servers, stage, figures, m))
            began = time.monotonic()
            send(signal.SIGKILL, parent(server))
            await _until(partial(_are_gone, before))
            figures.took("server and runners gone", time.monotonic() - began)
            await _settle(cut, waiting, figures)
            figures.took("next call answered", time.monotonic() - began)
            _look_for_others(stage, m, figures)
            await watching
            step()
    figures.expect("server and runners gone", "max", 1.0)


async def kill_managers(stage: Stage, count: int, figures: Figures, step: Step) -> None:
    """SIGKILL the program with the only manager, a stream under way in it."""
    for _ in range(count):
        async with stage.user() as user:
            before = stage.processes()
            began = time.monotonic()
            send(signal.SIGKILL, user.process.pid)
            await _until(partial(_are_gone, before))
            figures.took("nothing left", time.monotonic() - began)
            await user.ended()
            await stage.nothing_left()
        step()
    figures.expect("nothing left", "max", 1.0)


async def many_processes(stage: Stage, count: int, figures: Figures, step: Step) -> None:
    """Processes that start managers at once and leave in random order."""
    began = time.monotonic()
    try:
        await crowd(stage, count, random.Random(count))
    except AssertionError as error:
        figures.wrong(f"broken promises: {error}")
    figures.took("all came and went", time.monotonic() - began)
    for _ in range(count):
        step()


async def unread_log(stage: Stage, count: int, figures: Figures, step: Step) -> None:
    """Requests, each of which the server writes down, while nobody reads its log."""
    async with stage.make() as m:
        left = count

        async def work() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                began = time.monotonic()
                try:
                    await m.version()
                except OllamaManagerError as error:
                    figures.wrong(f"failed requests: {error.message}")
                figures.took("a request", time.monotonic() - began)
                step()

        await asyncio.gather(*(work() for _ in range(_WORKERS)))
        figures.count("restarts", m.status().restarts)
        await stage.answer(m)


async def storm(
    stage: Stage,
    count: int,
    figures: Figures,
    step: Step,
    *,
    kind: str,
    workers: int,
    ends: int = 10,
) -> None:
    """Calls and streams in every way at once, while the server is killed and restarted.

    Args:
        stage: Where.
        count: How many calls and streams.
        figures: Takes what is found.
        step: Is told of each.
        kind: Of the manager: ``sync`` or ``async``.
        workers: How many threads or tasks make them.
        ends: How often the server is killed, or restarted.
    """
    settings = stage.plain_settings() | _lenient(ends) | _STORMY
    settings["env"] = settings["env"] | {"OLLAMA_SIMULATOR_TOKEN_SECONDS": "0.001"}
    about = {
        "kind": kind,
        "settings": settings,
        "model": stage.model,
        "options": _BRIEF,
        "count": count,
        "workers": workers,
        "ends": ends,
        # threads cannot be cancelled
        "shares": SHARES | ({"cancel": 4} if kind == "async" else {}),
    }
    words = (sys.executable, "-m", "benchmarks.soak.storm", json.dumps(about))
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert process.stdout is not None
    began, done, said = time.monotonic(), 0, dict[str, Any]()
    try:
        async for line in process.stdout:
            said = json.loads(line)
            for _ in range(said.get("done", count) - done):
                step()
            done = max(done, said.get("done", count))
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if "outcomes" not in said:
        figures.wrong(f"the program ended with status {process.returncode}")
        return
    figures.took("all of them", time.monotonic() - began)
    for outcome, number in said["outcomes"].items():
        figures.count(outcome, number)
    figures.count("bytes of memory more", said["grown"]["resident"])
    for what, number in said["wrong"].items():
        figures.wrong(f"{what}: {number}")


_BRIEF = {"num_predict": 8, "num_thread": 1, "num_ctx": 4096, "think": False}
# Fewer connections than workers, so that some wait; restarts that end what is under way.
_STORMY = {"max_connections": 32, "num_parallel": 8, "drain_timeout": 1, "watch": False}


def _lenient(count: int) -> dict[str, Any]:
    """Settings under which deaths right after the start, as here, are no crash loop."""
    return {
        "crash_loop_limit": count + 10,
        "restart_initial_delay": 0.001,
        "restart_max_delay": 0.001,
    }


async def _under_way(
    stage: Stage, m: Any
) -> tuple[list[asyncio.Task[str]], list[asyncio.Task[Any]], list[int]]:
    """Have every slot taken by a stream, and requests behind them that cannot be answered yet."""
    streams = [await stage.stream(m) for _ in range(_STREAMS)]
    reading = [asyncio.create_task(_read(stream)) for stream in streams]
    waiting = [asyncio.create_task(stage.answer(m)) for _ in range(_WAITING)]
    await asyncio.sleep(0.02)  # they are on their way; one that is not will do as well
    return reading, waiting, stage.processes()


async def _read(stream: Any) -> str:
    """Read to the end; say how it ended."""
    try:
        async for _ in stream:
            pass
    except StreamInterruptedError as error:
        return "" if error.partial.message.content else "streams cut without what had come"
    except OllamaManagerError as error:
        return f"streams with another error: {error.code}"
    return "streams cut silently"


async def _settle(
    reading: list[asyncio.Task[str]], waiting: list[asyncio.Task[Any]], figures: Figures
) -> None:
    for ended in await asyncio.gather(*reading):
        figures.count("streams")
        if ended:
            figures.wrong(ended)
    for answer in await asyncio.gather(*waiting, return_exceptions=True):
        figures.count("requests not yet answered")
        if isinstance(answer, OllamaManagerError):
            figures.wrong(f"failed requests: {answer.message}")
        elif isinstance(answer, BaseException):
            raise answer


def _is_back(m: Any, old: int) -> bool:
    status = m.status()
    return status.state == "ready" and status.pid != old


def _are_gone(pids: list[int]) -> bool:
    return not any(map(is_alive, pids))


def _look_for_others(stage: Stage, m: Any, figures: Figures) -> None:
    others = [pid for pid in stage.servers() if pid != m.status().pid]
    if others:
        figures.wrong("second servers")


def _most_servers(stage: Stage, figures: Figures, m: Any) -> None:
    """Look again and again, until the next server is there."""
    old = m.status().pid
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        servers = stage.servers()
        if len(servers) > 1:
            figures.wrong("second servers")
            return
        if servers and m.status().state == "ready" and m.status().pid not in (old, None):
            return


async def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited for {_PATIENCE:g} s in vain")
        await asyncio.sleep(_POLL_SECONDS)
