"""How the whole suite is run."""

from __future__ import annotations

import os
import signal


def pytest_xdist_auto_num_workers() -> int:
    """More workers than processors: most tests wait, for processes and their deadlines."""
    return 2 * (os.cpu_count() or 1) + 1


def pytest_configure() -> None:
    """Let the programs that tests start be interrupted, also where the suite runs in background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # what a program ignores, its children do
        signal.signal(signal.SIGINT, signal.default_int_handler)
