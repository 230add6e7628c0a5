"""The script `ollama-manager` in projects that have a module of the same name as one of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from manager.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .cli_testing import Shell

ROOT = Path(__file__).parents[2]
SCRIPT = [Path(sys.executable).with_name("ollama-manager" + sysconfig.get_config_var("EXE"))]
PROGRAM = "import sys\nfrom ollama_manager_entry_points.console import main\nsys.exit(main())\n"
STRANGER = "raise SystemExit('nobody asked for this to be run')\n"
FILES = ("manager.py", "manager/__init__.py", "ollama_api.py", "ollama_api/__init__.py")


def run(
    cold: Shell, folder: Path, *words: str, script: Sequence[str | Path] = SCRIPT, **env: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*script, *words],
        cwd=folder,
        env={**cold.env, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def stranger(folder: Path, name: str = "manager.py") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(STRANGER, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", FILES)
def test_it_says_what_is_in_the_way(cold: Shell, tmp_path: Path, name: str) -> None:
    path = stranger(tmp_path, name)
    for words in (["--version"], ["status"]):
        done = run(cold, tmp_path, *words, PYTHONPATH=".")
        assert (done.returncode, done.stdout) == (2, "")
        error, hint = done.stderr.splitlines()
        assert error.startswith("error: ")
        assert str(path) in error
        assert hint.startswith("hint: PYTHONPATH ")
        assert "another folder" in hint
        assert hint.endswith(f"rename {tmp_path / name.removesuffix('/__init__.py')}")


def test_an_absolute_path_is_the_same_in_another_folder(cold: Shell, tmp_path: Path) -> None:
    stranger(tmp_path)
    done = run(cold, Path("/"), "status", PYTHONPATH=f"/nowhere{os.pathsep}{tmp_path}")
    assert done.returncode == 2
    assert f"PYTHONPATH puts {tmp_path} before" in done.stderr
    assert "another folder" not in done.stderr


def test_a_script_gets_json(cold: Shell, tmp_path: Path) -> None:
    path = stranger(tmp_path)
    done = run(cold, tmp_path, "status", "--json", PYTHONPATH=".")
    assert (done.returncode, done.stdout) == (2, "")
    error = json.loads(done.stderr)
    assert error["code"] == "module_shadowed"
    assert error["path"] == str(path)
    assert str(path) in error["message"]
    assert "PYTHONPATH" in error["hint"]
    assert error["retryable"] is False


def test_beside_the_program(cold: Shell, tmp_path: Path) -> None:
    """The folder of the program that is started comes first, unless Python is told otherwise."""
    stranger(tmp_path)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    done = run(cold, tmp_path, "--version", script=[sys.executable, program])
    assert done.returncode == 2
    assert "PYTHONSAFEPATH=1" in done.stderr
    done = run(cold, tmp_path, "--version", script=[sys.executable, program], PYTHONSAFEPATH="1")
    assert (done.returncode, done.stdout) == (0, f"ollama-manager {__version__}\n")


def test_elsewhere_on_the_path(cold: Shell, tmp_path: Path) -> None:
    """As the folder of a project that is installed for editing, in the same environment."""
    stranger(tmp_path / "project")
    program = tmp_path / "program.py"
    first = f"import sys; sys.path.insert(1, {str(tmp_path / 'project')!r})\n"
    program.write_text(first + PROGRAM, encoding="utf-8")
    done = run(cold, tmp_path, "--version", script=[sys.executable, program])
    assert done.returncode == 2
    assert "an environment of its own" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links")
def test_another_copy_of_ours_is_not_in_the_way(cold: Shell, tmp_path: Path) -> None:
    (tmp_path / "generated").mkdir()
    for name in ("manager", "generated/ollama_api"):
        (tmp_path / name).symlink_to(ROOT / name)
    copy = f"{tmp_path}{os.pathsep}{tmp_path / 'generated'}"
    done = run(cold, tmp_path, "--version", PYTHONPATH=copy)
    assert (done.returncode, done.stdout) == (0, f"ollama-manager {__version__}\n"), done.stderr


def test_a_namespace_and_other_names_are_not_in_the_way(cold: Shell, tmp_path: Path) -> None:
    (tmp_path / "manager").mkdir()
    (tmp_path / "managers.py").touch()
    done = run(cold, tmp_path, "--version", PYTHONPATH=".")
    assert (done.returncode, done.stdout) == (0, f"ollama-manager {__version__}\n")


def test_the_folder_alone_is_not_in_the_way(cold: Shell, tmp_path: Path) -> None:
    """The simulator starts a program of its own for each model."""
    stranger(tmp_path)
    with subprocess.Popen(
        [*SCRIPT, "simulate", "--json"], cwd=tmp_path, env=cold.env, stdout=subprocess.PIPE
    ) as simulator:
        try:
            assert simulator.stdout is not None
            answer = generate(json.loads(simulator.stdout.readline())["host"])
        finally:
            simulator.terminate()
    assert answer["done"] is True


def generate(url: str) -> dict[str, Any]:
    """Ask a server that is about to listen."""
    body = b'{"model": "simulated", "prompt": "?", "stream": false}'
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"{url}/api/generate", body) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError:
            raise
        except urllib.error.URLError:
            assert time.monotonic() < deadline
