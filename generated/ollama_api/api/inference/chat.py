from __future__ import annotations

from ...models.chat_request import ChatRequest
from ...models.chat_response import ChatResponse
from ...types import Request


def build_request(*, body: ChatRequest) -> Request[ChatResponse]:
    """Answer a conversation.

    Sends the messages to the model and answers with its next message, at once or token by token.
    Loads the model first if it is not in memory; the request waits for that and for its turn.
    Without messages the model is only loaded (`done_reason` `load`), or with `keep_alive` 0
    unloaded (`unload`).

    Args:
        body (ChatRequest): What to send.

    Returns:
        The request `POST /api/chat`; nothing is sent.
    """
    return Request(
        operation_id="chat",
        method="POST",
        path="/api/chat",
        json=body.to_dict(),
        decode=ChatResponse.from_dict,
    )
