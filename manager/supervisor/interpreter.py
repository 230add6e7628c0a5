"""Finding a Python to start programs of this package with.

``sys.executable`` need not be one: in a frozen program it is the program, under uWSGI it is
``uwsgi``, and with an embedded Python it may be any Python on PATH, or nothing.
"""

from __future__ import annotations

import os
import sys

from manager.errors import ServerStartError
from manager.supervisor.frozen import SPAWNED, is_frozen, plain_environ
from manager.supervisor.reporting import heard, start_and_hear

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["find_python", "frozen_program"]

_NAMES = ("python", "pypy", "graalpy")
_SHOW_VERSION = "import sys; print('python', sys.implementation.name, *sys.version_info[:2])"
_REMEDY = (
    "Call `manager.freeze_support()` first in the program's main module; "
    "docs/frozen.md says how to freeze a program that uses this package."
)
_PATIENCE = 10.0  # Python starts in 10 ms; from a cold network file system it takes seconds

_checked: set[str] = set()


def find_python(purpose: str = "the supervisor", remedy: str = _REMEDY) -> str:
    """Find the Python that runs this program, or another one of its version and prefix.

    A program that is not named like a Python is never run, since it might be this program. One
    that might be another Python is run once, to see its version.

    Args:
        purpose: What it is to run.
        remedy: What to do in a frozen program.

    Returns:
        Its absolute path.

    Raises:
        ServerStartError: When there is none.
    """
    if is_frozen():
        reason = f"this program is frozen, so it has no Python to run {purpose} with"
        raise frozen_program(reason, remedy)
    if not sys.executable or not os.path.isfile(sys.executable):
        raise _not_found(purpose, f"sys.executable is {sys.executable!r}, which is not a file")
    own = os.path.abspath(sys.executable)
    named = os.path.basename(own).lower().startswith(_NAMES)
    if named and _runs_this_program(own):
        return own
    for path in [own, *_installed()] if named else _installed():
        if path in _checked or _is_this_version(path):
            _checked.add(path)
            return path
    raise _not_found(purpose, f"{own!r} is not {_version()}")


def frozen_program(reason: str, remedy: str = _REMEDY) -> ServerStartError:
    """Return the error for a program that cannot be started again.

    Args:
        reason: Why not.
        remedy: What to do.
    """
    return ServerStartError(reason, hint=remedy, code="frozen_program")


def _not_found(purpose: str, reason: str) -> ServerStartError:
    return ServerStartError(
        f"there is no Python to run {purpose} with: {reason}",
        hint=f"Set `sys.executable` to the path of {_version()}.",
        code="python_not_found",
    )


def _version() -> str:
    """Such as ``cpython 3.11``."""
    return f"{sys.implementation.name} {sys.version_info[0]}.{sys.version_info[1]}"


def _runs_this_program(path: str) -> bool:
    """Whether it is certain, without starting it, that this process runs the program there."""
    if sys.platform == "win32":
        return True  # no supervisor runs there
    if sys.platform == "linux":
        try:
            return os.readlink("/proc/self/exe") == os.path.realpath(path)
        except OSError:
            pass  # no /proc
    return os.path.dirname(path) in {os.path.join(p, "bin") for p in (sys.prefix, sys.base_prefix)}


def _installed() -> Iterator[str]:
    """Where installations of this Python have it."""
    for prefix in dict.fromkeys((sys.prefix, sys.base_prefix)):
        for name in (f"python{sys.version_info[0]}.{sys.version_info[1]}", "python3", "python"):
            path = os.path.join(prefix, "bin", name)
            if os.access(path, os.X_OK):
                yield path


def _is_this_version(path: str) -> bool:
    """Run what may be a Python; it is killed if it does anything else than show its version."""
    wanted = f"python {_version().replace('.', ' ')}\n".encode()
    words = [path, "-I", "-S", "-c", _SHOW_VERSION]
    try:
        said = start_and_hear(words, {**plain_environ(), SPAWNED: "1"}, (wanted,), _PATIENCE)
    except OSError:
        return False
    return heard(said, (wanted,))
