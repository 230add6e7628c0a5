"""The command line against the simulated server, with a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..ports import free_port
from .inside import Done, run_inside, run_on_a_terminal

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = [sys.executable, "-m", "manager.cli"]
SIMULATOR = json.dumps([sys.executable, "-m", "manager.simulator"])

# What makes help colourful in a pipe, or nothing so on a terminal.
_COLOURS = ("NO_COLOR", "FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS")


@dataclass
class Shell:
    """Runs commands in an environment: within this process, or as programs where that matters.

    A program takes a quarter of a second of the processor, nearly all of it for its imports.
    """

    env: dict[str, str]

    def run(self, *words: str, stdin: str = "", **env: str) -> Done:
        """Run a command as in a pipe, within this process."""
        return run_inside(words, {**self.env, **env}, stdin)

    def ok(self, *words: str, stdin: str = "", **env: str) -> str:
        """Run a command that succeeds, and return what it wrote."""
        done = self.run(*words, stdin=stdin, **env)
        assert done.code == 0, done.err
        return done.out

    def json(self, *words: str, stdin: str = "") -> Any:
        """Run a command that succeeds, and return its result."""
        return json.loads(self.ok(*words, "--json", stdin=stdin))

    def on_a_terminal(self, *words: str, typed: str = "", **env: str) -> Done:
        """Run a command for a person who types all in advance, within this process."""
        return run_on_a_terminal(words, {**self.env, **env}, typed)

    def run_program(self, *words: str, stdin: str = "", **env: str) -> Done:
        """Run a command as a program of its own, and wait for its end."""
        done = subprocess.run(
            [*PROGRAM, *words],
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            env={**self.env, **env},
            timeout=60,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def start_program(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """Start a command as a program of its own."""
        return subprocess.Popen(
            [*PROGRAM, *words], env=self.env, text=True, encoding="utf-8", **options
        )

    @property
    def host(self) -> str:
        return f"http://{self.env['OLLAMA_HOST']}"


def clean_environment(home: Path) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OLLAMA", "XDG_")) and name not in _COLOURS
    }
    return {
        **kept,
        "HOME": str(home),
        "OLLAMA_HOST": f"127.0.0.1:{free_port()}",
        "OLLAMA_MANAGER_BINARY": SIMULATOR,
        "OLLAMA_SIMULATOR_TOKEN_SECONDS": "0",
        "OLLAMA_SIMULATOR_PULL_SECONDS": "0.05",
        "TERM": "xterm-256color",
        "COLUMNS": "80",
    }
