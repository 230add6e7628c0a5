"""Finding the ``ollama`` program."""

from __future__ import annotations

import os
import shutil
import sys

from manager.errors import ServerNotFoundError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["find_command"]

_HINT = (
    "Install it from https://ollama.com/download, name it with `binary` or "
    "OLLAMA_MANAGER_BINARY, or try without one: `ollama-manager demo`."
)


def find_command(binary: tuple[str, ...] | None, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Find the program to start.

    Args:
        binary: A program and its first arguments; None: look for ``ollama`` on PATH and where
            its installers put it.
        environ: Where PATH and the home folder are read from.

    Returns:
        The words, the first an absolute path.

    Raises:
        ServerNotFoundError: When there is no such program; says how to get one.
    """
    path = environ.get("PATH", os.defpath)
    if binary is not None:
        if not binary or not binary[0].strip():
            raise ServerNotFoundError("`binary` is empty", hint=_HINT)
        program = shutil.which(os.path.expanduser(binary[0]), path=path)
        if program is None:
            raise ServerNotFoundError(
                f"there is no program {binary[0]!r} that can be executed", hint=_HINT
            )
        return (os.path.abspath(program), *binary[1:])
    for candidate in ("ollama", *_well_known(environ)):
        program = shutil.which(candidate, path=path)
        if program is not None:
            return (os.path.abspath(program),)
    raise ServerNotFoundError("there is no `ollama` program on this machine", hint=_HINT)


def _well_known(environ: Mapping[str, str]) -> tuple[str, ...]:
    home = environ.get("HOME") or os.path.expanduser("~")
    if sys.platform == "darwin":
        app = "Applications/Ollama.app/Contents/Resources/ollama"
        return (f"/{app}", os.path.join(home, app), "/opt/homebrew/bin/ollama")
    if sys.platform == "win32":
        local = environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
        return (os.path.join(local, "Programs", "Ollama", "ollama.exe"),)
    return (
        "/usr/local/bin/ollama",
        "/usr/bin/ollama",
        "/opt/ollama/bin/ollama",
        "/snap/bin/ollama",
        os.path.join(home, ".local", "bin", "ollama"),
    )
