"""Type checkers know what the managers take and return, and find mistakes in their use."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FILES = ["sync_manager.py", "async_manager.py", "server_for_tests.py", "mistakes.py"]
MARK = re.compile(r"  # type: ignore\[[a-z-]+\]")

pytestmark = [pytest.mark.types, pytest.mark.timeout(300)]


def pyright(*files: Path) -> dict[str, Any]:
    """Check files as a user's project in strict mode would; the report."""
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_mypy_agrees_with_every_file() -> None:
    # strict: a marked line without a mistake is an error, too
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", *(HERE / name for name in FILES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What pyright says of copies that have no marks, outside of the project."""
    folder = tmp_path_factory.mktemp("user")
    for name in FILES:
        code = (HERE / name).read_text(encoding="utf-8")
        (folder / name).write_text("# pyright: strict\n" + MARK.sub("", code), encoding="utf-8")
    return pyright(folder)


def test_pyright_finds_every_mistake_and_nothing_else(report: dict[str, Any]) -> None:
    found = {
        (Path(each["file"]).name, each["range"]["start"]["line"])  # from 0, after the added line
        for each in report["generalDiagnostics"]
        if each["severity"] == "error"
    }
    code = (HERE / "mistakes.py").read_text(encoding="utf-8").splitlines()
    marked = {("mistakes.py", number) for number, line in enumerate(code, 1) if MARK.search(line)}
    assert len(marked) > 10
    assert found == marked, json.dumps(report["generalDiagnostics"], indent=1)
    assert report["summary"]["filesAnalyzed"] == len(FILES)
