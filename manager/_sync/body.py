# generated from manager/_async/body.py by codegen.sh - do not edit
"""The body of an answer, as it comes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, cast

from manager.connections import connection_of
from manager.lean_httpx import httpx
from manager.waiting_sync import whole_sync

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Body", "give_back"]

# As much as httpcore reads at a time.
_MOST = 65_536


def give_back(response: httpx.Response) -> None:
    """Give the connection of an answer back, or end it where its body has not been read.

    Whoever waits for that may be cancelled: half done, the pool would count it for ever.
    """
    if not response.is_closed:
        with contextlib.suppress(httpx.HTTPError, OSError):
            whole_sync(response.close)


class Body:
    """The body of an answer.

    Chunks are taken off the connection right here: for a token that comes alone, the way through
    h11, httpcore and httpx costs more than all that is done with it, and on the way a long answer
    is copied five times. Whatever else arrives, the end of the body too, goes that way.

    Args:
        response: The answer, its body unread. The read timeout of its request holds.
    """

    def __init__(self, response: httpx.Response) -> None:
        is_encoded = "content-encoding" in response.headers
        connection = connection_of(response)
        has_chunks = hasattr(connection, "read_chunks") and not is_encoded
        self._response = response
        self._timeout: float | None = response.request.extensions["timeout"]["read"]
        self._connection: Any = connection if has_chunks else None  # None at the end, too
        self._taken = 0  # of the pieces
        # httpx would hand over the same through four more frames
        self._pieces: Iterator[bytes] = (
            response.iter_bytes() if is_encoded else iter(cast("Iterable[bytes]", response.stream))
        )

    def read(self) -> bytes | None:
        """Return the next piece, ``None`` at the end.

        Raises:
            httpx.HTTPError: There was none in time, or the connection is lost.
        """
        connection = self._connection
        if connection is not None and connection.may_be_read(self._taken):
            try:
                piece: bytes = connection.read_chunks(_MOST, self._timeout)
            except BaseException as error:
                self._connection = None
                give_back(self._response)  # as httpcore does where it reads
                if (said := _as_httpx_says_it(error)) is None:
                    raise
                raise said from error
            if piece:
                return piece
        following = next(self._pieces, None)
        if following is None:
            self._connection = None
        else:
            self._taken += len(following)
        return following

    def read_all(self) -> bytes:
        """Return what is left of the body.

        Raises:
            httpx.HTTPError: It did not come in time, or broke off.
        """
        pieces: list[bytes] = []
        while (piece := self.read()) is not None:
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _as_httpx_says_it(error: BaseException) -> httpx.HTTPError | None:
    from httpcore import NetworkError, TimeoutException

    if isinstance(error, TimeoutException):
        return httpx.ReadTimeout(str(error))
    return httpx.ReadError(str(error)) if isinstance(error, NetworkError) else None
