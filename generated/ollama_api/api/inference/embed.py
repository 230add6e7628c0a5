from __future__ import annotations

from ...models.embed_request import EmbedRequest
from ...models.embed_response import EmbedResponse
from ...types import Request


def build_request(*, body: EmbedRequest) -> Request[EmbedResponse]:
    """Embed texts.

    Turns one text or many into vectors of unit length, in the order given. Empty input only loads
    the model.

    Args:
        body (EmbedRequest): What to send.

    Returns:
        The request `POST /api/embed`; nothing is sent.
    """
    return Request(
        operation_id="embed",
        method="POST",
        path="/api/embed",
        json=body.to_dict(),
        decode=EmbedResponse.from_dict,
    )
