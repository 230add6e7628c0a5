"""The HTTP client of a manager, with an httpx that is not as it was."""

from __future__ import annotations

from typing import Any

import manager._async.http_client
import manager._sync.http_client


class LaterClient:
    """A client that has no transports to hand out."""

    def send(self, request: str, *, stream: bool) -> tuple[str, bool]:
        return request, stream


def test_a_client_without_known_transports_sends_itself() -> None:
    transport = manager._sync.http_client._transport_of(LaterClient())  # type: ignore[arg-type]
    assert transport.handle_request("the request") == ("the request", True)


async def test_an_async_client_without_known_transports_sends_itself() -> None:
    class AsyncLaterClient(LaterClient):
        async def send(self, request: str, *, stream: bool) -> Any:
            return request, stream

    transport = manager._async.http_client._transport_of(AsyncLaterClient())  # type: ignore[arg-type]
    assert await transport.handle_async_request("the request") == ("the request", True)
