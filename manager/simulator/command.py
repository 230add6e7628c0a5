"""The words that start the simulator as a program of its own."""

from __future__ import annotations

from manager.supervisor.interpreter import find_python

__all__ = ["simulator_command"]

_REMEDY = "Start the simulator with an installed Python: `python -m manager.simulator serve`."


def simulator_command(*arguments: str) -> list[str]:
    """Return the command line of the simulator.

    Args:
        arguments: What follows its name, such as ``serve``.

    Raises:
        ServerStartError: When this program has no Python to run it with.
    """
    python = find_python("the simulator", _REMEDY)
    return [python, "-m", "manager.simulator", *arguments]
