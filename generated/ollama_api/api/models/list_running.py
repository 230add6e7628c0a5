from __future__ import annotations

from ...models.process_response import ProcessResponse
from ...types import Request


def build_request() -> Request[ProcessResponse]:
    """List the models in memory.

    The loaded models, the one that will stay longest first. It answers while a model is busy or
    hung.

    Returns:
        The request `GET /api/ps`; nothing is sent.
    """
    return Request(
        operation_id="list_running",
        method="GET",
        path="/api/ps",
        decode=ProcessResponse.from_dict,
    )
