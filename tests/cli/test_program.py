"""Commands as programs: they do what they do within the process of the other tests.

What only a program can do is beside what it belongs to: signals and closed pipes.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from .inside import shown_on

if TYPE_CHECKING:
    from .cli_testing import Shell

# Codes 5 and 130 need more than a command: below, and in tests of signals.
WORDS = [
    (["--version"], 0),
    (["config", "schema"], 0),
    (["show", "simulated"], 0),
    (["chat", "simulated-embed", "hi"], 1),
    (["list", "--nonsense", "--json"], 2),
    (["status", "--host", "127.0.0.1:1"], 3),
    (["embed", "nope", "text"], 4),
]


@pytest.mark.parametrize(("words", "code"), WORDS)
def test_exit_codes(warm: Shell, words: list[str], code: int) -> None:
    done = warm.run_program(*words)
    assert done.code == code
    assert done == warm.run(*words)


def test_the_exit_code_of_a_timeout(warm: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"http://127.0.0.1:{silent.getsockname()[1]}/silent"
        words = ("--host", host, "chat", "simulated", "hi", "--timeout", "0.1")
        done = warm.run_program(*words, OLLAMA_MANAGER_RETRY_MAX_ATTEMPTS="1")
        assert done.code == 5
        assert done == warm.run(*words, OLLAMA_MANAGER_RETRY_MAX_ATTEMPTS="1")


def test_what_a_terminal_shows(warm: Shell) -> None:
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    program = warm.start_program("show", "nope", stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    shown = shown_on(master).decode().replace("\r\n", "\n")
    os.close(master)
    assert program.wait(30) == 4
    assert "\x1b[" in shown
    assert shown == warm.on_a_terminal("show", "nope").out
