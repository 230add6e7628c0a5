"""A shell with a home of its own, with and without a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from manager.supervisor.client import inspect, stop_managed

from .cli_testing import Shell, clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def _shell(home: Path) -> Iterator[Shell]:
    shell = Shell(clean_environment(home))
    try:
        yield shell
    finally:
        # first what a test may have left, then proof that it is gone
        host, _, port = shell.env["OLLAMA_HOST"].rpartition(":")
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("XDG_RUNTIME_DIR", raising=False)  # as the programs had it
            stop_managed(host, int(port))
            seen = inspect(host, int(port))
        assert seen is None or seen.state == "stopped"


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A server that the tests of a module share."""
    for shell in _shell(tmp_path_factory.mktemp("home")):
        shell.ok("start")
        yield shell


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """An address whose server, once a command starts it, takes its time over each word."""
    for shell in _shell(tmp_path_factory.mktemp("home")):
        shell.env["OLLAMA_SIMULATOR_TOKEN_SECONDS"] = "0.02"
        yield shell


@pytest.fixture
def cold(tmp_path: Path) -> Iterator[Shell]:
    """An address without a server."""
    yield from _shell(tmp_path)
