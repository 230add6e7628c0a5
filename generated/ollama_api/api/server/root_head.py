from __future__ import annotations

from ...types import Request, decode_nothing


def build_request() -> Request[None]:
    """Greet without a body.

    As `root`, with the status and headers alone.

    Returns:
        The request `HEAD /`; nothing is sent.
    """
    return Request(
        operation_id="root_head",
        method="HEAD",
        path="/",
        expects="nothing",
        decode=decode_nothing,
    )
