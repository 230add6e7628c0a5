"""What is said of a supervisor that does not come up, by programs in the place of its Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from manager.errors import ServerStartError
from manager.supervisor import spawn

from ..measuring import measured


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is executed instead of Python; a test says what it does."""
    program = tmp_path / "python"
    monkeypatch.setattr(sys, "executable", str(program))
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
    monkeypatch.setattr(spawn, "_TIMEOUT", 0.05)
    # it goes away with its output, as whoever reads it does
    script(python, "while echo still not there; do :; done 2>/dev/null")
    with pytest.raises(ServerStartError, match="still not there"):
        spawn.spawn_supervisor("127.0.0.1", 1)


def test_a_python_that_is_not_there(python: Path) -> None:
    with pytest.raises(ServerStartError, match=f"'{python}': No such file"):
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
