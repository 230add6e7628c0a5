from __future__ import annotations

from ...models.version_response import VersionResponse
from ...types import Request


def build_request() -> Request[VersionResponse]:
    """Get the version of the server.

    The release that the server was built as. A build without a release number says `0.0.0`.

    Returns:
        The request `GET /api/version`; nothing is sent.
    """
    return Request(
        operation_id="version",
        method="GET",
        path="/api/version",
        decode=VersionResponse.from_dict,
    )
