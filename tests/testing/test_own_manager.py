"""Projects that have a module `manager` of their own, where this package is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

OWN = "NAME = 'own'\n"
USES_IT = """
import manager

def test_it():
    assert manager.NAME == "own"
"""
ASKS_FOR_A_FIXTURE = """
def test_ours({fixture}):
    pass

def test_theirs():
    import manager
    assert manager.NAME == "own"
"""
PROJECTS = {
    "a module": {"manager.py": OWN, "test_it.py": USES_IT},
    "a package": {"manager/__init__.py": OWN, "manager/cli.py": "", "test_it.py": USES_IT},
    "a conftest that imports it": {
        "manager.py": OWN,
        "conftest.py": "import manager\n\nNAME = manager.NAME\n",
        "tests/test_it.py": USES_IT,
    },
    "a folder of sources": {
        "pytest.ini": "[pytest]\npythonpath = src\n",
        "src/manager/__init__.py": OWN,
        "tests/test_it.py": USES_IT,
    },
    "importlib mode": {
        "pytest.ini": "[pytest]\npythonpath = .\naddopts = --import-mode=importlib\n",
        "manager.py": OWN,
        "tests/test_it.py": USES_IT,
    },
}
COMMANDS = {
    "python -m pytest": [sys.executable, "-m", "pytest"],
    "pytest": [str(Path(sys.executable).with_name("pytest"))],
}
FIXTURES = ("ollama_server", "ollama_server_process", "ollama_program", "ollama_host")
# Slow to load, and of no concern here.
OTHERS = ("anyio", "asyncio", "hypothesispytest", "pytest_cov", "randomly", "schemathesis", "xdist")


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def run_pytest(folder: Path, command: list[str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run the tests of a project as its owner would, with the plugin found as it is installed."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OLLAMA", "PYTEST"))}
    clean.pop("PYTHONPATH", None)
    left_out = [word for name in (*OTHERS, "cacheprovider") for word in ("-p", f"no:{name}")]
    return subprocess.run(
        [*command, *left_out, "-W", "error", *words],
        cwd=folder,
        env=clean,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize("files", PROJECTS.values(), ids=PROJECTS)
def test_its_tests_import_its_own(
    tmp_path: Path, files: dict[str, str], command: list[str]
) -> None:
    write(tmp_path, files)
    done = run_pytest(tmp_path, command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


@pytest.mark.parametrize("fixture", FIXTURES)
def test_a_fixture_says_what_is_in_the_way(tmp_path: Path, fixture: str) -> None:
    write(tmp_path, {"manager.py": OWN, "test_it.py": ASKS_FOR_A_FIXTURE.format(fixture=fixture)})
    done = run_pytest(tmp_path, COMMANDS["python -m pytest"])
    assert done.returncode == 1
    assert "1 passed, 1 error" in done.stdout
    assert str(tmp_path / "manager.py") in done.stdout
    assert "ename " in done.stdout, "what to do"
    assert "Traceback" not in done.stdout
    assert "site-packages" not in done.stdout
    assert "top_level" not in done.stdout


def test_a_fixture_names_what_a_test_has_put_there(tmp_path: Path) -> None:
    stub = "import sys, types\nsys.modules['manager'] = types.ModuleType('manager')\n"
    write(tmp_path, {"conftest.py": stub, "test_it.py": "def test_it(ollama_server):\n    pass\n"})
    done = run_pytest(tmp_path, COMMANDS["pytest"])
    assert "1 error" in done.stdout
    assert "<module 'manager'>" in done.stdout
