"""The simulator as a program that a manager starts, scripted all the same."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from manager import OllamaManager, ServerCrashedError, StreamInterruptedError
from manager.testing import Crash, OllamaProgram, Reply

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.ollama_server(models=["llama3.2"])
def test_a_manager_starts_it_and_restarts_it(ollama_program: OllamaProgram) -> None:
    program = ollama_program
    program.reply("Still here.")
    program.fail_next(Crash(after=1), Crash())
    with OllamaManager(host=program.host, binary=program.binary, env=program.env) as m:
        with m.chat("llama3.2", "Hello", stream=True) as stream:
            with pytest.raises((StreamInterruptedError, ServerCrashedError)):
                list(stream)
            assert stream.partial is not None
            assert stream.partial.message.content == "Still"
        assert m.chat("llama3.2", "Hello?").message.content == "Still here."
        assert m.status().owned
        assert m.status().restarts == 2
    prompts = [request.prompt for request in program.requests_to("/api/chat")]
    assert prompts == ["Hello", "Hello?", "Hello?"]


def test_it_may_be_started_by_hand() -> None:
    with OllamaProgram(env={"OLLAMA_KEEP_ALIVE": "1m"}) as program:
        assert program.env["OLLAMA_KEEP_ALIVE"] == "1m"
        assert program.host.startswith("127.0.0.1:")
        shown = subprocess.run(
            [*program.binary, "--version"],
            env={**os.environ, **program.env},
            capture_output=True,
            text=True,
            check=True,
        )
    assert "simulated" in shown.stdout
    with pytest.raises(RuntimeError, match="within its `with` block"):
        _ = program.env


def test_what_its_functions_raise_is_kept() -> None:
    program = OllamaProgram()
    program.reply(Reply(content="fine"))
    assert program.errors == []
    assert program.requests == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing keeps a port for a server")
def test_its_address_is_nobody_elses() -> None:
    with OllamaProgram() as program:
        host, _, port = program.host.partition(":")
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind((host, int(port)))  # as if it had been given to the next who asks for any
        for _ in range(2):  # its server can listen there, again and again
            with socket.create_server((host, int(port))):
                pass
    with socket.socket() as other:
        other.bind((host, int(port)))
