"""The entry points of the distribution: the console script and the pytest plugin.

They have a top-level package of their own because `manager` is a common name: a project may have a
module of that name, which Python then imports in place of ours. What is here can say so.

    console         ``ollama-manager``
    pytest_plugin   the fixtures
    shadowing       finds the module that is in the way

Importing this package imports nothing.
"""

from __future__ import annotations
