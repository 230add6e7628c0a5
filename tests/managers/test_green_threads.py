"""Programs whose threads are those of eventlet or gevent: a manager works in them."""

from __future__ import annotations

import asyncio
import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from .either import PATIENCE

PROGRAM = str(Path(__file__).with_name("green_program.py"))

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no server is started there")


@pytest.mark.parametrize("late", [False, True], ids=["patched first", "imported first"])
@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("patcher", ["eventlet", "gevent"])
async def test_what_they_replace(
    managed: dict[str, Any], patcher: str, kind: str, late: bool
) -> None:
    if find_spec(patcher) is None:
        pytest.skip(f"{patcher} is not installed")
    settings = {"host": managed["host"], "binary": managed["binary"]}
    about = {"patcher": patcher, "kind": kind, "late": late, "settings": settings}
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "ignore", PROGRAM, json.dumps(about)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await asyncio.wait_for(program.communicate(), 2 * PATIENCE)
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
    assert [json.loads(line) for line in output.splitlines()] == [
        ["no program", "server_not_found"],
        ["started", "ready"],
        ["answers", True],
        ["closed by another", False],
        ["after a crash", True],
        ["closed", "stopped"],
    ], errors.decode()
    assert program.returncode == 0
