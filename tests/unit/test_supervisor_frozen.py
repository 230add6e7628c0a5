"""Whose executable starts the supervisor: a Python's, a frozen program's, or nobody's."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

import manager
from manager.config import ServerConfig
from manager.demo.stage import find_stage
from manager.errors import ServerStartError
from manager.simulator import SimulatedServer
from manager.simulator.command import simulator_command
from manager.simulator.runner_process import RunnerProcess
from manager.supervisor import frozen, interpreter, reporting, spawn
from manager.supervisor.processes import find
from manager.supervisor.reporting import start_and_hear
from manager.testing import OllamaProgram

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no supervisor runs there")
PATIENCE = 30
PYTHON = sys.executable


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The command lines of all programs that are started, each of which does nothing."""
    lines: list[list[str]] = []

    def start(words: list[str], environ: dict[str, str], *_: object) -> bytes:
        assert environ[frozen.SPAWNED]
        lines.append(words)
        return b"listening\n"

    monkeypatch.setattr(spawn, "start_and_hear", start)
    monkeypatch.setattr(interpreter, "start_and_hear", start)
    return lines


@pytest.fixture(autouse=True)
def _no_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frozen, "_program", None)
    monkeypatch.setattr(interpreter, "_checked", set())


def refused(code: str) -> ServerStartError:
    with pytest.raises(ServerStartError) as caught:
        spawn.spawn_supervisor("127.0.0.1", 1)
    assert (caught.value.code, caught.value.retryable) == (code, False)
    assert caught.value.hint
    return caught.value


def script(path: Path, lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o700)
    return path


def this_python(path: Path) -> Path:
    """A program that is this Python, but not the one that runs."""
    return script(path, f'exec {PYTHON} "$@"')


class TestRefusals:
    @pytest.mark.parametrize("value", [True, "macosx_app"])
    def test_a_frozen_program(
        self, monkeypatch: pytest.MonkeyPatch, started: list[list[str]], value: object
    ) -> None:
        monkeypatch.setattr(sys, "frozen", value, raising=False)
        assert "freeze_support()" in str(refused("frozen_program").hint)
        assert started == []

    @pytest.mark.parametrize("value", [True, SimpleNamespace(standalone=True)])
    def test_a_program_of_nuitka(
        self, monkeypatch: pytest.MonkeyPatch, started: list[list[str]], value: object
    ) -> None:
        monkeypatch.setattr(sys.modules["__main__"], "__compiled__", value, raising=False)
        refused("frozen_program")
        assert started == []

    def test_a_program_of_nuitka_that_runs_with_an_installed_python(
        self, monkeypatch: pytest.MonkeyPatch, started: list[list[str]]
    ) -> None:
        value = SimpleNamespace(standalone=False)
        monkeypatch.setattr(sys.modules["__main__"], "__compiled__", value, raising=False)
        spawn.spawn_supervisor("127.0.0.1", 1)
        assert [words[0] for words in started] == [sys.executable]

    @pytest.mark.parametrize("value", [None, "", "/no/such/python", "/"])
    def test_no_executable(
        self, monkeypatch: pytest.MonkeyPatch, started: list[list[str]], value: str | None
    ) -> None:
        monkeypatch.setattr(sys, "executable", value)
        assert repr(value) in str(refused("python_not_found"))
        assert started == []

    def test_a_process_that_was_started_to_be_the_supervisor(
        self, monkeypatch: pytest.MonkeyPatch, started: list[list[str]]
    ) -> None:
        """Whatever else fails: the second start of a program starts no third one."""
        monkeypatch.setenv(frozen.SPAWNED, "1")
        monkeypatch.setattr(frozen, "_program", ("/opt/program",))
        refused("frozen_program")
        assert started == []

    def test_the_mark_is_no_setting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(frozen.SPAWNED, "1")
        manager.ManagerConfig()
        manager.OllamaManager().close()


