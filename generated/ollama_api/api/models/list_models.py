from __future__ import annotations

from ...models.list_response import ListResponse
from ...types import Request


def build_request() -> Request[ListResponse]:
    """List the models on disk.

    The models that this server has, the most recently changed first.

    Returns:
        The request `GET /api/tags`; nothing is sent.
    """
    return Request(
        operation_id="list_models",
        method="GET",
        path="/api/tags",
        decode=ListResponse.from_dict,
    )
