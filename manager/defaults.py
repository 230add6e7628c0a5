"""What ``[defaults]`` adds to a request that says nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

from manager.options import merge_options

if TYPE_CHECKING:
    from ollama_api.models.chat_request import ChatRequest
    from ollama_api.models.embed_request import EmbedRequest
    from ollama_api.models.generate_request import GenerateRequest

    from manager.config import DefaultsConfig, ModelDefaults

__all__ = ["apply_defaults"]

RequestT = TypeVar("RequestT", "ChatRequest", "GenerateRequest", "EmbedRequest")


def apply_defaults(request: RequestT, defaults: ModelDefaults | DefaultsConfig) -> RequestT:
    """Fill in what ``request`` leaves open and ``defaults`` has; options one by one.

    Args:
        request: A request for an answer or for embeddings; changed in place.
        defaults: What holds for its model.

    Returns:
        The same request.

    Raises:
        InvalidRequestError: The configured options have a mistake.
    """
    if request.keep_alive is None:
        request.keep_alive = defaults.keep_alive
    if hasattr(request, "think"):
        thinking = cast("ChatRequest | GenerateRequest", request)
        if thinking.think is None:
            thinking.think = defaults.think
    if configured := merge_options(defaults.options, None, None):
        request.options = {**configured, **(request.options or {})}
    return request
