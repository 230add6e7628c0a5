from __future__ import annotations

from ...types import Request, decode_nothing


def build_request() -> Request[None]:
    """Get the headers of `list_models`.

    As `list_models`, with the status and headers alone.

    Returns:
        The request `HEAD /api/tags`; nothing is sent.
    """
    return Request(
        operation_id="list_models_head",
        method="HEAD",
        path="/api/tags",
        expects="nothing",
        decode=decode_nothing,
    )
