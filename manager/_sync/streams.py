# generated from manager/_async/streams.py by codegen.sh - do not edit
"""Streams of tokens: what ``chat`` and ``generate`` return with ``stream=True``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

from manager.accumulate import ChatAccumulator, GenerateAccumulator
from manager.errors import (
    APIError,
    InvalidRequestError,
    OllamaManagerError,
    ServerUnavailableError,
    StreamInterruptedError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from ollama_api.models import ChatResponse, GenerateResponse

    from manager._sync.lines import Lines

__all__ = ["ChatStream", "GenerateStream"]

ChunkT = TypeVar("ChunkT")

_SEND_AGAIN = "what came is in `partial`; send the request again"


def _broken(error: OllamaManagerError) -> OllamaManagerError:
    """Return what a caller gets for the error that ended a stream."""
    # a status is the answer to a request that was sent again: nothing of that has begun
    if not isinstance(error, APIError | ServerUnavailableError) or error.status_code is not None:
        return error
    return StreamInterruptedError(
        f"the stream broke off: {error.message}",
        code=error.code if error.code == "context_size_exceeded" else None,
        hint=error.hint or (_SEND_AGAIN if error.retryable else None),
        retryable=error.retryable,
        model=error.model,
        endpoint=error.endpoint,
        attempts=error.attempts,
        request_id=error.request_id,
        **dict(error.details, reason=error.code),
    )


class _Accumulator(Protocol[ChunkT]):
    def add(self, chunk: ChunkT, /) -> None: ...
    def text_of(self, chunk: ChunkT, /) -> str: ...
    def is_last(self, chunk: ChunkT, /) -> bool: ...
    def result(self) -> ChunkT | None: ...


class _TokenStream(Generic[ChunkT]):
    """Iterates over the typed chunks of an answer while it is being made.

    Leaving the ``with`` block or calling ``close()`` closes the connection, and the server stops
    generating. Iterating raises ``StreamInterruptedError`` when the stream ends early and
    ``RequestTimeoutError`` when the server is silent for too long; both hold ``partial``.
    """

    def __init__(self, lines: Lines[ChunkT], accumulator: _Accumulator[ChunkT]) -> None:
        lines.call.has_begun(_broken, repeatable=True)
        lines.restarts = True
        self._lines = lines
        self._answer = accumulator
        self._complete = False
        lines.call.observer.gathered = accumulator.result

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[ChunkT]:
        return self

    def __next__(self) -> ChunkT:
        if self._complete:
            raise StopIteration
        chunk = self._lines.take()
        if chunk is None:
            chunk = self._wait()
        answer = self._answer
        answer.add(chunk)
        if answer.is_last(chunk):
            self._complete = True
            self._lines.complete()
        return chunk

    def _wait(self) -> ChunkT:
        """Return the next chunk, once it has come."""
        try:
            chunk = next(self._lines, None)
        except InvalidRequestError:
            raise  # there is another reader: this one has no say
        except OllamaManagerError as error:
            broken = self._with_partial(error)
            self._lines.call.fail(broken)
            raise broken from (error.__cause__ if broken is error else error)
        if chunk is None:
            raise self._ended_early()
        return chunk

    def _ended_early(self) -> Exception:
        if self._lines.closed_by_us:
            return StopIteration()
        return self._interrupted()

    def _interrupted(self) -> StreamInterruptedError:
        error = self._lines.interrupted()
        error.partial = self._answer.result()
        return error

    def _with_partial(self, error: OllamaManagerError) -> OllamaManagerError:
        error = _broken(error)
        error.partial = self._answer.result()
        return error

    @property
    def text(self) -> Iterator[str]:
        """The pieces of text alone; one cursor with the chunks."""
        return self._texts()

    def _texts(self) -> Iterator[str]:
        for chunk in self:
            if text := self._answer.text_of(chunk):
                yield text

    @property
    def partial(self) -> ChunkT | None:
        """The answer so far as one response; ``None`` before the first chunk."""
        return self._answer.result()

    def final(self) -> ChunkT:
        """Read to the end and return the whole answer as one response.

        Raises:
            StreamInterruptedError: The stream ended, or was closed, before its last line.
            RequestTimeoutError: The server was silent for too long.
        """
        for _ in self:
            pass
        answer = self._answer.result()
        if answer is None or not self._complete:
            raise self._interrupted()
        return answer

    def close(self) -> None:
        """End the stream, from any thread or task; the server stops generating."""
        self._lines.close()


class ChatStream(_TokenStream["ChatResponse"]):
    """A streamed answer of ``chat``.

    Example:
        >>> with m.chat("llama3.2", "Tell me a story", stream=True) as stream:
        ...     for text in stream.text:
        ...         print(text, end="", flush=True)
    """

    def __init__(self, lines: Lines[ChatResponse]) -> None:
        super().__init__(lines, ChatAccumulator())


class GenerateStream(_TokenStream["GenerateResponse"]):
    """A streamed answer of ``generate``; used as ``ChatStream`` is."""

    def __init__(self, lines: Lines[GenerateResponse]) -> None:
        super().__init__(lines, GenerateAccumulator())
