from __future__ import annotations

from ...models.model_recommendations_response import ModelRecommendationsResponse
from ...types import Request


def build_request() -> Request[ModelRecommendationsResponse]:
    """List models worth trying.

    Answers from a cache that the server refreshes from ollama.com in the background; without the
    network, with a list that is built in.

    Returns:
        The request `GET /api/experimental/model-recommendations`; nothing is sent.
    """
    return Request(
        operation_id="model_recommendations",
        method="GET",
        path="/api/experimental/model-recommendations",
        decode=ModelRecommendationsResponse.from_dict,
    )
