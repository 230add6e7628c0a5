"""httpx without its command line."""

from __future__ import annotations

import subprocess
import sys

import pytest


def run(*lines: str) -> str:
    program = "\n".join(("import sys", *lines))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert not done.returncode, done.stderr
    return done.stdout


def test_the_command_line_and_what_it_needs_stay_away() -> None:
    found = run(
        "from manager.lean_httpx import httpx",
        "print(*sorted({'rich', 'click', 'pygments', 'httpx._main'} & set(sys.modules)))",
    )
    assert found.split() == []


def test_the_command_line_is_there_for_who_wants_it() -> None:
    help_of_httpx = run(
        "from manager.lean_httpx import httpx",
        "sys.argv = ['httpx', '--help']",
        "httpx.main()",
    )
    assert "Usage: httpx" in help_of_httpx


@pytest.mark.parametrize("first", ["httpx", "httpx._main"])
def test_an_httpx_that_is_there_stays_as_it_is(first: str) -> None:
    found = run(
        f"import {first}",
        "main = httpx.main",
        "from manager.lean_httpx import httpx as ours",
        "print(ours is httpx, httpx.main is main, 'httpx._main' in sys.modules)",
    )
    assert found.split() == ["True"] * 3


def test_a_failing_import_leaves_no_trace() -> None:
    found = run(
        "sys.modules['httpx._api'] = None",
        "try:",
        "    import manager.lean_httpx",
        "except ImportError:",
        "    print('httpx._main' in sys.modules)",
    )
    assert found.split() == ["False"]
