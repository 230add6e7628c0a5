"""The server's side of a runner: starts it, hands it jobs, notices its death."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
import time
from itertools import count
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from manager.simulator.command import simulator_command
from manager.simulator.exchange import ApiError, ClientGone, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from manager.simulator.scheduler import Runner

_GLANCE = 0.1
"""Seconds between looks at whether the client is still there."""
DIED = "an error was encountered while running the model: unexpected EOF"
"""What is said of a runner that dies at work."""

Frame = dict[str, Any]


class RunnerDiedError(Exception):
    """The runner is gone; another one may take the job."""


class RunnerProcess:
    """One running child process.

    Args:
        model: What the command line names as the model.
        on_exit: Called once, from a thread, when the process has ended.
    """

    def __init__(self, model: str, on_exit: Callable[[Runner], None]) -> None:
        self._process = subprocess.Popen(
            simulator_command("runner", "--model", model),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input = self._process.stdin
        self._output = self._process.stdout
        self._on_exit = on_exit
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._jobs: dict[int, SimpleQueue[bytes | None]] = {}
        self._ready = threading.Event()
        self._dead = False
        threading.Thread(target=self._read, name=f"runner {self.pid}", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return not self._dead and self._process.poll() is None

    def wait_until_ready(self, timeout: float, is_gone: Callable[[], bool]) -> None:
        """Wait until the model is loaded.

        Raises:
            ApiError: 500 if the process died or took too long.
            ClientGone: The client hung up in the meantime.
        """
        deadline = time.monotonic() + timeout
        while not self._ready.wait(_GLANCE):
            if is_gone():
                raise ClientGone
            if time.monotonic() > deadline:
                raise ApiError(500, "timed out waiting for llama-server to start")
        if self._dead:
            status = self._process.wait()
            reason = f"signal: {-status}" if status < 0 else f"exit status {status}"
            raise ApiError(500, f"llama-server process has terminated: {reason}")

    def frames(self, job: Mapping[str, Any], is_gone: Callable[[], bool]) -> Iterator[Frame]:
        """Have a job done.

        Args:
            job: What `manager.simulator.generation.frames` takes.
            is_gone: Whether the client has hung up.

        Yields:
            The frames of the answer; the job is cancelled if they are not read to the end.

        Raises:
            RunnerDiedError: The runner was dead before it had the job.
            ApiError: The runner died, or could not do the job.
            ClientGone: The client hung up.
        """
        number = next(self._numbers)
        lines: SimpleQueue[bytes | None] = SimpleQueue()
        with self._lock:
            if self._dead:
                raise RunnerDiedError
            self._jobs[number] = lines
        ended = False
        try:
            self._send({**job, "id": number})
            while not ended:
                frame = _next_frame(lines, is_gone)
                if frame is None:
                    raise ApiError(500, DIED)
                ended = not frame.keys().isdisjoint(("done", "embeddings", "error"))
                if "error" in frame:
                    raise ApiError(frame["status"], frame["error"])
                yield frame
        finally:
            with self._lock:
                self._jobs.pop(number, None)
            if not ended:
                self._cancel(number)

    def kill(self) -> None:
        """End the process at once, even if it is stopped."""
        self._process.kill()

    def _send(self, command: Mapping[str, Any]) -> None:
        data = encode(command) + b"\n"
        try:
            with self._write_lock:
                while data:
                    data = data[self._input.write(data) or 0 :]
        except (OSError, ValueError):
            raise RunnerDiedError from None

    def _cancel(self, number: int) -> None:
        # A stopped runner may have left another thread waiting in a write: do not join it.
        if self._write_lock.acquire(timeout=_GLANCE):
            try:
                self._input.write(encode({"cancel": number}) + b"\n")
            except (OSError, ValueError):
                pass  # It is dead, or its pipe closed already.
            finally:
                self._write_lock.release()

    def _read(self) -> None:
        rest = b""
        descriptor = self._output.fileno()
        while data := os.read(descriptor, 65536):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                number, _, frame = line.partition(b" ")
                if number == b"ready":
                    self._ready.set()
                    continue
                job = self._jobs.get(int(number))
                if job is not None:
                    job.put(frame)
        self._end()

    def _end(self) -> None:
        with self._lock:
            self._dead = True
            for job in self._jobs.values():
                job.put(None)
        self._ready.set()
        self._process.kill()
        self._process.wait()
        self._output.close()
        with contextlib.suppress(OSError):
            self._input.close()
        self._on_exit(self)


def _next_frame(lines: SimpleQueue[bytes | None], is_gone: Callable[[], bool]) -> Frame | None:
    while True:
        try:
            line = lines.get(timeout=_GLANCE)
        except Empty:
            if is_gone():
                raise ClientGone from None
            continue
        if line is None:
            return None
        frame: Frame = json.loads(line)
        return frame
