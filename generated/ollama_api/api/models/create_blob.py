from __future__ import annotations

from urllib.parse import quote

from ...types import Content, Request, decode_nothing


def build_request(digest: str, *, body: Content) -> Request[None]:
    """Upload a blob.

    Stores the bytes of one file under their SHA-256 digest, to be named in `files` or `adapters`
    of `create_model`. Bytes that do not match the digest are refused. Unused blobs are deleted at
    the server's next start once they are an hour old.

    Args:
        digest (str): SHA-256 of the blob's bytes as `sha256:` and 64 hexadecimal digits.
        body (Content): The bytes to send, whole or in pieces.

    Returns:
        The request `POST /api/blobs/{digest}`; nothing is sent.
    """
    return Request(
        operation_id="create_blob",
        method="POST",
        path=f"/api/blobs/{quote(digest, safe=':')}",
        content=body,
        expects="nothing",
        decode=decode_nothing,
    )
