"""A simulated server for each test module, and more where a test wants its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from manager.simulator import SimulatedServer

from ..plain_http import plain_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx


@pytest.fixture(scope="module")
def server() -> Iterator[SimulatedServer]:
    """A server as fast as it can be, with a vision model beside the usual two."""
    models = ["simulated", "simulated-embed", "plain", "llava"]
    with SimulatedServer(models=models) as running:
        yield running


@pytest.fixture
def client(server: SimulatedServer) -> Iterator[httpx.Client]:
    with plain_client(server.base_url) as opened:
        yield opened


@pytest.fixture
def start() -> Iterator[Callable[..., tuple[SimulatedServer, httpx.Client]]]:
    """Start a server of one's own; gives it and a client for it."""
    running: list[tuple[SimulatedServer, httpx.Client]] = []

    def start_one(**settings: Any) -> tuple[SimulatedServer, httpx.Client]:
        server = SimulatedServer(**settings).start()
        client = plain_client(server.base_url)
        running.append((server, client))
        return server, client

    yield start_one
    for server, client in running:
        client.close()
        server.stop()
