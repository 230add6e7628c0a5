"""Colours, help, the version; what is imported for them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from manager.cli.exit_codes import MEANINGS
from manager.version import __version__

from .cli_testing import PROGRAM, shown_on

if TYPE_CHECKING:
    from .cli_testing import Shell


COMMANDS = (
    *("demo", "start", "stop", "restart", "status", "logs", "simulate"),
    *("list", "show", "pull", "chat", "embed"),
)


def in_a_terminal(shell: Shell, *words: str, **env: str) -> str:
    """Run the program with a terminal for all three streams, and return what it showed."""
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, *words],
        env={**shell.env, "TERM": "xterm-256color", **env},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    shown = shown_on(master)
    os.close(master)
    process.wait(30)
    return shown.decode()


def test_colours_are_for_terminals(warm: Shell) -> None:
    assert "\x1b[" in in_a_terminal(warm, "show", "nope")
    assert "\x1b[" not in in_a_terminal(warm, "show", "nope", NO_COLOR="1")
    assert "\x1b[" not in in_a_terminal(warm, "show", "nope", "--no-color")
    piped = warm.run("show", "nope")
    assert "\x1b" not in piped.stdout + piped.stderr


def test_embed_shows_a_summary_on_a_terminal(warm: Shell) -> None:
    shown = in_a_terminal(warm, "embed", "simulated-embed", "red roses", NO_COLOR="1")
    assert "red roses" in shown
    assert "384" in shown
    assert 1 < shown.count("+0.") + shown.count("-0.") <= 3  # not all of it


def test_help_names_every_command_and_exit_code(cold: Shell) -> None:
    text = " ".join(cold.ok("--help").split())
    for command in COMMANDS:
        assert re.search(rf"\b{command}\b", text)
    for code, meaning in MEANINGS.items():
        assert f"{code.value} {meaning}" in text.replace("│ ", "").replace(" │", "")


def test_every_command_has_help(cold: Shell) -> None:
    assert "Usage" in cold.ok(COMMANDS[0], "--help")
    # in one process: starting one for each takes longest
    code = (
        "import sys\n"
        "from manager.cli import main\n"
        "sys.exit(sum(main([command, '--help']) for command in sys.argv[1:]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *COMMANDS], env=cold.env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert re.findall(r"Usage: \S+ (\S+)", done.stdout) == list(COMMANDS)


def test_version(cold: Shell) -> None:
    assert cold.ok("--version") == f"ollama-manager {__version__}\n"


def test_without_a_command_the_help_is_shown(cold: Shell) -> None:
    done = cold.run()
    assert done.returncode == 2
    assert "Usage" in done.stdout + done.stderr


def test_help_imports_no_client(cold: Shell) -> None:
    code = (
        "import sys\n"
        "from manager.cli import main\n"
        "main(['--help'])\n"
        "heavy = {'httpx', 'msgspec', 'watchdog', 'attrs', 'ollama_api', 'asyncio'}\n"
        "sys.exit(' '.join(sorted(heavy & set(sys.modules))) or 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=cold.env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_terminal_that_lacks_characters(warm: Shell, encoding: str) -> None:
    done = warm.run("chat", "simulated", "gr\u00fc\u00dfe \u2713", PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
