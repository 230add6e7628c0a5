from __future__ import annotations

from ...models.show_request import ShowRequest
from ...models.show_response import ShowResponse
from ...types import Request


def build_request(*, body: ShowRequest) -> Request[ShowResponse]:
    """Describe a model.

    Reads the model's settings, template, licence, capabilities and metadata. Does not load it.

    Args:
        body (ShowRequest): What to send.

    Returns:
        The request `POST /api/show`; nothing is sent.
    """
    return Request(
        operation_id="show_model",
        method="POST",
        path="/api/show",
        json=body.to_dict(),
        decode=ShowResponse.from_dict,
    )
