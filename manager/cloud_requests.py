"""Requests that go through ollama.com, built and checked without I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manager.errors import InvalidRequestError
from manager.json_values import validate_text
from manager.spelling import shown

if TYPE_CHECKING:
    from ollama_api.models.web_fetch_request import WebFetchRequest
    from ollama_api.models.web_search_request import WebSearchRequest

__all__ = ["build_web_fetch_request", "build_web_search_request"]

_MOST_RESULTS = 10


def build_web_search_request(query: str, *, max_results: int | None = None) -> WebSearchRequest:
    """Return the request of ``POST /api/experimental/web_search``.

    Args:
        query: What to search for.
        max_results: Most hits to return, 1 to 10.

    Raises:
        InvalidRequestError: An argument is wrong; ``argument`` says which.
    """
    from ollama_api.models.web_search_request import WebSearchRequest

    if max_results is not None and (
        isinstance(max_results, bool)
        or not isinstance(max_results, int)
        or not 1 <= max_results <= _MOST_RESULTS
    ):
        raise InvalidRequestError(
            f"max_results must be a whole number from 1 to {_MOST_RESULTS}, got "
            f"{shown(max_results)}",
            argument="max_results",
        )
    return WebSearchRequest(query=_some_text(query, "query"), max_results=max_results)


def build_web_fetch_request(url: str) -> WebFetchRequest:
    """Return the request of ``POST /api/experimental/web_fetch``.

    Args:
        url: The page.

    Raises:
        InvalidRequestError: It is no text, or empty.
    """
    from ollama_api.models.web_fetch_request import WebFetchRequest

    return WebFetchRequest(url=_some_text(url, "url"))


def _some_text(value: object, argument: str) -> str:
    text = validate_text(value, argument)
    if not text.strip():
        raise InvalidRequestError(f"{argument} is empty", argument=argument)
    return text
