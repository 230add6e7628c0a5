"""A private world for each test: a free port, an empty home, a fake `ollama`; nothing survives."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from manager.supervisor.client import inspect, stop_managed
from manager.supervisor.link import SupervisorLink
from manager.supervisor.processes import find, kill, leftovers
from manager.supervisor.settings import ServerSettings

from ..managers.either import SIMULATOR
from ..ports import free_port
from .stage import Stage, played

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from manager.supervisor.processes import Process
    from manager.supervisor.states import Snapshot

FAKE = (sys.executable, "-S", "-E", str(Path(__file__).with_name("fake_ollama.py")))
DEADLINE = 20.0


def eventually(condition: Callable[[], Any], what: str = "", seconds: float = DEADLINE) -> Any:
    """Poll until the condition holds, and return what it gave."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or condition}"
        time.sleep(0.005)
    return value


class World:
    """One test's address, folder and managers, and all processes that came to be."""

    fake = FAKE
    eventually = staticmethod(eventually)

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.notes = folder / "notes"
        self.links: list[SupervisorLink] = []
        self.seen: list[Snapshot] = []
        self.known: set[Process] = set()

    def settings(self, mode: str = "", **changes: Any) -> ServerSettings:
        env = {"FAKE_MODE": mode, "FAKE_NOTES": str(self.notes), **changes.pop("env", {})}
        values: dict[str, Any] = {
            "port": self.port,
            "base_url": f"http://127.0.0.1:{self.port}",
            "binary": FAKE,
            "env": env,
            "log_dir": str(self.folder / "logs"),
            "start_timeout": 20.0,
            **changes,
        }
        return ServerSettings(**values)

    def link(self, mode: str = "", **changes: Any) -> SupervisorLink:
        in_flight = changes.pop("in_flight", None)
        on_change = changes.pop("on_change", self.seen.append)
        link = SupervisorLink(
            self.settings(mode, **changes), on_change=on_change, in_flight=in_flight
        )
        self.links.append(link)
        return link

    def ready(self, mode: str = "", **changes: Any) -> tuple[SupervisorLink, Snapshot]:
        link = self.link(mode, **changes)
        snapshot = link.acquire().result(DEADLINE)
        self.note(snapshot)
        return link, snapshot

    def note(self, snapshot: Snapshot) -> None:
        """Remember processes, for `all_gone`."""
        for pid in (snapshot.pid, snapshot.supervisor_pid):
            process = find(pid) if pid else None
            if process is not None:
                self.known.add(process)
        for start in self.starts():
            for pid in (start["pid"], start["runner"]):
                process = find(pid) if pid else None
                if process is not None and process not in self.known:
                    self.known.add(process)

    def starts(self) -> list[dict[str, int]]:
        """One entry for every server that was ever started here."""
        if not self.notes.exists():
            return []
        return [json.loads(line) for line in self.notes.read_text().splitlines()]

    def all_gone(self) -> bool:
        return not any(process.alive() for process in self.known) and not leftovers(
            self.settings().address
        )

    def stable(self, snapshot: Snapshot) -> None:
        """Wait until a death no longer counts as an early one."""
        assert snapshot.started_at is not None
        started = snapshot.started_at
        eventually(lambda: time.monotonic() - started > 1.05)

    def clean_up(self) -> None:
        for link in self.links:
            link.close().result(DEADLINE)
        address = self.settings().address
        seen = inspect("127.0.0.1", self.port)
        if seen is not None and seen.supervisor_pid is not None:
            stop_managed("127.0.0.1", self.port)
        for process in leftovers(address):
            kill(process)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    for name in list(os.environ):
        if name.startswith("OLLAMA_"):
            monkeypatch.delenv(name)
    world = World(tmp_path)
    yield world
    try:
        for link in world.links:
            link.close().result(DEADLINE)
        eventually(world.all_gone, "every process is gone")
    finally:
        world.clean_up()


@pytest.fixture(params=["sync", "async"])
async def stage(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stage]:
    """The simulator, at a free port, for the managers of either kind."""
    for name in list(os.environ):
        if name.startswith("OLLAMA_"):
            monkeypatch.delenv(name)
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    env = {"OLLAMA_SIMULATOR_TOKEN_SECONDS": "0.02"}
    stage = Stage(request.param, "simulated", SIMULATOR, tmp_path, tokens=50, env=env)
    async with played(stage):
        yield stage
