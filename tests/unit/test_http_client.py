"""The HTTP client of a manager, with an httpx that is not as it was."""

from __future__ import annotations

from typing import Any

import pytest

import manager._async.http_client
import manager._sync.http_client


class LaterClient:
    """A client that has no transports to hand out."""

    def send(self, request: str, *, stream: bool) -> tuple[str, bool]:
        return request, stream


@pytest.mark.parametrize("shell", [manager._async.http_client, manager._sync.http_client])
def test_a_client_without_known_transports_sends_itself(shell: Any) -> None:
    send = shell._sender(LaterClient())
    assert send("the request") == ("the request", True)
