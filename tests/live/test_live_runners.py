"""Stuck runners of a real Ollama: cured without a restart of the server."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from manager import StreamInterruptedError

from ..managers.either import Heard
from .processes import children, is_alive, linux_only, until

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = linux_only

TIMEOUT = 2.0
ENDLESS: dict[str, Any] = {"num_predict": -1, "num_ctx": 4096, "num_thread": 1}
SHORT = ENDLESS | {"num_predict": 1}
TRIES = 400


@pytest.fixture
def make(
    new_manager: Callable[..., Any], settings_for: Callable[..., Any], shared: Any
) -> Callable[..., Any]:
    """Make a manager that alone has a server and soon thinks that a runner is stuck."""
    assert shared  # which has made the models
    return lambda: new_manager(**settings_for(runner_timeout=TIMEOUT, num_parallel=1))


async def begin(m: Any, model: str, prompt: str = "Hello") -> tuple[Any, int]:
    """Begin an answer without an end; return it and the runner that was started for it."""
    await m.start_server()
    before = children(m.status().pid)
    stream = await m.chat(model, prompt, stream=True, **ENDLESS)
    async for _ in stream:
        break
    (runner,) = set(children(m.status().pid)) - set(before)
    return stream, runner


async def count(stream: Any, seen: list[Any]) -> None:
    async for chunk in stream:
        seen.append(chunk)  # noqa: PERF401  one by one, as they come


@pytest.mark.timeout(120)
async def test_a_runner_that_stops_in_the_middle_is_replaced_and_no_other_is_touched(
    make: Callable[..., Any],
) -> None:
    async with make() as m:
        heard = Heard(m)
        other, neighbour = await begin(m, "slow")
        seen: list[Any] = []
        reading = asyncio.create_task(count(other, seen))
        stuck, victim = await begin(m, "tiny")
        server = m.status().pid
        os.kill(victim, signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(StreamInterruptedError) as raised:
            await stuck.final()
        assert time.monotonic() - began < TIMEOUT * 2 + 5
        assert raised.value.partial is not None
        assert not is_alive(victim)
        assert str(victim) in (await heard.until("server.unresponsive")).cause
        assert (await m.chat("tiny", "Hello", **SHORT)).eval_count == 1
        assert m.status().pid == server
        assert is_alive(neighbour)
        told = len(seen)
        assert not reading.done()
        await until(lambda: len(seen) > told + 2)
        await other.close()
        await reading


@pytest.mark.timeout(180)
async def test_a_long_prompt_is_no_hang(make: Callable[..., Any]) -> None:
    async with make() as m:
        heard = Heard(m)
        await m.load_model("slow")
        answer = await m.chat("slow", "word " * 90, **SHORT)
        assert answer.eval_count == 1
        assert "server.unresponsive" not in heard.names


@pytest.mark.timeout(300)
async def test_a_slot_that_ollama_keeps_for_one_who_left_is_freed(
    make: Callable[..., Any],
) -> None:
    async with make() as m:
        await m.start_server()
        heard = Heard(m)
        server = m.status().pid
        for _ in range(TRIES):
            stream = await m.chat("tiny", "hi", stream=True, **ENDLESS)
            async for _ in stream:
                break
            await stream.close()
            answer = await m.chat("tiny", "hi", timeout=TIMEOUT * 10, **SHORT)
            assert answer.eval_count == 1
            if "server.unresponsive" in heard.names:
                break
        else:
            pytest.skip(f"Ollama freed the slot after each of {TRIES} streams")
        assert m.status().pid == server, "the server was not restarted"
        assert "request.failed" not in heard.names
