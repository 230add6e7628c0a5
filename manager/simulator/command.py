"""The command that starts the simulator: the one of this copy of the package.

``python -m manager.simulator`` would look for `manager` in the current folder and on PYTHONPATH
first, where a project may have a module of that name. So this file is run by its path.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType

__all__ = ["simulator_command"]

_FILE = os.path.abspath(__file__)  # now: who runs it may be in another folder


def simulator_command(*arguments: str) -> list[str]:
    """Return the words that stand in for ``ollama``.

    Args:
        arguments: What follows them, such as ``serve``.
    """
    # -P: the modules beside this file are not to be found as top-level ones
    return [sys.executable, "-P", _FILE, *arguments]


def _run() -> int:
    # as for the supervisor, a bare package: what `manager` itself imports is of no use here
    package = ModuleType("manager")
    package.__path__ = [os.path.dirname(os.path.dirname(_FILE))]
    sys.modules["manager"] = package
    from manager.simulator.__main__ import main

    return main()


if __name__ == "__main__":
    sys.exit(_run())
