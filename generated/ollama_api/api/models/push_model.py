from __future__ import annotations

from ...models.progress_response import ProgressResponse
from ...models.push_request import PushRequest
from ...types import Request


def build_request(*, body: PushRequest) -> Request[ProgressResponse]:
    """Upload a model to a registry.

    Sends what the registry lacks of the model and reports progress, layer by layer. The name must
    carry the namespace that the server's account may write to. A failure is an error line, or
    status 500 when not streaming.

    Args:
        body (PushRequest): What to send.

    Returns:
        The request `POST /api/push`; nothing is sent.
    """
    return Request(
        operation_id="push_model",
        method="POST",
        path="/api/push",
        json=body.to_dict(),
        decode=ProgressResponse.from_dict,
    )
