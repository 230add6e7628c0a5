from __future__ import annotations

from urllib.parse import quote

from ...types import Request, decode_nothing


def build_request(digest: str) -> Request[None]:
    """Ask whether a blob is there.

    Status 200 if the server has the blob, 404 if it must be uploaded with `create_blob` first.

    Args:
        digest (str): SHA-256 of the blob's bytes as `sha256:` and 64 hexadecimal digits.

    Returns:
        The request `HEAD /api/blobs/{digest}`; nothing is sent.
    """
    return Request(
        operation_id="blob_exists",
        method="HEAD",
        path=f"/api/blobs/{quote(digest, safe=':')}",
        expects="nothing",
        decode=decode_nothing,
    )
