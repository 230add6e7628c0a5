from __future__ import annotations

from ...models.status_response import StatusResponse
from ...types import Request


def build_request() -> Request[StatusResponse]:
    """Say whether cloud features are switched off.

    Local policy only; nothing is asked of ollama.com.

    Returns:
        The request `GET /api/status`; nothing is sent.
    """
    return Request(
        operation_id="cloud_status",
        method="GET",
        path="/api/status",
        decode=StatusResponse.from_dict,
    )
