"""The child process that a loaded model has: reads jobs, writes the frames of their answers.

Jobs come on standard input, one JSON object a line: a job has ``id`` and ``op``; ``{"cancel": id}``
ends one. Frames go to standard output as ``ID JSON`` lines, after a first line ``ready``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections import deque
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from manager.simulator import environment, generation
from manager.simulator.exchange import encode

if TYPE_CHECKING:
    from collections.abc import Iterator

_BURST = 32
"""Frames that an unpaced job may write before others have their turn."""

Command = dict[str, Any]


class _Work:
    """A job under way."""

    def __init__(self, job: Command) -> None:
        self.number: int = job["id"]
        self.frames: Iterator[generation.Frame] = generation.frames(job)
        self.due = time.monotonic()

    def next_line(self) -> bytes | None:
        """The next frame, ready to be written; None at the end."""
        frame = next(self.frames, None)
        return None if frame is None else b"%d %s\n" % (self.number, encode(frame))


class Runner:
    """Works on as many jobs at once as it may, each at the pace of the model.

    Args:
        token_seconds: The time that a token takes.
        num_parallel: How many jobs run at once; 0 is without limit.
        output: The descriptor that frames go to.
    """

    def __init__(self, token_seconds: float, num_parallel: int, output: int) -> None:
        self._token_seconds = token_seconds
        self._num_parallel = num_parallel or sys.maxsize
        self._output = output
        self._active: list[_Work] = []
        self._waiting: deque[Command] = deque()

    def run(self, commands: SimpleQueue[Command | None]) -> None:
        """Work until None is read."""
        while True:
            command = self._next_command(commands)
            while command is not None:
                if not command:
                    return
                self._take(command)
                command = _poll(commands)
            self._advance()

    def _next_command(self, commands: SimpleQueue[Command | None]) -> Command | None:
        if not self._active:
            # A job that has waited for its turn must not wait for the next command too.
            return None if self._waiting else commands.get() or {}
        wait = min(work.due for work in self._active) - time.monotonic()
        try:
            return (commands.get(timeout=wait) if wait > 0 else commands.get_nowait()) or {}
        except Empty:
            return None

    def _take(self, command: Command) -> None:
        cancelled = command.get("cancel")
        if cancelled is None:
            self._waiting.append(command)
        else:
            self._active = [work for work in self._active if work.number != cancelled]
            self._waiting = deque(job for job in self._waiting if job["id"] != cancelled)

    def _advance(self) -> None:
        while self._waiting and len(self._active) < self._num_parallel:
            self._active.append(_Work(self._waiting.popleft()))
        now = time.monotonic()
        lines: list[bytes] = []
        self._active = [
            work for work in self._active if work.due > now or self._step(work, now, lines)
        ]
        if lines:
            _write(self._output, b"".join(lines))

    def _step(self, work: _Work, now: float, lines: list[bytes]) -> bool:
        """Let a job write what is due; whether there is more to come."""
        for _ in range(1 if self._token_seconds else _BURST):
            line = work.next_line()
            if line is None:
                return False
            lines.append(line)
        # Behind schedule, a model does not catch up.
        work.due = max(work.due + self._token_seconds, now)
        return True


def _poll(commands: SimpleQueue[Command | None]) -> Command | None:
    try:
        return commands.get_nowait() or {}
    except Empty:
        return None


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _read_commands(commands: SimpleQueue[Command | None]) -> None:
    for line in sys.stdin.buffer:
        commands.put(json.loads(line))
    commands.put(None)


def main() -> int:
    """Run as a child of the server, until its end of the pipe is closed."""
    # A terminal's interrupt goes to the whole group; die of it without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    settings = environment.read(os.environ)
    # Whatever else is printed must not get in among the frames.
    output = os.dup(1)
    os.dup2(2, 1)
    commands: SimpleQueue[Command | None] = SimpleQueue()
    try:
        time.sleep(settings.load_seconds)
        _write(output, b"ready\n")
        threading.Thread(target=_read_commands, args=(commands,), daemon=True).start()
        Runner(settings.token_seconds, settings.num_parallel, output).run(commands)
    except BrokenPipeError:
        pass
    # A real runner outlives a server that was killed, and holds its memory until it is reaped.
    time.sleep(settings.orphan_seconds)
    return 0
