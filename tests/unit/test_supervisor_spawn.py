"""What is said of a supervisor that does not come up, by programs in the place of its Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from manager.errors import ServerStartError
from manager.supervisor import spawn
from manager.supervisor.processes import find

from ..measuring import measured


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is executed instead of Python; a test says what it does."""
    program = tmp_path / "python"
    monkeypatch.setattr(spawn, "find_python", lambda: str(program))
    return program


def script(program: Path, lines: str) -> None:
    program.write_text(f"#!/bin/sh\n{lines}\n")
    program.chmod(0o700)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("exit 1", "it said nothing"),
        ("echo Traceback; echo 'OSError: no room' >&2; exit 1", "OSError: no room"),
        ("printf 'listen'; exit", "listen"),  # died in the middle of the word
    ],
)
def test_what_it_said_last(python: Path, lines: str, reason: str) -> None:
    script(python, lines)
    with pytest.raises(ServerStartError, match=rf"did not start: {reason} \(It needs") as caught:
        spawn.spawn_supervisor("127.0.0.1", 1)
    assert caught.value.code == "supervisor_failed"
    assert caught.value.hint


def test_one_that_says_nothing_is_not_waited_for(
    python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spawn, "_TIMEOUT", 1.0)
    script(python, f"trap '' HUP TERM PIPE\necho $$ >{python}.pid\necho not yet\nsleep 600")
    with pytest.raises(ServerStartError, match="not yet"):
        spawn.spawn_supervisor("127.0.0.1", 1)
    pid = Path(f"{python}.pid")
    assert not pid.exists() or find(int(pid.read_text())) is None, "nothing is left of it"


def test_a_python_that_is_not_there(python: Path) -> None:
    with pytest.raises(ServerStartError, match=f"'{python}': No such file"):
        spawn.spawn_supervisor("127.0.0.1", 1)


def test_what_a_loader_prints_first_does_no_harm(python: Path) -> None:
    script(python, "echo 'ERROR: ld.so: object cannot be preloaded' >&2; echo listening")
    spawn.spawn_supervisor("127.0.0.1", 1)


def test_one_that_prints_without_end_is_ended(python: Path) -> None:
    script(python, "yes")
    with pytest.raises(ServerStartError, match="did not start: y"):
        spawn.spawn_supervisor("127.0.0.1", 1)


@pytest.mark.parametrize("word", ["listening", "taken"])
def test_it_may_come_in_pieces(python: Path, word: str) -> None:
    script(python, f"printf {word[:4]}; echo {word[4:]}")
    spawn.spawn_supervisor("127.0.0.1", 1)


def test_coverage_finds_its_place_in_the_first_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    words: list[str] = []

    def popen(args: list[str], **_: object) -> None:
        words.extend(args)
        raise FileNotFoundError(2, "it is not started here")

    monkeypatch.setattr(subprocess, "Popen", popen)
    with pytest.raises(ServerStartError):
        spawn.spawn_supervisor("127.0.0.1", 1)
    forked, _, rest = "\n".join(measured(words)).partition("coverage.process_startup()")
    assert "os.fork()" in forked  # the process that ends at once is not measured
    assert "from manager.supervisor.__main__" in rest
    for other in (["ollama", "serve"], [sys.executable, Path("program.py"), b"word"]):
        assert measured(other) == other
