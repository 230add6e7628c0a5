"""The bodies of the requests and answers that an httpx transport carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httpx

from manager.transport.exceptions import InvalidAnswer, NeverSent

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable
    from weakref import WeakMethod

__all__ = ["AsyncRequestBody", "pieces_of"]

# A body is handed over in pieces of this size: httpx limits the time of each.
_PIECE: Final = 65_536


class AsyncRequestBody(httpx.AsyncByteStream):
    """The body of a request; notes when the first piece is to be sent, and when all is.

    Args:
        body: The body, or its pieces.
        begin: Is called first, and may raise.
        note_sent: Is called last. Weakly, because the pool of a transport keeps the request.
    """

    def __init__(
        self,
        body: bytes | AsyncIterable[bytes],
        begin: Callable[[], None],
        note_sent: WeakMethod[Callable[[], None]],
    ) -> None:
        self._body = body
        self._begin = begin
        self._note_sent = note_sent

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._begin()
        body = self._body
        if isinstance(body, bytes):
            for start in range(0, len(body), _PIECE):
                yield body[start : start + _PIECE]
        else:
            try:
                async for piece in body:
                    if piece:
                        yield piece
            except OSError as error:  # of the file that is read
                raise NeverSent(f"the body cannot be read: {error}") from error
        note_sent = self._note_sent()
        if note_sent is not None:
            note_sent()


def pieces_of(response: httpx.Response) -> AsyncIterator[bytes]:
    """Return the body of an answer as it arrives; whole if the transport has read it itself.

    Raises:
        httpx.StreamError: The transport has read it and kept nothing.
        InvalidAnswer: It can only be read in the other way, blocking or not.
    """
    if response.is_stream_consumed:
        return _whole(response.content)
    stream = response.stream
    if not isinstance(stream, httpx.AsyncByteStream):
        raise InvalidAnswer(f"the body of the answer is of the class {type(stream).__name__}")
    return aiter(stream)


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content
