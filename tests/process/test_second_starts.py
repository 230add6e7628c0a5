"""Programs that are started a second time: to be the supervisor, or by mistake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from manager.supervisor.client import inspect

from .conftest import DEADLINE, eventually

if TYPE_CHECKING:
    from .conftest import World

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

FIRST_LINES = """
import json, os, sys
sys.path[:0] = {path!r}
with open({notes!r}, "a") as file:
    print(sys.argv[1:], file=file)
"""
ENTRY = """
from manager import freeze_support
freeze_support([sys.executable, __file__])
"""
# A program that embeds Python, is found to be its `sys.executable`, and is called like a Python.
MISTAKEN = """
sys.executable = {launcher!r}
"""
USE = """
from manager import OllamaManagerError
from manager.supervisor.link import SupervisorLink
from manager.supervisor.settings import ServerSettings
link = SupervisorLink(ServerSettings.from_dict(json.loads({settings!r})))
try:
    print(json.dumps({{"server": link.acquire().result(60).pid}}), flush=True)
    sys.stdin.readline()
except OllamaManagerError as error:
    print(json.dumps(error.to_dict()), flush=True)
link.close().result(60)
"""


class Program:
    """The text of a program, and how often it was started."""

    def __init__(self, world: World, *parts: str) -> None:
        folder = world.folder
        self.notes = folder / "starts"
        self.path = folder / "program.py"
        self.launcher = folder / "python-like"
        self.launcher.write_text(f'#!/bin/sh\nexec {sys.executable} {self.path} "$@"\n')
        self.launcher.chmod(0o700)
        settings = json.dumps(world.settings().to_dict())
        values = {"path": sys.path, "notes": str(self.notes), "settings": settings}
        text = "".join(parts).format(launcher=str(self.launcher), **values)
        self.path.write_text(text)
        self.process = subprocess.Popen(
            [sys.executable, str(self.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def say(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    @property
    def starts(self) -> list[str]:
        return self.notes.read_text().splitlines()


def test_the_entry_makes_a_program_its_own_supervisor(world: World) -> None:
    program = Program(world, FIRST_LINES, ENTRY, USE)
    try:
        server = program.say()["server"]
        seen = inspect("127.0.0.1", world.port)
        assert seen is not None
        world.note(seen)
        assert seen.pid == server
        supervisor = Path(f"/proc/{seen.supervisor_pid}")
        words = (supervisor / "cmdline").read_text().rstrip("\0").split("\0")
        address = ["--ollama-manager-supervisor", "127.0.0.1", str(world.port)]
        assert words == [sys.executable, str(program.path), *address]
        assert program.starts == ["[]", str(address)]
        assert os.getsid(int(supervisor.name)) != os.getsid(program.process.pid)
        assert (supervisor / "cwd").readlink() == Path("/")
        environ = Path(f"/proc/{server}/environ").read_text().split("\0")
        assert not [entry for entry in environ if "SPAWNED" in entry or "PYINSTALLER" in entry]
        assert program.process.communicate("\n", DEADLINE)[0] == ""
    finally:
        program.process.kill()
        program.process.communicate()
    eventually(world.all_gone)


def test_a_program_that_is_taken_for_a_python_is_started_once_and_starts_nothing(
    world: World,
) -> None:
    """The mark in its environment ends what would have gone on without end."""
    program = Program(world, FIRST_LINES, MISTAKEN, "sys.prefix = sys.base_prefix = '/no'\n", USE)
    try:
        assert program.say()["code"] == "python_not_found"
        assert program.process.wait(DEADLINE) == 0
    finally:
        program.process.kill()
        program.process.communicate()
    assert len(program.starts) == 2
    assert world.starts() == []


def test_the_python_of_its_prefix_takes_its_place(world: World) -> None:
    program = Program(world, FIRST_LINES, MISTAKEN, USE)
    try:
        seen = program.say()["server"]
        assert seen
        snapshot = inspect("127.0.0.1", world.port)
        assert snapshot is not None
        world.note(snapshot)
        program.process.communicate("\n", DEADLINE)
    finally:
        program.process.kill()
        program.process.communicate()
    assert len(program.starts) == 2
    eventually(world.all_gone)
