"""The server of a benchmark, and clients of it."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MESSAGES", "PACE", "flood_server", "manager_settings", "peer_settings", "run_program"]

PACE = 2_000
"""Microseconds between the chunks of a paced stream: a small model on a good machine."""

MESSAGES = [{"role": "user", "content": "Why is the sky blue?"}]

# As many connections as a row needs; ollama-python's own limit would have half of them wait.
_CONNECTIONS = 2048


@contextmanager
def flood_server() -> Iterator[str]:
    """Start the server; yields its address. Nothing of this machine's settings is seen."""
    before = dict(os.environ)
    for name in list(os.environ):
        if name.startswith(("OLLAMA_", "XDG_")):
            del os.environ[name]
    # as an installed package has it, the bytecode is there from the second import on
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with TemporaryDirectory() as home:
        os.environ["HOME"] = home
        server = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.client.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stdout is not None
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.kill()
            server.communicate()
            os.environ.clear()
            os.environ.update(before)


def manager_settings(url: str) -> dict[str, Any]:
    """Return the settings of a manager; a path makes the server one that is not looked after."""
    # ollama-python waits for as long as it takes to connect, which is what a loaded machine needs
    return {
        "host": f"{url}/x",
        "watch": False,
        "max_connections": _CONNECTIONS,
        "connect_timeout": 60,
    }


def peer_settings(url: str) -> dict[str, Any]:
    """Return the arguments of ollama-python's client."""
    import httpx

    return {"host": url, "limits": httpx.Limits(max_connections=_CONNECTIONS)}


def run_program(code: str, *arguments: str) -> list[float]:
    """Run a program of its own and return the numbers that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return [float(word) for word in done.stdout.split()]
