from __future__ import annotations

from ...models.generate_request import GenerateRequest
from ...models.generate_response import GenerateResponse
from ...types import Request


def build_request(*, body: GenerateRequest) -> Request[GenerateResponse]:
    """Complete a prompt.

    Continues one prompt, at once or token by token, with the model's template around it unless
    `raw` is set. Loads the model first if it is not in memory. With an empty prompt the model is
    only loaded (`done_reason` `load`), or with `keep_alive` 0 unloaded (`unload`).

    Args:
        body (GenerateRequest): What to send.

    Returns:
        The request `POST /api/generate`; nothing is sent.
    """
    return Request(
        operation_id="generate",
        method="POST",
        path="/api/generate",
        json=body.to_dict(),
        decode=GenerateResponse.from_dict,
    )
