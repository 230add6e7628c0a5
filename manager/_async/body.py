"""The body of an answer, as it comes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, cast

from manager.connections import connection_of
from manager.lean_httpx import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator

__all__ = ["AsyncBody", "pieces_of"]

# As much as httpcore reads at a time.
_MOST = 65_536


def pieces_of(response: httpx.Response) -> AsyncIterator[bytes]:
    """Return the pieces of a body; reading them may raise ``httpx.HTTPError``."""
    if "content-encoding" in response.headers:
        return response.aiter_bytes()
    # httpx would hand over the same through four more frames
    return aiter(cast("AsyncIterable[bytes]", response.stream))


class AsyncBody:
    """The body of a streamed answer.

    A token that comes alone is an HTTP chunk that comes whole. Such are taken off the connection
    right here: the way through h11, httpcore and httpx costs more than all that is done with them.
    Whatever else arrives, the end of the body too, goes that way.

    Args:
        response: The answer, its body unread.
        timeout: How many seconds of silence there may be.
    """

    def __init__(self, response: httpx.Response, timeout: float | None) -> None:
        self._response = response
        self._timeout = timeout
        self._pieces = pieces_of(response)
        self._taken = 0  # of these
        connection = connection_of(response)
        plain = hasattr(connection, "read_chunks") and "content-encoding" not in response.headers
        self._connection: Any = connection if plain else None

    async def read(self) -> bytes | None:
        """Return the next piece, ``None`` at the end.

        Raises:
            httpx.HTTPError: There was none in time, or the connection is lost.
        """
        connection = self._connection
        if connection is not None and connection.is_at_chunk(self._taken):
            try:
                piece: bytes = await connection.read_chunks(_MOST, self._timeout)
            except BaseException as error:
                with contextlib.suppress(httpx.HTTPError, OSError):
                    await self._response.aclose()  # as httpcore does where it reads
                if (said := _as_httpx_says_it(error)) is None:
                    raise
                raise said from error
            if piece:
                return piece
        following = await anext(self._pieces, None)
        if following is not None:
            self._taken += len(following)
        return following


def _as_httpx_says_it(error: BaseException) -> httpx.HTTPError | None:
    from httpcore import NetworkError, TimeoutException

    if isinstance(error, TimeoutException):
        return httpx.ReadTimeout(str(error))
    return httpx.ReadError(str(error)) if isinstance(error, NetworkError) else None
