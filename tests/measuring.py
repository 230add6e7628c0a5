"""Has coverage measure supervisors too; coverage loads this in each process, see pyproject.toml.

Every other process starts coverage by itself: its `.pth` file does, where an environment variable
says so. A supervisor is started without `site`, which reads those files, and that is to stay so.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

FORKED = "if os.fork(): os._exit(0)\n"
"""What the supervisor's first lines end with, before they import anything of the package."""

# The path is given back, so that the supervisor can import no more than it could without this.
_MEASURE = """\
sys.path[:], path = {path!r}, sys.path[:]
import coverage
coverage.process_startup()
sys.path[:] = path
"""


def measured(words: Sequence[Any]) -> list[Any]:
    """Return the command line of a supervisor with coverage in it; any other one as it is."""
    measure = FORKED + _MEASURE.format(path=sys.path)
    return [word.replace(FORKED, measure, 1) if isinstance(word, str) else word for word in words]


def coverage_init(_registry: object, _options: object) -> None:
    """Have every supervisor that this process starts measured; coverage calls this."""
    begin = subprocess.Popen.__init__
    if hasattr(begin, "__wrapped__"):
        return  # a process of pytest-xdist starts coverage twice

    @functools.wraps(begin)
    def popen(self: Any, args: Any, *rest: Any, **named: Any) -> None:
        begin(self, measured(args) if isinstance(args, list) else args, *rest, **named)

    subprocess.Popen.__init__ = popen  # type: ignore[method-assign]
