from __future__ import annotations

from ...models.create_request import CreateRequest
from ...models.progress_response import ProgressResponse
from ...types import Request


def build_request(*, body: CreateRequest) -> Request[ProgressResponse]:
    """Create a model from files or from another model.

    Makes a model out of blobs that were uploaded with `create_blob` (`files`) or out of a model
    that is there (`from`), with the settings given, and reports progress. One of the two is
    needed. A model of the same name is replaced.

    Args:
        body (CreateRequest): What to send.

    Returns:
        The request `POST /api/create`; nothing is sent.
    """
    return Request(
        operation_id="create_model",
        method="POST",
        path="/api/create",
        json=body.to_dict(),
        decode=ProgressResponse.from_dict,
    )
