"""Frozen programs: PyInstaller and the like, whose executable is the program and no Python.

Started as if it were Python, such an executable would run the program from its beginning, which
would start another one, and so on without end. So a frozen program is started again, to be the
supervisor, only where its first lines are known to expect that.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

__all__ = [
    "SPAWNED",
    "entry_environ",
    "entry_words",
    "freeze_support",
    "is_frozen",
    "plain_environ",
]

SPAWNED = "OLLAMA_MANAGER_SPAWNED"
"""The variable that marks a process started by this package; such a process starts no other."""

_OPTION = "--ollama-manager-supervisor"
_LIBRARIES = "LD_LIBRARY_PATH"
# PyInstaller: unpack again instead of using the starter's files, which are deleted when it ends;
# and show no splash screen.
_FRESH_START = {
    "PYINSTALLER_RESET_ENVIRONMENT": "1",
    "PYINSTALLER_SUPPRESS_SPLASH_SCREEN": "1",
}

_program: tuple[str, ...] | None = None


def freeze_support(command: Sequence[str] | None = None) -> None:
    """Let a frozen program start Ollama servers. Call it first in the main module.

    A program frozen with PyInstaller, Nuitka or cx_Freeze is started a second time to run the
    supervisor, the small process that looks after the server. In that process this function runs
    the supervisor and never returns. In any other process it returns at once; a program that is
    not frozen is not changed by it.

    Args:
        command: The words that start this program again, for programs that embed Python in some
            other way; by default they are found out.
    """
    global _program
    if SPAWNED in os.environ:
        _be_the_supervisor()
    if command is not None:
        _program = tuple(command)
    elif getattr(sys, "frozen", False):
        _program = (os.path.abspath(sys.executable),)
    elif is_frozen():  # with Nuitka, sys.executable is a file that does not exist
        _program = (os.path.abspath(sys.argv[0]),)


def is_frozen() -> bool:
    """Return whether the executable of this program is the program itself."""
    if getattr(sys, "frozen", False):
        return True
    compiled = getattr(sys.modules.get("__main__"), "__compiled__", None)
    # What Nuitka compiles in its accelerated mode runs with an installed Python.
    return compiled is not None and bool(getattr(compiled, "standalone", True))


def entry_words(host: str, port: int) -> list[str] | None:
    """Return the words that start this program again as a supervisor.

    Args:
        host: Where the server listens.
        port: Its port.

    Returns:
        The words; None when the program has not called ``freeze_support``.
    """
    return None if _program is None else [*_program, _OPTION, host, str(port)]


def entry_environ() -> dict[str, str]:
    """Return the environment to start this program again with."""
    return {**plain_environ(), **_FRESH_START}


def plain_environ() -> dict[str, str]:
    """Return the environment for other programs.

    Returns:
        That of this process, without the folder of its own libraries that PyInstaller's boot
        loader puts first.
    """
    environ = dict(os.environ)
    if getattr(sys, "frozen", False):
        original = environ.pop(f"{_LIBRARIES}_ORIG", None)
        if original is not None:
            environ[_LIBRARIES] = original
        elif environ.get(_LIBRARIES) == sys.prefix:
            del environ[_LIBRARIES]
    return environ


def _be_the_supervisor() -> NoReturn:
    status = 1
    try:
        status = _supervise(sys.argv[-3:])
    except BaseException:
        import traceback  # the starter shows its last line

        traceback.print_exc()
    finally:
        os._exit(status)  # the program, which might catch SystemExit, must not go on


def _supervise(words: Sequence[str]) -> int:
    option, host, port = words
    if option != _OPTION:
        raise ValueError(f"this process was not started as a supervisor: {words}")
    environ = {k: v for k, v in plain_environ().items() if k not in _FRESH_START}
    os.environ.clear()
    os.environ.update(environ)
    from manager.supervisor.__main__ import main

    return main(host, int(port))
