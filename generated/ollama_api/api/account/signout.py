from __future__ import annotations

from ...types import Request, decode_nothing


def build_request() -> Request[None]:
    """Sign the server out of ollama.com.

    Withdraws the server's public key from the account. Needs the network.

    Returns:
        The request `POST /api/signout`; nothing is sent.
    """
    return Request(
        operation_id="signout",
        method="POST",
        path="/api/signout",
        expects="nothing",
        decode=decode_nothing,
    )