class TestPythons:
    """Under uWSGI and in programs that embed Python, `sys.executable` is something else."""

    @pytest.fixture
    def prefix(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
        monkeypatch.setattr(sys, "base_prefix", str(tmp_path / "base"))
        return tmp_path

    def test_the_one_that_runs_is_not_tried_first(self, started: list[list[str]]) -> None:
        assert interpreter.find_python() == sys.executable
        assert started == []

    def test_what_has_another_name_is_never_run(
        self, prefix: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        host = script(prefix / "host", f"touch {prefix}/ran")
        monkeypatch.setattr(sys, "executable", str(host))
        assert str(host) in str(refused("python_not_found"))
        assert not (prefix / "ran").exists()

    @pytest.mark.parametrize("folder", ["venv", "base"])
    @pytest.mark.parametrize("name", ["python", "python3", "python{}.{}".format(*sys.version_info)])
    def test_the_python_of_its_prefix_is_used(
        self, prefix: Path, monkeypatch: pytest.MonkeyPatch, folder: str, name: str
    ) -> None:
        monkeypatch.setattr(sys, "executable", str(script(prefix / "uwsgi", "exit 1")))
        python = this_python(prefix / folder / "bin" / name)
        assert interpreter.find_python() == str(python)
        monkeypatch.setattr(interpreter, "start_and_hear", None)
        assert interpreter.find_python() == str(python)  # known by now

    @pytest.mark.parametrize(
        "lines",
        [
            "echo python cpython 2 7",
            "echo usage: python FILE >&2; exit 2",
            "exit 0",
            "yes",
        ],
    )
    def test_another_program_called_python_is_passed_over(
        self, prefix: Path, monkeypatch: pytest.MonkeyPatch, lines: str
    ) -> None:
        own = script(prefix / "app" / "python3", lines)
        monkeypatch.setattr(sys, "executable", str(own))
        assert str(own) in str(refused("python_not_found"))
        python = this_python(prefix / "base" / "bin" / "python3")
        assert interpreter.find_python() == str(python)

    def test_one_that_hangs_is_killed_with_its_children(
        self, prefix: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(interpreter, "_PATIENCE", 1.0)
        notes = prefix / "notes"
        own = script(prefix / "python", f"trap '' TERM HUP\nsleep 600 & echo $$ $! >{notes}\nwait")
        monkeypatch.setattr(sys, "executable", str(own))
        refused("python_not_found")
        pids = [int(pid) for pid in notes.read_text().split()] if notes.exists() else []
        deadline = time.monotonic() + 30  # what is killed takes a moment to go
        while any(find(pid) is not None for pid in pids):
            assert time.monotonic() < deadline, pids
            time.sleep(0.01)

    def test_a_file_that_cannot_be_run(self, prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        own = prefix / "python"
        own.write_bytes(b"\x7fnot really")
        own.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(own))
        refused("python_not_found")

    def test_a_relative_path(self, prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        this_python(prefix / "python")
        monkeypatch.chdir(prefix)
        monkeypatch.setattr(sys, "executable", "python")
        assert interpreter.find_python() == str(prefix / "python")

    def test_where_there_is_no_proc(
        self, prefix: Path, monkeypatch: pytest.MonkeyPatch, started: list[list[str]]
    ) -> None:
        def refuse(_path: str) -> str:
            raise FileNotFoundError

        monkeypatch.setattr(os, "readlink", refuse)
        for folder in ("venv", "base"):
            own = this_python(prefix / folder / "bin" / "python")
            monkeypatch.setattr(sys, "executable", str(own))
            assert interpreter.find_python() == str(own)
        assert started == []


class TestEntry:
    """`freeze_support`, as the first lines of a frozen program call it."""

    def test_it_does_nothing_in_other_programs(self) -> None:
        manager.freeze_support()
        assert frozen.entry_words("::1", 1) is None

    def test_a_program_of_pyinstaller(
        self, monkeypatch: pytest.MonkeyPatch, started: list[list[str]]
    ) -> None:
        monkeypatch.setattr(sys, "frozen", True, raising=False)
        monkeypatch.setattr(sys, "executable", "/opt/program")
        manager.freeze_support()
        spawn.spawn_supervisor("::1", 11434)
        assert [words[-4:] for words in started] == [
            ["/opt/program", "--ollama-manager-supervisor", "::1", "11434"]
        ]

    def test_a_program_of_nuitka(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys.modules["__main__"], "__compiled__", True, raising=False)
        monkeypatch.setattr(sys, "argv", ["/opt/program.bin", "x"])
        manager.freeze_support()
        assert (frozen.entry_words("::1", 1) or [])[0] == "/opt/program.bin"

    def test_a_program_that_says_how_it_is_started(self) -> None:
        manager.freeze_support(["/opt/host", "--script", "main.py"])
        assert (frozen.entry_words("::1", 1) or [])[:3] == ["/opt/host", "--script", "main.py"]

    @pytest.mark.parametrize(
        ("environ", "expected"),
        [
            (
                {"LD_LIBRARY_PATH": "/app", "LD_LIBRARY_PATH_ORIG": "/own"},
                {"LD_LIBRARY_PATH": "/own"},
            ),
            ({"LD_LIBRARY_PATH": "/app"}, {}),
            ({"LD_LIBRARY_PATH": "/own"}, {"LD_LIBRARY_PATH": "/own"}),
        ],
    )
    def test_its_own_libraries_are_not_for_other_programs(
        self, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], expected: dict[str, str]
    ) -> None:
        monkeypatch.setattr(sys, "prefix", "/app")
        monkeypatch.setattr(os, "environ", environ)
        assert frozen.plain_environ() == environ
        monkeypatch.setattr(sys, "frozen", True, raising=False)
        assert frozen.plain_environ() == expected
        assert frozen.entry_environ() == {
            **expected,
            "PYINSTALLER_RESET_ENVIRONMENT": "1",
            "PYINSTALLER_SUPPRESS_SPLASH_SCREEN": "1",
        }


PROGRAM = """
import os, sys
sys.path[:0] = {path!r}
print("started", os.getpid(), flush=True)
from manager import freeze_support
try:
    freeze_support([sys.executable, __file__])
except BaseException as error:
    print("it came back with", repr(error), flush=True)
print("the program goes on", flush=True)
"""


class TestSecondStart:
    """The program of `freeze_support(command)`, which anything can be, as its own supervisor."""

    @pytest.fixture
    def program(self, tmp_path: Path) -> Path:
        path = tmp_path / "program.py"
        path.write_text(PROGRAM.format(path=sys.path))
        return path

    def run(self, program: Path, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(program), *words],
            env={**os.environ, frozen.SPAWNED: "1"},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    @pytest.mark.parametrize("words", [[], ["serve"], ["--file", "a", "b"]])
    def test_it_ends_when_it_is_no_supervisor(self, program: Path, words: list[str]) -> None:
        done = self.run(program, *words)
        assert done.returncode == 1
        assert "goes on" not in done.stdout
        assert "ValueError" in done.stderr

    def test_it_ends_when_the_supervisor_fails(self, program: Path) -> None:
        done = self.run(program, "--ollama-manager-supervisor", "127.0.0.1", "no port")
        assert done.returncode == 1
        assert "it came back" not in done.stdout
        assert "no port" in done.stderr.splitlines()[-1]


def test_a_report_of_more_than_one_line() -> None:
    words = ["/bin/sh", "-c", "printf 'first\\nsec'; printf 'ond\\n'"]
    said = start_and_hear(words, dict(os.environ), (b"second\n",), PATIENCE)
    assert said == b"first\nsecond\n"
    assert not reporting.heard(b"first second\n", (b"second\n",))


def test_nothing_is_left_where_the_report_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where nothing is left to wait with."""
    monkeypatch.delattr(reporting.selectors, "DefaultSelector")  # type: ignore[attr-defined]
    notes = tmp_path / "notes"
    words = ["/bin/sh", "-c", f"trap '' TERM HUP; echo $$ >{notes}; exec sleep 600"]
    with pytest.raises(AttributeError):
        start_and_hear(words, dict(os.environ), (b"listening\n",), PATIENCE)
    pid = notes.read_text().strip() if notes.exists() else ""
    assert not pid or find(int(pid)) is None


def test_the_simulator_is_not_started_by_a_frozen_program(monkeypatch: pytest.MonkeyPatch) -> None:
    assert simulator_command("serve")[0] == sys.executable
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    for start in (
        simulator_command,
        SimulatedServer().start,
        lambda: OllamaProgram().binary,
        lambda: RunnerProcess("model", lambda _: None),
        lambda: find_stage(manager.ManagerConfig(server=ServerConfig(binary=("/no/such",)))),
    ):
        with pytest.raises(ServerStartError, match="run the simulator") as caught:
            start()
        assert caught.value.code == "frozen_program"
