"""Running programs that might start themselves without end: all of them are killed in time."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_MOST_STARTS = 5
_SECONDS = 90.0
_GUARD = "FROZEN_TESTS_GUARD"


class Guarded:
    """A program and all that it starts, directly or not, known by a variable that they inherit.

    Args:
        words: The command line.
        folder: Where its notes and its temporary files go.
        environ: Variables beside those of this process.
    """

    def __init__(self, words: Sequence[str], folder: Path, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self._mark = str(uuid.uuid4())
        self._notes = folder / "starts"
        self._output = folder / "output"
        own = {
            "STARTS": str(self._notes),
            "HOME": str(folder),
            "TMPDIR": str(folder),
            _GUARD: self._mark,
        }
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("OLLAMA", "XDG"))}
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                words,
                env={**inherited, **own, **environ},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def starts(self) -> list[list[str]]:
        """The arguments of each start of the program."""
        lines = self._notes.read_text().splitlines() if self._notes.exists() else []
        return [json.loads(line) for line in lines]

    @property
    def said(self) -> Any:
        """The last line of its output, which is JSON."""
        return json.loads(self._output.read_text().splitlines()[-1])

    @property
    def output(self) -> str:
        """All of its output."""
        return self._output.read_text()

    def ended(self) -> int:
        """Wait until it ends; kill everything if that takes too long or it starts too often."""
        deadline = time.monotonic() + _SECONDS
        while self.process.poll() is None:
            if len(self.starts) > _MOST_STARTS or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"it was killed: {self.starts} {self.output}")
            time.sleep(0.02)
        assert len(self.starts) <= _MOST_STARTS, self.starts
        return self.process.returncode

    def alive(self) -> list[int]:
        """The processes that are left of it."""
        return list(self._marked())

    def kill(self) -> None:
        """Kill everything, and what it starts meanwhile."""
        for _ in range(1000):
            pids = self.alive()
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not pids:
                break
        self.process.wait()

    def _marked(self) -> Iterator[int]:
        mark = f"{_GUARD}={self._mark}".encode()
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                with contextlib.suppress(OSError):
                    if mark in (folder / "environ").read_bytes().split(b"\0"):
                        yield int(folder.name)
