from __future__ import annotations

from ...models.web_fetch_request import WebFetchRequest
from ...models.web_fetch_response import WebFetchResponse
from ...types import Request


def build_request(*, body: WebFetchRequest) -> Request[WebFetchResponse]:
    """Fetch a web page through ollama.com.

    Needs the network and a server that is signed in. The request goes to ollama.com.

    Args:
        body (WebFetchRequest): What to send.

    Returns:
        The request `POST /api/experimental/web_fetch`; nothing is sent.
    """
    return Request(
        operation_id="web_fetch",
        method="POST",
        path="/api/experimental/web_fetch",
        json=body.to_dict(),
        decode=WebFetchResponse.from_dict,
    )
