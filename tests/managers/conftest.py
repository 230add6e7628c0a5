from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from manager.simulator.process import SimulatedServer

from ..ports import free_port
from .either import SIMULATOR, make_async, make_sync

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from .either import Make


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Ask of httpx's own transport what it can promise, and of the engine everything."""
    beyond = [
        item
        for item in items
        if item.get_closest_marker("engine")
        and "httpx" in item.name[:-1].partition("[")[2].split("-")
    ]
    if beyond:
        config.hook.pytest_deselected(items=beyond)
        items[:] = [item for item in items if item not in set(beyond)]


@pytest.fixture(autouse=True)
def own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the developer's configuration, and logs in a folder of the test's own."""
    for name in [name for name in os.environ if name.startswith("OLLAMA_")]:
        monkeypatch.delenv(name)
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=["auto", "httpx"])
def each_transport(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, own_environment: None
) -> None:
    """Lets a test run with everything that ``[client] transport`` may be."""
    monkeypatch.setenv("OLLAMA_MANAGER_CLIENT_TRANSPORT", request.param)


@pytest.fixture(params=["sync", "async"])
def make(request: pytest.FixtureRequest) -> Make:
    """Makes a manager of either kind, behind one interface; the test closes it."""
    return make_sync if request.param == "sync" else make_async


@pytest_asyncio.fixture(autouse=True)
async def many_threads() -> AsyncIterator[None]:
    """Room for every thread that a test asks for."""
    executor = ThreadPoolExecutor(64)
    asyncio.get_running_loop().set_default_executor(executor)
    yield
    executor.shutdown(wait=False)


@pytest.fixture(scope="session")
def server() -> Iterator[SimulatedServer]:
    """A server that no manager started; tests keep to models that they make themselves."""
    models = ["simulated", "simulated-embed", "gemma3:1b", "llama3.2:3b"]
    with SimulatedServer(port=free_port(), models=models, pull_seconds=0.05) as running:
        yield running


@pytest.fixture(scope="session")
def slow_server() -> Iterator[SimulatedServer]:
    """A server whose tokens take a while."""
    with SimulatedServer(port=free_port(), token_seconds=0.02) as running:
        yield running


@pytest_asyncio.fixture
async def m(make: Make, server: SimulatedServer) -> AsyncIterator[Any]:
    """A manager that uses the shared server."""
    async with make(host=server.host) as manager:
        yield manager


@pytest_asyncio.fixture
async def slow(make: Make, slow_server: SimulatedServer) -> AsyncIterator[Any]:
    """A manager that uses the shared slow server."""
    async with make(host=slow_server.host) as manager:
        yield manager


@pytest.fixture
def managed() -> dict[str, Any]:
    """The keywords of a manager that starts a server of its own."""
    return {
        "host": f"127.0.0.1:{free_port()}",
        "binary": SIMULATOR,
        "env": {"OLLAMA_SIMULATOR_TOKEN_SECONDS": "0.02"},
    }
