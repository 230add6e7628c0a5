"""The scenarios of tests/process, played on a real Ollama."""

from __future__ import annotations

import sys

import pytest

if sys.platform != "linux":
    pytest.skip("they look into /proc", allow_module_level=True)

from ..process.test_scenarios_managers import *  # noqa: F403
from ..process.test_scenarios_server import *  # noqa: F403
