"""The command line as a program, against the simulated server, with a home of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = [sys.executable, "-m", "manager.cli"]
SIMULATOR = json.dumps([sys.executable, "-m", "manager.simulator"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Shell:
    """Runs the program as a shell would."""

    env: dict[str, str]

    def run(
        self, *words: str, stdin: str | None = None, timeout: float = 60, **env: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PROGRAM, *words],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            env={**self.env, **env},
            timeout=timeout,
            check=False,
        )

    def ok(self, *words: str, stdin: str | None = None, **env: str) -> str:
        done = self.run(*words, stdin=stdin, timeout=60, **env)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *words: str, stdin: str | None = None) -> Any:
        return json.loads(self.ok(*words, "--json", stdin=stdin))

    def start(self, *words: str, **streams: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*PROGRAM, *words], env=self.env, text=True, encoding="utf-8", **streams
        )

    @property
    def host(self) -> str:
        return f"http://{self.env['OLLAMA_HOST']}"


def clean_environment(home: Path) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OLLAMA", "XDG_")) and name not in ("NO_COLOR", "FORCE_COLOR")
    }
    return {
        **kept,
        "HOME": str(home),
        "OLLAMA_HOST": f"127.0.0.1:{free_port()}",
        "OLLAMA_MANAGER_BINARY": SIMULATOR,
        "OLLAMA_SIMULATOR_TOKEN_SECONDS": "0",
        "OLLAMA_SIMULATOR_PULL_SECONDS": "0.05",
        "COLUMNS": "80",
    }


def shown_on(master: int) -> bytes:
    """Return all that is shown on a terminal, until nobody has it open any more."""
    shown = b""
    while True:
        try:
            data = os.read(master, 65536)
        except OSError:  # Linux says so when the other side has closed
            return shown
        if not data:
            return shown
        shown += data
