"""How the whole suite is run."""

from __future__ import annotations

import os


def pytest_xdist_auto_num_workers() -> int:
    """More workers than processors: most tests wait, for processes and their deadlines."""
    return 2 * (os.cpu_count() or 1) + 1
