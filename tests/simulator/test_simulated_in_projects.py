"""The simulator in a project that has a module `manager` of its own."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from typing import TYPE_CHECKING

import pytest

from manager.testing import OllamaProgram, OllamaServer

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder is a project with a `manager.py`, and PYTHONPATH names it."""
    wrong = "raise SystemExit('this is the wrong one')\n"
    (tmp_path / "manager.py").write_text(wrong, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


@pytest.mark.usefixtures("project")
def test_it_starts_with_its_runners() -> None:
    with OllamaServer(process=True) as server:
        server.reply("Hello!")
        body = b'{"model": "simulated", "prompt": "?", "stream": false}'
        with urllib.request.urlopen(f"{server.base_url}/api/generate", body) as answer:
            assert json.load(answer)["response"] == "Hello!"


@pytest.mark.usefixtures("project")
def test_the_program_starts() -> None:
    with OllamaProgram() as program:
        done = subprocess.run(
            [*program.binary, "--version"],
            env={**os.environ, **program.env},
            capture_output=True,
            text=True,
            check=False,
        )
    assert "simulated" in done.stdout, done.stderr
