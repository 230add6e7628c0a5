"""The account on ollama.com, and what goes through it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manager._async import late
from manager.default import DEFAULT

if TYPE_CHECKING:
    from ollama_api.models import (
        CloudStatus,
        ModelRecommendation,
        UserResponse,
        WebFetchResponse,
        WebSearchResult,
    )

    from manager._async.session import AsyncSession
    from manager.timeouts import TimeoutInput
    from manager.transport.retry import RetryInput

__all__ = ["AsyncAccountMethods"]


class AsyncAccountMethods:
    """Who the server is signed in as, and what it asks of ollama.com."""

    _session: AsyncSession

    async def whoami(
        self, *, timeout: TimeoutInput = DEFAULT, retry: RetryInput = DEFAULT
    ) -> UserResponse:
        """Return the account that the server is signed in to; it asks ollama.com.

        Args:
            timeout: The longest silence in seconds, or a ``Timeouts`` record.
            retry: Other rules for sending it again, such as ``{"max_attempts": 1}``.

        Raises:
            AuthenticationError: It is signed in to none; ``signin_url`` is where to do that.
            ServerBusyError: ollama.com cannot be reached.
            ServerTooOldError: The server is older than v0.12.0.

        Source: Ollama ``POST /api/me``.
        """
        request = late.whoami.build_request()
        return await self._session.send(request, timeout=timeout, retry=retry)

    async def signout(
        self, *, timeout: TimeoutInput = DEFAULT, retry: RetryInput = DEFAULT
    ) -> None:
        """Sign the server out of ollama.com.

        Args:
            timeout: The longest silence in seconds, or a ``Timeouts`` record.
            retry: Other rules for sending it again, such as ``{"max_attempts": 1}``.

        Raises:
            AuthenticationError: It is signed in to no account.
            ServerTooOldError: The server is older than v0.12.1.

        Source: Ollama ``POST /api/signout``.
        """
        await self._session.send(late.signout.build_request(), timeout=timeout, retry=retry)

    async def cloud_status(
        self, *, timeout: TimeoutInput = DEFAULT, retry: RetryInput = DEFAULT
    ) -> CloudStatus:
        """Return whether the server has cloud features switched off, and by what.

        Args:
            timeout: The longest wait in seconds, or a ``Timeouts`` record.
            retry: Other rules for sending it again, such as ``{"max_attempts": 1}``.

        Raises:
            ServerTooOldError: The server is older than v0.16.2.

        Source: Ollama ``GET /api/status``.
        """
        answer = await self._session.send(
            late.cloud_status.build_request(), timeout=timeout, retry=retry
        )
        return answer.cloud

    async def model_recommendations(
        self, *, timeout: TimeoutInput = DEFAULT, retry: RetryInput = DEFAULT
    ) -> list[ModelRecommendation]:
        """Return models worth trying, the best first.

        Args:
            timeout: The longest wait in seconds, or a ``Timeouts`` record.
            retry: Other rules for sending it again, such as ``{"max_attempts": 1}``.

        Raises:
            ServerTooOldError: The server is older than v0.22.1.

        Source: Ollama ``GET /api/experimental/model-recommendations``.
        """
        answer = await self._session.send(
            late.model_recommendations.build_request(), timeout=timeout, retry=retry
        )
        return answer.recommendations

    async def web_search(
        self,
        query: str,
        *,
        max_results: int | None = None,
        timeout: TimeoutInput = DEFAULT,
        retry: RetryInput = DEFAULT,
    ) -> list[WebSearchResult]:
        """Search the web through ollama.com; the server has to be signed in.

        Args:
            query: What to search for.
            max_results: Most hits to return, 1 to 10; the server's default is 5.
            timeout: The longest silence in seconds, or a ``Timeouts`` record.
            retry: Other rules for sending it again, such as ``{"max_attempts": 1}``.

        Returns:
            The hits, the best first.

        Raises:
            InvalidRequestError: An argument is wrong; nothing was sent.
            AuthenticationError: The server is not signed in.
            ServerTooOldError: The server is older than v0.18.0.

        Source: Ollama ``POST /api/experimental/web_search``.
        """
        body = late.build_web_search_request(query, max_results=max_results)
        request = late.web_search.build_request(body=body)
        return (await self._session.send(request, timeout=timeout, retry=retry)).results

    async def web_fetch(
        self, url: str, *, timeout: TimeoutInput = DEFAULT, retry: RetryInput = DEFAULT
    ) -> WebFetchResponse:
        """Fetch a web page as text through ollama.com; the server has to be signed in.

        Args:
            url: The page.
            timeout: The longest silence in seconds, or a ``Timeouts`` record.
            retry: Other rules for sending it again, such as ``{"max_attempts": 1}``.

        Raises:
            InvalidRequestError: The argument is wrong; nothing was sent.
            AuthenticationError: The server is not signed in.
            ServerTooOldError: The server is older than v0.18.0.

        Source: Ollama ``POST /api/experimental/web_fetch``.
        """
        request = late.web_fetch.build_request(body=late.build_web_fetch_request(url))
        return await self._session.send(request, timeout=timeout, retry=retry)
