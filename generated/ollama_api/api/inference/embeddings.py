from __future__ import annotations

from ...models.embedding_request import EmbeddingRequest
from ...models.embedding_response import EmbeddingResponse
from ...types import Request


def build_request(*, body: EmbeddingRequest) -> Request[EmbeddingResponse]:
    """Embed one text, the old way.

    Superseded by `embed`: takes one text, and the vector is not scaled to unit length. An empty
    prompt only loads the model.

    Args:
        body (EmbeddingRequest): What to send.

    Returns:
        The request `POST /api/embeddings`; nothing is sent.
    """
    return Request(
        operation_id="embeddings",
        method="POST",
        path="/api/embeddings",
        json=body.to_dict(),
        decode=EmbeddingResponse.from_dict,
    )
