"""What a process is, beyond its number: identity, children, leftovers of an earlier life.

A pid alone is never trusted: it may be recycled. Zombies count as dead: in a container PID 1 may
never reap them. Where ``/proc`` is missing (macOS) the answers are empty, and the process group
does what it can.
"""

from __future__ import annotations

import os
import signal
import sys

from manager.supervisor.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "MARK",
    "Process",
    "become_subreaper",
    "children_of",
    "descendants_of",
    "die_with_parent",
    "find",
    "kill",
    "leftovers",
    "mark",
    "survivors_of",
]

MARK = "OLLAMA_MANAGER_SUPERVISED"
"""The variable that every process below a supervisor inherits."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_FIELD_STATE, _FIELD_PARENT, _FIELD_START = 0, 1, 19


class Process(Record):
    """A process that cannot be mistaken for another one.

    Args:
        pid: Its number.
        started: Its start in clock ticks since boot.
    """

    pid: int
    started: int

    def alive(self) -> bool:
        """Tell whether it still runs; a zombie does not."""
        return find(self.pid) == self


def find(pid: int) -> Process | None:
    """Look up a living process.

    Args:
        pid: Its number.

    Returns:
        The process; None when there is none, or a zombie.
    """
    fields = _stat(pid)
    if fields is None or fields[_FIELD_STATE] in (b"Z", b"X"):
        return None
    return Process(pid, int(fields[_FIELD_START]))


def children_of(parent: int) -> list[Process]:
    """List the living children of a process.

    Args:
        parent: Its pid.

    Returns:
        Its direct children; zombies left out.
    """
    listed = _listed_children(parent)
    found: list[Process] = []
    for pid in _pids() if listed is None else listed:
        fields = _stat(pid)
        if fields and int(fields[_FIELD_PARENT]) == parent and fields[_FIELD_STATE] != b"Z":
            found.append(Process(pid, int(fields[_FIELD_START])))
    return found


def mark(address: str, nonce: str = "") -> str:
    """Return the mark of all processes below a supervisor: user, network, address, one life.

    Args:
        address: The server's address, ``host:port``.
        nonce: The supervisor's own life; empty: the part that all lives share.

    Returns:
        The value of the environment variable ``MARK``.
    """
    try:
        network = os.stat("/proc/self/ns/net").st_ino
    except OSError:
        network = 0
    return f"{os.geteuid()}/{network}/{address}/{nonce}"


def leftovers(address: str, nonce: str = "") -> list[Process]:
    """List what an earlier supervisor of this address left running.

    Only meaningful while nobody else may run a server there: the caller holds the address, or
    has found no supervisor.

    Args:
        address: The server's address, ``host:port``.
        nonce: The caller's own life, whose processes are left out.

    Returns:
        The processes with the mark of another life.
    """
    own = f"{MARK}={mark(address, nonce)}".encode() if nonce else None
    return [process for process, its_mark in _marked(address) if its_mark != own]


def survivors_of(supervisor: int, address: str) -> list[Process]:
    """List what a dead supervisor of this address left running.

    Args:
        supervisor: Its pid.
        address: The server's address, ``host:port``.

    Returns:
        The processes with the mark of its life; none while something has that pid.
    """
    if find(supervisor) is not None:
        return []
    its = f"{MARK}={mark(address, f'{supervisor}-')}".encode()
    return [process for process, its_mark in _marked(address) if its_mark.startswith(its)]


def descendants_of(ancestor: int) -> list[int]:
    """List all processes below one, nearest first.

    Args:
        ancestor: Its pid.

    Returns:
        Their pids, zombies left out.
    """
    children: dict[int, list[int]] = {}
    for pid in _pids():
        fields = _stat(pid)
        if fields and fields[_FIELD_STATE] != b"Z":
            children.setdefault(int(fields[_FIELD_PARENT]), []).append(pid)
    found = list(children.get(ancestor, ()))
    for pid in found:  # grows meanwhile
        found += children.get(pid, ())
    return found


def kill(process: Process, number: int = signal.SIGKILL) -> bool:
    """Send a signal to exactly this process, never to one that has taken its number.

    Args:
        process: Whom.
        number: The signal.

    Returns:
        Whether it was there to get it.
    """
    try:
        if sys.platform == "linux" and hasattr(os, "pidfd_open"):
            handle = os.pidfd_open(process.pid)
            try:
                # Looked up after the handle was opened: what the handle means is now certain.
                if find(process.pid) != process:
                    return False
                signal.pidfd_send_signal(handle, number)
            finally:
                os.close(handle)
            return True
    except ProcessLookupError:
        return False
    except OSError:
        pass  # no pidfds in this kernel or sandbox
    if find(process.pid) != process:
        return False
    try:
        os.kill(process.pid, number)
    except ProcessLookupError:
        return False
    return True


def become_subreaper() -> None:
    """Become the parent of all orphans below this process (Linux only)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(number: int = signal.SIGTERM) -> None:
    """Get a signal when the parent dies (Linux only). It survives ``exec``, not ``fork``.

    Args:
        number: The signal.
    """
    _prctl(_PR_SET_PDEATHSIG, number)


def _prctl(option: int, value: int) -> None:
    if _libc is not None:
        _libc.prctl(option, value, 0, 0, 0)


def _marked(address: str) -> Iterator[tuple[Process, bytes]]:
    wanted = f"{MARK}={mark(address)}".encode()
    for pid in _pids():
        try:
            with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:
                environ = file.readall() or b""
        except OSError:
            continue
        if wanted not in environ:
            continue
        marks = [entry for entry in environ.split(b"\0") if entry.startswith(wanted)]
        process = find(pid)
        if marks and process is not None and pid != os.getpid():
            yield process, marks[-1]


def _pids() -> Iterator[int]:
    try:
        names = os.listdir("/proc")
    except OSError:
        return
    for name in names:
        if name.isdigit():
            yield int(name)


def _listed_children(parent: int) -> list[int] | None:
    """Take the kernel's own list; a look at every process takes long while a crash is handled."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{parent}/task"):
            with open(f"/proc/{parent}/task/{thread}/children", "rb", buffering=0) as file:
                found += map(int, (file.readall() or b"").split())
    except OSError:
        return None  # a kernel without it, or a thread that ended meanwhile
    return found


def _stat(pid: int) -> list[bytes] | None:
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            data = file.read(4096) or b""
    except OSError:
        return None
    # The name in parentheses may hold anything, so count from its end.
    fields = data.rpartition(b")")[2].split()
    return fields if len(fields) > _FIELD_START else None


if sys.platform == "linux":
    import ctypes

    _libc: ctypes.CDLL | None = ctypes.CDLL(None)
else:
    _libc = None
