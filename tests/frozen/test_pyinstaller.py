"""A program frozen with PyInstaller, in a folder and in one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from manager.supervisor.client import inspect, stop_managed
from manager.supervisor.link import SupervisorLink
from manager.supervisor.settings import ServerSettings

from ..managers.either import PATIENCE, SIMULATOR
from ..process.conftest import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from .guarded import Guarded

    Start = Callable[..., Guarded]


def test_without_the_entry_nothing_is_started(program: Path, start: Start) -> None:
    run = start(program)
    assert run.ended() == 0, run.output
    assert (run.said["error"], run.said["code"]) == ("ServerStartError", "frozen_program")
    assert "freeze_support()" in run.said["hint"]
    assert len(run.starts) == 1
    assert run.alive() == []


def test_with_the_entry_the_program_is_its_own_supervisor(program: Path, start: Start) -> None:
    run = start(program, ENTRY="1")
    assert run.ended() == 0, run.output
    assert run.said["models"] > 0
    assert [len(arguments) for arguments in run.starts] == [1, 4]
    eventually(lambda: not run.alive(), "all of it is gone", PATIENCE)
    assert not list(run.folder.glob("_MEI*")), "what was unpacked is deleted"


def test_a_program_that_was_started_as_another_programs_supervisor(
    program: Path, start: Start
) -> None:
    """Whatever went wrong with its arguments or its first lines, it starts nothing."""
    with_entry = start(program, ENTRY="1", OLLAMA_MANAGER_SPAWNED="1")
    without = start(program, OLLAMA_MANAGER_SPAWNED="1")
    assert with_entry.ended() == 1
    assert "Error" in with_entry.output
    assert without.ended() == 0
    assert without.said["code"] == "frozen_program"
    for run in (with_entry, without):
        assert len(run.starts) == 1


def test_its_supervisor_outlives_it(program: Path, start: Start, port: int) -> None:
    run = start(program, ENTRY="1", OLLAMA_MANAGER_SERVER_LINGER="600", LD_LIBRARY_PATH="/own")
    assert run.ended() == 0, run.output
    first = inspect("127.0.0.1", port)
    assert first is not None
    assert first.ready
    settings = ServerSettings(port=port, base_url=f"http://127.0.0.1:{port}", binary=(*SIMULATOR,))
    link = SupervisorLink(settings)
    try:
        second = link.restart().result(PATIENCE)
        assert second.supervisor_pid == first.supervisor_pid
        assert second.pid != first.pid
        environ = Path(f"/proc/{second.pid}/environ").read_text().split("\0")
        assert "LD_LIBRARY_PATH=/own" in environ
        ours = ("LD_LIBRARY_PATH_ORIG", "PYINSTALLER_", "OLLAMA_MANAGER_SPAWNED")
        assert [entry for entry in environ if entry.startswith(ours)] == []
    finally:
        link.close().result(PATIENCE)
    stop_managed("127.0.0.1", port)
    assert len(run.starts) == 2
    eventually(lambda: not run.alive(), "all of it is gone", PATIENCE)
    assert not list(run.folder.glob("_MEI*"))
