"""What is promised however the managers end: by themselves, killed, forked, fifty at once.

Played on the simulator here, and on a real Ollama by tests/live/test_live_faults.py.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from ..managers.either import answers, children, is_alive, until
from .crowd import crowd
from .stage import ENDLESS, LONG, parent, send

if TYPE_CHECKING:
    from collections.abc import Callable

    from .stage import Stage, User

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="they look into /proc")

__all__ = [
    "test_fifty_processes_share_one_server",
    "test_foreign_server_survives_every_exit",
    "test_handlers_of_the_host_program_stay",
    "test_killed_manager_leaves_the_other_alone",
    "test_manager_and_supervisor_killed_together",
    "test_manager_in_a_forked_child",
    "test_no_exit_leaves_anything",
]

SIGNALS = {"term": signal.SIGTERM, "int": signal.SIGINT, "kill": signal.SIGKILL}
EXITS = ("close", "end", "exit", "_exit", "raise", "fork", *SIGNALS)
SEED = int(os.environ.get("STAGE_SEED") or time.time())


def how(exit_: str) -> str:
    return "wait" if exit_ in SIGNALS else exit_


async def leave(user: User, exit_: str) -> None:
    """Have the program end, and wait until it has."""
    if exit_ in SIGNALS:
        send(SIGNALS[exit_], user.process.pid)
    else:
        user.go()
    if exit_ == "fork":
        user.child = (await user.said())["child"]
    await user.ended()


@pytest.mark.parametrize("exit_", EXITS)
async def test_no_exit_leaves_anything(
    stage: Stage, exit_: str, record_property: Callable[[str, object], None]
) -> None:
    async with stage.user(how(exit_)) as user:
        before = stage.processes()
        assert {user.server, *children(user.server)} <= set(before)
        await leave(user, exit_)
        left = time.monotonic()
        await until(lambda: not any(map(is_alive, before)), "server and runners to be gone")
        record_property("seconds_until_nothing_was_left", time.monotonic() - left)
        await stage.nothing_left()
        if user.child:
            assert is_alive(user.child), "the child had the connection, and no lease"
            send(signal.SIGKILL, user.child)


async def test_manager_and_supervisor_killed_together(stage: Stage) -> None:
    async with stage.user() as user:
        before = stage.processes()
        send(signal.SIGKILL, user.process.pid, parent(user.server))
        await until(lambda: not any(map(is_alive, before)), "server and runners to be gone")
        await stage.nothing_left()


async def test_foreign_server_survives_every_exit(stage: Stage) -> None:
    with stage.foreign(slots=len(EXITS)) as server:
        await until(lambda: answers(stage.port))
        async with AsyncExitStack() as stack:
            users = await asyncio.gather(
                *(stack.enter_async_context(stage.user(how(exit_))) for exit_ in EXITS)
            )
            for user, exit_ in zip(users, EXITS, strict=True):
                assert user.server is None, "it is not ours"
                await leave(user, exit_)
                assert server.poll() is None, exit_
                if user.child:
                    send(signal.SIGKILL, user.child)
        async with stage.make(autostart=False) as m:
            assert await m.list_models()
            assert m.status().ownership == "foreign"
            assert server.poll() is None


async def test_handlers_of_the_host_program_stay(stage: Stage) -> None:
    async with stage.user("handlers") as user:
        assert (await user.said())["kept"]
        handled = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1]
        for number in handled:
            send(number, user.process.pid)
        assert (await user.said())["came"] == sorted(handled)
        assert await user.ended() == 0


async def test_killed_manager_leaves_the_other_alone(stage: Stage) -> None:
    async with stage.user() as user, stage.make() as m:
        options = ENDLESS | {"num_predict": stage.tokens}
        stream = await m.chat(stage.model, LONG, stream=True, **options)
        async for _ in stream:
            break
        assert m.status().pid == user.server
        send(signal.SIGKILL, user.process.pid)
        await user.ended()
        answer = await stream.final()
        assert answer.done
        assert answer.eval_count == stage.tokens
        assert m.status().pid == user.server
        assert m.status().restarts == 0


async def test_manager_in_a_forked_child(stage: Stage) -> None:
    async with stage.user("child") as user:
        said = await user.said()
        assert said.get("models"), f"the child took a lease of its own: {said}"
        assert (await user.said())["chunks"] == 5, "the parent's stream is unharmed"
        assert await user.ended() == 0


async def test_fifty_processes_share_one_server(stage: Stage) -> None:
    if stage.kind == "async":
        pytest.skip("the processes have no manager around the link")
    print(f"STAGE_SEED={SEED} plays it again")
    await crowd(stage, 50, random.Random(SEED))
