from __future__ import annotations

from ...models.user_response import UserResponse
from ...types import Request


def build_request() -> Request[UserResponse]:
    """Get the account that the server is signed in to.

    Asks ollama.com, so it needs the network.

    Returns:
        The request `POST /api/me`; nothing is sent.
    """
    return Request(
        operation_id="whoami",
        method="POST",
        path="/api/me",
        decode=UserResponse.from_dict,
    )
