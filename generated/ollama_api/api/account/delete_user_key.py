from __future__ import annotations

from urllib.parse import quote

from ...types import Request, decode_nothing


def build_request(encoded_key: str) -> Request[None]:
    """Sign out, the old way.

    Superseded by `signout`, and the same: whatever key is named, it is the server's own that is
    withdrawn.

    Args:
        encoded_key (str): A public key in URL-safe base64 without padding. Required, and not
            looked at.

    Returns:
        The request `DELETE /api/user/keys/{encoded_key}`; nothing is sent.
    """
    return Request(
        operation_id="delete_user_key",
        method="DELETE",
        path=f"/api/user/keys/{quote(encoded_key, safe=':')}",
        expects="nothing",
        decode=decode_nothing,
    )
