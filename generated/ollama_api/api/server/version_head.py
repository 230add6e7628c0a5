from __future__ import annotations

from ...types import Request, decode_nothing


def build_request() -> Request[None]:
    """Get the headers of `version`.

    As `version`, with the status and headers alone.

    Returns:
        The request `HEAD /api/version`; nothing is sent.
    """
    return Request(
        operation_id="version_head",
        method="HEAD",
        path="/api/version",
        expects="nothing",
        decode=decode_nothing,
    )
