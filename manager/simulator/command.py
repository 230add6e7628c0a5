"""The command that starts the simulator: the one of this copy of the package.

``python -m manager.simulator`` would look for `manager` in the current folder and on PYTHONPATH
first, where a project may have a module of that name. So this file is run by its path.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["is_simulator", "simulator_command"]

_REMEDY = "Start the simulator with an installed Python: `ollama-manager simulate`."
_FILE = os.path.abspath(__file__)  # now: who runs it may be in another folder


def simulator_command(*arguments: str) -> list[str]:
    """Return the words that stand in for ``ollama``.

    Args:
        arguments: What follows them, such as ``serve``.

    Raises:
        ServerStartError: This program has no Python to run the simulator with.
    """
    # here: run by its path, this file is there before the package is
    from manager.supervisor.interpreter import find_python

    # -P: the modules beside this file are not to be found as top-level ones
    return [find_python("the simulator", _REMEDY), "-P", _FILE, *arguments]


def is_simulator(words: Sequence[str]) -> bool:
    """Whether a command starts the simulator, in either of its forms."""
    return "manager.simulator" in words or _FILE in words


def _run() -> int:
    # as for the supervisor, a bare package: what `manager` itself imports is of no use here
    package = ModuleType("manager")
    package.__path__ = [os.path.dirname(os.path.dirname(_FILE))]
    sys.modules["manager"] = package
    from manager.simulator.__main__ import main

    return main()


if __name__ == "__main__":
    sys.exit(_run())
