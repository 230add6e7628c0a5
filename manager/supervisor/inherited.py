"""What a process has from the one that started it, where it must not hold for a shared server.

A server is started by whichever program asks first, and then serves all programs. What that
program has set for itself is undone here as far as the system lets it.
"""

from __future__ import annotations

import os
import resource
import signal
import sys

__all__ = ["few_files", "forget_starter", "reset_signals", "restrictions"]

_ENOUGH_FILES = 1024
"""Open files: the usual soft limit. Each connection and each part of a model takes one."""
_MOST_FILES = 1 << 20
"""More than that makes programs slow that close every descriptor that there might be; containers
have a thousand times that."""
_MAC_FILES = 10240  # OPEN_MAX: what macOS lets a process have where no hard limit is set
_RAISED = ("AS", "CPU", "DATA", "FSIZE", "MEMLOCK", "NPROC", "RSS")
"""Limits that end a server, or keep it from loading or downloading a model. Not those of the
stack, which changes the layout of the memory, and of core files, which are as large as models."""
_TOLD = {
    "AS": "{} bytes of memory",
    "CPU": "{} seconds of processor time",
    "DATA": "{} bytes of data",
    "FSIZE": "files of {} bytes",
}
_OOM = "/proc/self/oom_score_adj"


def reset_signals() -> None:
    """Set every signal to its default, and block none.

    A program that waits for its signals on a thread blocks them on all others; who starts a
    process from there, starts one that is deaf.
    """
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def forget_starter() -> None:
    """Undo limits and other settings of the starter, for this process and its children."""
    for name in _RAISED:
        _raise_limit(name)
    _raise_files()
    # Files of the server: not for everybody to change, and for the user to read.
    os.umask(os.umask(0o077) & 0o077 | 0o002)
    if sys.platform == "linux":
        _schedule_as_others()
        _be_killed_as_others()


def few_files() -> str | None:
    """Return a remark if the server can have too few open files, else None."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= _ENOUGH_FILES:
        return None
    return f"it can open no more than {soft} files, which is the hard limit of its starter"


def restrictions() -> list[str]:
    """Return what could not be undone, as sentences about the server."""
    told = [remark] if (remark := few_files()) else []
    for name, text in _TOLD.items():
        soft, _ = resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))
        if soft != resource.RLIM_INFINITY:
            told.append(f"it is limited to {text.format(soft)}, as its starter is")
    nice = os.nice(0)
    if nice > 0:
        told.append(f"it runs at nice {nice}, as its starter does; only root can change that")
    if sys.platform == "linux":
        usable, present = len(os.sched_getaffinity(0)), os.cpu_count() or 1
        if usable < present:
            told.append(f"it may use {usable} of {present} processors, as its starter may")
    return told


def _raise_limit(name: str) -> None:
    which = getattr(resource, f"RLIMIT_{name}", None)  # not every system has all
    if which is not None:
        soft, hard = resource.getrlimit(which)
        if soft != hard:
            _set_limit(which, hard, hard)


def _raise_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if not _set_limit(resource.RLIMIT_NOFILE, wanted, hard) and soft < _MAC_FILES:
        _set_limit(resource.RLIMIT_NOFILE, _MAC_FILES, hard)


def _set_limit(which: int, soft: int, hard: int) -> bool:
    try:
        resource.setrlimit(which, (soft, hard))
    except (OSError, ValueError):  # a sandbox, or macOS, which has limits of its own
        return False
    return True


def _schedule_as_others() -> None:
    """Leave real time, where a busy server would stop the machine, and what runs when idle."""
    try:
        if os.sched_getscheduler(0) != os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    except OSError:
        pass  # not without a privilege, or in a sandbox


def _be_killed_as_others() -> None:
    """Let the kernel end the server where memory runs out, though it spares the starter."""
    try:
        with open(_OOM, "rb+", buffering=0) as file:
            if int(file.read()) < 0:
                file.write(b"0")
    except (OSError, ValueError):
        pass
