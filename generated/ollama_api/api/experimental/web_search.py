from __future__ import annotations

from ...models.web_search_request import WebSearchRequest
from ...models.web_search_response import WebSearchResponse
from ...types import Request


def build_request(*, body: WebSearchRequest) -> Request[WebSearchResponse]:
    """Search the web through ollama.com.

    Needs the network and a server that is signed in. The request goes to ollama.com.

    Args:
        body (WebSearchRequest): What to send.

    Returns:
        The request `POST /api/experimental/web_search`; nothing is sent.
    """
    return Request(
        operation_id="web_search",
        method="POST",
        path="/api/experimental/web_search",
        json=body.to_dict(),
        decode=WebSearchResponse.from_dict,
    )
