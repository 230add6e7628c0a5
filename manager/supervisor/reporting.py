"""Starting a program that reports whether it came up; one that did not is killed."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["heard", "start_and_hear"]

_LONGEST = 1 << 20  # bytes; a traceback and what a frozen program prints first are far shorter


def start_and_hear(
    words: Sequence[str], environ: Mapping[str, str], expected: tuple[bytes, ...], seconds: float
) -> bytes:
    """Start a program in a session of its own, in ``/``, with none of our descriptors.

    Args:
        words: The program and its arguments.
        environ: Its whole environment.
        expected: The lines of which it says one when all is well.
        seconds: How long that may take.

    Returns:
        What it said. If none of the lines is in it, the program and its process group have been
        killed.

    Raises:
        OSError: When the program cannot be executed.
    """
    process = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        env=environ,
        start_new_session=True,
        close_fds=True,
    )
    assert process.stdout is not None
    said = b""
    try:
        with process.stdout as report:
            said = _read(report.fileno(), expected, seconds)
    finally:
        if not heard(said, expected):
            # Before it is waited for: until then its number is no other group's.
            with suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for zombies
                os.killpg(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    return said


def heard(said: bytes, expected: tuple[bytes, ...]) -> bool:
    """Return whether one of the lines was said, perhaps after warnings of a loader.

    Args:
        said: What was said.
        expected: The lines, each with its end.
    """
    return any(line in expected for line in said.splitlines(keepends=True))


def _read(fd: int, expected: tuple[bytes, ...], seconds: float) -> bytes:
    said = b""
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:  # eventlet takes select.poll away
        selector.register(fd, selectors.EVENT_READ)
        while not heard(said, expected) and len(said) < _LONGEST:
            left = deadline - time.monotonic()
            if left <= 0 or not selector.select(left):
                break
            data = os.read(fd, 65536)
            if not data:
                break
            said += data
    return said
