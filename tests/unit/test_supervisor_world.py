"""What the machine asks of the world, with real processes and no server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from manager.supervisor.loop import Loop
from manager.supervisor.processes import MARK, find, mark
from manager.supervisor.settings import ServerSettings
from manager.supervisor.states import ServerState
from manager.supervisor.world import World

from ..ports import free_port

if TYPE_CHECKING:
    from manager.supervisor.processes import Process
    from manager.supervisor.states import Snapshot


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_what_an_earlier_life_left_is_gone_before_a_server_is_spawned(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = ServerSettings(port=free_port(), log_dir=str(tmp_path))
    environ = {**os.environ, MARK: mark(settings.address, "1-1")}
    with subprocess.Popen(["sleep", "600"], env=environ) as leftover:
        deadline = time.monotonic() + 20
        # a process that has just begun its program has no environment yet
        while MARK.encode() not in Path(f"/proc/{leftover.pid}/environ").read_bytes():
            assert time.monotonic() < deadline
        there: list[Process | None] = []

        def spawned(*_: object) -> None:
            there.append(find(leftover.pid))
            raise FileNotFoundError(2, "No such file or directory", "ollama")

        monkeypatch.setattr("manager.supervisor.world.ServerProcess", spawned)
        monkeypatch.setattr(Loop, "on_signal", lambda *_: None)
        loop = Loop()

        def published(snapshot: Snapshot) -> None:
            if snapshot.state is ServerState.FAILED:
                loop.stop()

        world = World(
            loop,
            settings,
            published=published,
            ask_in_flight=lambda: None,
            foreign=lambda: None,
            rolled_back=lambda _: None,
        )
        world.command = ("ollama",)
        loop.set_timer("guard", 20, loop.stop)
        world.machine.start()
        loop.run()
        leftover.kill()
        assert there == [None], "it was still there"
