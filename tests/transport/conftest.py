from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .httpx_testing import carrier_async, carrier_sync, client_async, client_sync

if TYPE_CHECKING:
    from .httpx_testing import Make


@pytest.fixture(params=[carrier_sync, carrier_async], ids=["sync", "async"])
def make(request: pytest.FixtureRequest) -> Make:
    """Makes a carrier of either shell."""
    made: Make = request.param
    return made


@pytest.fixture(params=[client_sync, client_async], ids=["sync", "async"])
def make_client(request: pytest.FixtureRequest) -> Make:
    """Makes an httpx client of either shell that sends by the engine."""
    made: Make = request.param
    return made
