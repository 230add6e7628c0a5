from __future__ import annotations

from ...models.delete_request import DeleteRequest
from ...types import Request, decode_nothing


def build_request(*, body: DeleteRequest) -> Request[None]:
    """Delete a model.

    Removes the name, and those of its blobs that no other model uses.

    Args:
        body (DeleteRequest): What to send.

    Returns:
        The request `DELETE /api/delete`; nothing is sent.
    """
    return Request(
        operation_id="delete_model",
        method="DELETE",
        path="/api/delete",
        json=body.to_dict(),
        expects="nothing",
        decode=decode_nothing,
    )
