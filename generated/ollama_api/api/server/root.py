from __future__ import annotations

from ...types import Request, decode_text


def build_request() -> Request[str]:
    """Greet.

    Answers with a fixed sentence as plain text. The cheapest proof that an Ollama server is
    serving HTTP, and that it is Ollama.

    Returns:
        The request `GET /`; nothing is sent.
    """
    return Request(
        operation_id="root",
        method="GET",
        path="/",
        expects="text",
        decode=decode_text,
    )
