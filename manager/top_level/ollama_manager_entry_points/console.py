"""The console script ``ollama-manager``: runs `manager.cli`, or says what is imported instead."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from ollama_manager_entry_points.shadowing import find_shadow

if TYPE_CHECKING:
    from ollama_manager_entry_points.shadowing import Shadow

__all__ = ["main"]

_USAGE = 2  # `ExitCode.USAGE` of `manager.cli`, which cannot be imported here


def main() -> int:
    """Run the command line with the words of the process.

    Returns:
        The exit code, as docs/cli.md lists them.
    """
    shadow = find_shadow("manager", "ollama_api")
    if shadow is not None:
        _report(shadow, as_json="--json" in sys.argv[1:])
        return _USAGE
    from manager.cli import main as run

    return run()


def _report(shadow: Shadow, *, as_json: bool) -> None:
    """Say on standard error what is in the way, in the form of the errors of `manager.cli`."""
    hint = _hint(shadow)
    if not as_json:
        sys.stderr.write(f"error: {shadow.message}\nhint: {hint}\n")
        return
    import json

    data = {
        "error": "ImportError",
        "code": "module_shadowed",
        "message": shadow.message,
        "hint": hint,
        "retryable": False,
        "module": shadow.name,
        "path": shadow.path,
    }
    sys.stderr.write(json.dumps(data) + "\n")


def _hint(shadow: Shadow) -> str:
    """Return the remedy for the way by which the folder came onto the import path."""
    folder, rename = shadow.folder, f"rename {shadow.target}"
    listed = _python_path_entry(folder)
    if listed is not None:
        move = "" if os.path.isabs(listed) else "run it in another folder, "
        return (
            f"PYTHONPATH puts {folder} before what is installed: unset it for this command, "
            f"{move}or {rename}"
        )
    if not sys.flags.safe_path and sys.path and os.path.abspath(sys.path[0]) == folder:
        return (
            f"{folder} is searched first because the program was started from there: "
            f"set PYTHONSAFEPATH=1 (the same as python -P), or {rename}"
        )
    return (
        f"{rename}, or install the command into an environment of its own, "
        "as `pipx install axiom-ollama-manager` and `uv tool install axiom-ollama-manager` do"
    )


def _python_path_entry(folder: str) -> str | None:
    """Return the entry of PYTHONPATH, as it is written, that names a folder."""
    variable = "" if sys.flags.ignore_environment else os.environ.get("PYTHONPATH", "")
    for entry in variable.split(os.pathsep) if variable else ():
        if os.path.abspath(entry) == folder:
            return entry
    return None
