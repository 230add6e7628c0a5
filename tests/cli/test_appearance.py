"""Colours, help, the version; what is imported for them."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from manager.cli.exit_codes import MEANINGS
from manager.version import __version__

if TYPE_CHECKING:
    from .cli_testing import Shell


COMMANDS = (
    *("demo", "start", "stop", "restart", "status", "logs", "simulate"),
    *("list", "show", "pull", "chat", "embed"),
)


def test_colours_are_for_terminals(warm: Shell) -> None:
    pytest.importorskip("pty")
    assert "\x1b[" in warm.on_a_terminal("show", "nope").out
    assert "\x1b[" not in warm.on_a_terminal("show", "nope", NO_COLOR="1").out
    assert "\x1b[" not in warm.on_a_terminal("show", "nope", "--no-color").out
    piped = warm.run("show", "nope")
    assert "\x1b" not in piped.out + piped.err


def test_embed_shows_a_summary_on_a_terminal(warm: Shell) -> None:
    pytest.importorskip("pty")
    shown = warm.on_a_terminal("embed", "simulated-embed", "red roses", NO_COLOR="1").out
    assert "red roses" in shown
    assert "384" in shown
    assert 1 < shown.count("+0.") + shown.count("-0.") <= 3  # not all of it


def test_help_names_every_command_and_exit_code(cold: Shell) -> None:
    text = " ".join(cold.ok("--help").split())
    for command in COMMANDS:
        assert re.search(rf"\b{command}\b", text)
    for code, meaning in MEANINGS.items():
        assert f"{code.value} {meaning}" in text.replace("│ ", "").replace(" │", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(cold: Shell, command: str) -> None:
    assert f"Usage: ollama-manager {command} " in cold.ok(command, "--help")


def test_version(cold: Shell) -> None:
    assert cold.ok("--version") == f"ollama-manager {__version__}\n"


def test_without_a_command_the_help_is_shown(cold: Shell) -> None:
    done = cold.run()
    assert done.code == 2
    assert "Usage" in done.out + done.err


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
    words = ("chat", "simulated", "gr\u00fc\u00dfe \u2713")
    done = warm.run_program(*words, PYTHONIOENCODING=encoding)
    assert done.code == 0, done.err
