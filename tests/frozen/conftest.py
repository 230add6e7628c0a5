"""Frozen programs, built once, and a guard around each run of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from manager.supervisor.client import inspect, stop_managed

from ..managers.either import SIMULATOR
from ..ports import free_port
from .guarded import Guarded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
# What the environment of the tests has besides, and the program does not need.
UNUSED = ("PIL", "matplotlib", "numpy", "pydantic", "pytest", "setuptools", "trio")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    linux = sys.platform == "linux"
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.frozen)
            item.add_marker(pytest.mark.timeout(300))  # the first one builds
            if not linux:
                item.add_marker(pytest.mark.skip(reason="the guard needs /proc"))


@pytest.fixture(scope="session", params=["onedir", "onefile"])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, as PyInstaller makes it of either kind."""
    pytest.importorskip("PyInstaller", reason="PyInstaller is not installed: `make frozen`")
    folder = tmp_path_factory.mktemp(request.param)
    subprocess.run(
        [
            *(sys.executable, "-m", "PyInstaller", f"--{request.param}", "--log-level=ERROR"),
            *(f"--{name}path={folder / name}" for name in ("dist", "work", "spec")),
            *(f"--exclude-module={name}" for name in UNUSED),
            str(HERE / "frozen_program.py"),
        ],
        check=True,
        timeout=280,
    )
    built = folder / "dist" / "frozen_program"
    return built / "frozen_program" if request.param == "onedir" else built


@pytest.fixture
def port() -> Iterator[int]:
    """A free port; what serves there afterwards is stopped."""
    port = free_port()
    yield port
    if inspect("127.0.0.1", port) is not None:
        stop_managed("127.0.0.1", port)


@pytest.fixture
def start(tmp_path: Path, port: int) -> Iterator[Callable[..., Guarded]]:
    """Start a program whose server is the simulator; nothing of it is left afterwards."""
    started: list[Guarded] = []

    def start(*words: str | Path, **environ: str) -> Guarded:
        folder = tmp_path / str(len(started))
        folder.mkdir()
        server = {
            "OLLAMA_HOST": f"127.0.0.1:{port}",
            "OLLAMA_MANAGER_BINARY": json.dumps(SIMULATOR),
        }
        started.append(Guarded([str(word) for word in words], folder, server | environ))
        return started[-1]

    yield start
    for guarded in started:
        guarded.kill()
