from __future__ import annotations

from ...models.copy_request import CopyRequest
from ...types import Request, decode_nothing


def build_request(*, body: CopyRequest) -> Request[None]:
    """Copy a model to another name.

    Cheap, since both names share the same blobs. A model that has the destination's name is
    replaced.

    Args:
        body (CopyRequest): What to send.

    Returns:
        The request `POST /api/copy`; nothing is sent.
    """
    return Request(
        operation_id="copy_model",
        method="POST",
        path="/api/copy",
        json=body.to_dict(),
        expects="nothing",
        decode=decode_nothing,
    )
