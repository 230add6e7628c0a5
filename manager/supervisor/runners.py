"""What can be seen of a server's runners from outside: who they are, and whether they do anything.

Everything comes from ``/proc``. Where that is missing or cannot be read, nothing is known, and
nobody acts on it.
"""

from __future__ import annotations

import os
import time
from itertools import pairwise

from manager.supervisor.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from manager.supervisor.processes import Process

__all__ = ["Activity", "activity", "age", "digests", "has_slow_reader", "is_resting"]

_FAULTS, _USER, _SYSTEM, _STARTED = 9, 11, 12, 19
_AT_REST = (b"S", b"T")  # asleep, or stopped by a signal: not on a processor, disk or debugger
_LISTEN = "0A"
_WINDOW_PROBE = "04"
_MUCH = 65536
_DIGEST = 64
_MARK = "sha256-"
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class Activity(Record):
    """What a process has done since its start.

    Args:
        cpu: Seconds of processor time, all threads.
        read: Bytes that it had fetched from disks.
        faults: How often it had to wait for a page from a disk.
    """

    cpu: float
    read: int
    faults: int


def activity(process: Process) -> Activity | None:
    """Look at what a process has done so far.

    Args:
        process: Which.

    Returns:
        Its activity; None when it is gone or cannot be seen.
    """
    fields = _stat(f"/proc/{process.pid}/stat")
    if len(fields) <= _STARTED or int(fields[_STARTED]) != process.started:
        return None
    for line in _read(f"/proc/{process.pid}/io").splitlines():
        if line.startswith(b"read_bytes:"):
            cpu = (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS
            return Activity(cpu, int(line.split()[1]), int(fields[_FAULTS]))
    return None


def is_resting(process: Process) -> bool:
    """Whether no thread of a process runs, wants to run, waits for a disk or is debugged.

    Args:
        process: Which.

    Returns:
        Whether that is certain.
    """
    states = [
        _stat(f"/proc/{process.pid}/task/{task}/stat")[:1]
        for task in _names(f"/proc/{process.pid}/task")
    ]
    return bool(states) and all(state and state[0] in _AT_REST for state in states)


def age(process: Process) -> float:
    """Return how long ago a process was started, in seconds.

    Args:
        process: Which.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME) - process.started / _TICKS


def digests(process: Process) -> set[str]:
    """Return the digests of the model files on a runner's command line, ``--model .../sha256-...``.

    Args:
        process: Which.
    """
    words = _read(f"/proc/{process.pid}/cmdline").decode("utf-8", "replace").split("\0")
    return {
        digest
        for option, value in pairwise(words)
        if option == "--model" and (digest := digest_in(value))
    }


def digest_in(path: str) -> str | None:
    """Return the digest that a path of a blob ends in; None if it has none.

    Args:
        path: Such as ``/models/blobs/sha256-...``.
    """
    digest = path.rpartition(_MARK)[2]
    hexadecimal = len(digest) == _DIGEST and not digest.strip("0123456789abcdef")
    return digest if hexadecimal and _MARK in path else None


def has_slow_reader(server: int, port: int) -> bool:
    """Whether a client of a server does not take in what has been sent to it; also when unsure.

    Args:
        server: The pid of the server, whose network it is.
        port: The port that it listens on.
    """
    wanted = f"{port:04X}"
    listens = False
    for name in ("tcp", "tcp6"):
        for line in _read(f"/proc/{server}/net/{name}").decode().splitlines()[1:]:
            fields = line.split()
            if fields[1].rpartition(":")[2] != wanted:
                continue
            if fields[3] == _LISTEN:
                listens = True
            elif _is_held_up(fields[4], fields[5], fields[6]):
                return True
    return not listens  # what cannot be seen there cannot be ruled out


def _is_held_up(queues: str, timer: str, retransmits: str) -> bool:
    unsent = int(queues.partition(":")[0], 16)
    # A little is on its way at any moment; the kernel probes a window that stays closed.
    closed = timer.partition(":")[0] == _WINDOW_PROBE
    return unsent > 0 and (closed or int(retransmits, 16) > 0 or unsent > _MUCH)


def _names(folder: str) -> Iterator[str]:
    try:
        yield from os.listdir(folder)
    except OSError:
        return


def _read(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.readall() or b""
    except OSError:
        return b""


def _stat(path: str) -> list[bytes]:
    # The name in parentheses may hold anything, so count from its end.
    return _read(path).rpartition(b")")[2].split()
