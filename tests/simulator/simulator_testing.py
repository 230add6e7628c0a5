"""What the tests of the simulator share."""

from __future__ import annotations

import json
import subprocess
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

USER = {"role": "user", "content": "Hello there"}


def eventually(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Wait until a condition holds; what it gave then."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)
    return result


def lines_of(response: httpx.Response) -> list[dict[str, Any]]:
    """The lines of an NDJSON answer."""
    return [json.loads(line) for line in response.content.split(b"\n") if line]


def loaded(client: httpx.Client) -> list[str]:
    """The names of the models in memory."""
    return [model["name"] for model in client.get("/api/ps").json()["models"]]


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    result = subprocess.run(
        ["pgrep", "-P", str(pid)], capture_output=True, text=True, timeout=20, check=False
    )
    return [int(word) for word in result.stdout.split()]


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
