"""httpx, without its command line: ``from manager.lean_httpx import httpx``.

``import httpx`` also imports the program ``httpx``, and with it rich, click and pygments where
they are installed: more time and memory than all the rest of it. Here that waits until somebody
calls ``httpx.main()``.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from typing import Any

__all__ = ["httpx"]

_PROGRAM = "httpx._main"

_modules = cast("dict[str, object]", sys.modules)  # None in it: there is no such module
_is_first = "httpx" not in _modules
if _is_first:
    _modules[_PROGRAM] = None  # httpx goes on without it, as without its dependencies
try:
    import httpx as httpx
finally:
    if _is_first and _modules.get(_PROGRAM) is None:
        _modules.pop(_PROGRAM, None)


_without_click = httpx.main


def _main() -> None:
    from importlib import import_module

    try:
        main = import_module(_PROGRAM).main
    except ImportError:
        main = _without_click  # says what to install
    main()


if _is_first:
    cast("Any", httpx).main = _main
