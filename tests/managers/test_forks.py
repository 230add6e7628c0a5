"""A program that forks: what the child does with what it has of its parent harms nobody."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .either import PATIENCE

if TYPE_CHECKING:
    from manager.simulator.process import SimulatedServer

PROGRAM = str(Path(__file__).with_name("forking_program.py"))
ACTS = ("close_manager", "use_and_close", "close_stream", "drop", "leave", "exit")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")


async def play(kind: str, *acts: str, **settings: Any) -> list[dict[str, Any]]:
    """Run the program, and return what it says of each act."""
    about = {"acts": acts, "kind": kind, "settings": settings}
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, PROGRAM, json.dumps(about)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await asyncio.wait_for(program.communicate(), 2 * PATIENCE)
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
    assert not errors, errors.decode()
    assert program.returncode == 0
    return [json.loads(line) for line in output.splitlines()]


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_child_leaves_its_parents_stream_alone(
    kind: str, slow_server: SimulatedServer
) -> None:
    said = await play(kind, *ACTS, host=slow_server.host)
    unharmed = {"child": 0, "done": True}
    assert dict(zip(ACTS, said, strict=True)) == dict.fromkeys(ACTS, unharmed)


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_child_is_not_held_up_by_a_thread_of_its_parent(
    kind: str, slow_server: SimulatedServer
) -> None:
    assert await play(kind, "locked", host=slow_server.host) == [{"child": 0, "done": True}]


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_restart_does_not_wait_for_a_child_with_a_stream_of_its_parent(
    kind: str, managed: dict[str, Any]
) -> None:
    (said,) = await play(kind, "stay", **managed, drain_timeout=20)
    assert said["seconds"] < 15
