"""The body of an answer, as it comes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, cast

from manager.connections import connection_of
from manager.lean_httpx import httpx
from manager.waiting_async import whole_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator

__all__ = ["AsyncBody", "give_back", "pieces_of"]

# As much as httpcore reads at a time.
_MOST = 65_536


def pieces_of(response: httpx.Response) -> AsyncIterator[bytes]:
    """Return the pieces of a body; reading them may raise ``httpx.HTTPError``."""
    if _is_encoded(response):
        return response.aiter_bytes()
    # httpx would hand over the same through four more frames
    return aiter(cast("AsyncIterable[bytes]", response.stream))


def _is_encoded(response: httpx.Response) -> bool:
    return "content-encoding" in response.headers


async def give_back(response: httpx.Response) -> None:
    """Give the connection of an answer back, or end it where its body has not been read.

    Whoever waits for that may be cancelled: half done, the pool would count it for ever.
    """
    with contextlib.suppress(httpx.HTTPError, OSError):
        await whole_async(response.aclose)


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
        has_chunks = hasattr(connection, "read_chunks") and not _is_encoded(response)
        self._connection: Any = connection if has_chunks else None  # None at the end, too

    async def read(self) -> bytes | None:
        """Return the next piece, ``None`` at the end.

        Raises:
            httpx.HTTPError: There was none in time, or the connection is lost.
        """
        connection = self._connection
        if connection is not None and connection.may_be_read(self._taken):
            try:
                piece: bytes = await connection.read_chunks(_MOST, self._timeout)
            except BaseException as error:
                self._connection = None
                await give_back(self._response)  # as httpcore does where it reads
                if (said := _as_httpx_says_it(error)) is None:
                    raise
                raise said from error
            if piece:
                return piece
        following = await anext(self._pieces, None)
        if following is None:
            self._connection = None
        else:
            self._taken += len(following)
        return following


def _as_httpx_says_it(error: BaseException) -> httpx.HTTPError | None:
    from httpcore import NetworkError, TimeoutException

    if isinstance(error, TimeoutException):
        return httpx.ReadTimeout(str(error))
    return httpx.ReadError(str(error)) if isinstance(error, NetworkError) else None
