# generated from manager/_async/embeddings.py by codegen.sh - do not edit
"""The embeddings of many texts: what ``embed_many`` returns."""

from __future__ import annotations

from collections import deque
from itertools import chain, islice
from typing import TYPE_CHECKING, Protocol, Self

from manager.errors import InvalidRequestError, OllamaManagerError, ResponseDecodeError
from manager.json_values import validate_text
from manager.waiting_sync import any_done_sync, begin_sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from ollama_api.models import EmbedResponse

    from manager.waiting_sync import Begun

__all__ = ["EmbedStream"]


class _Send(Protocol):
    def __call__(self, text: list[str], /) -> EmbedResponse: ...


class _Batch:
    """Texts that are sent as one request.

    Args:
        first: The number of its first text.
        texts: Its texts.
    """

    __slots__ = ("_call", "first", "texts")

    def __init__(self, first: int, texts: list[str]) -> None:
        self.first = first
        self.texts = texts
        self._call: Begun[list[list[float]]] | None = None

    @property
    def call(self) -> Begun[list[list[float]]] | None:
        """The request, while it is under way."""
        return self._call if self._call is not None and not self._call.done() else None

    @property
    def has_failed(self) -> bool:
        """Whether there is an error in the place of an answer."""
        call = self._call
        return call is not None and call.done() and (call.cancelled() or bool(call.exception()))

    def begin(self, send: _Send) -> None:
        """Send it."""
        self._call = begin_sync(self._ask, send)

    def _ask(self, send: _Send) -> list[list[float]]:
        try:
            answer = send(self.texts)
            if len(answer.embeddings) != len(self.texts):
                raise ResponseDecodeError(
                    f"{len(self.texts)} texts were answered with {len(answer.embeddings)} vectors",
                    model=answer.model,
                )
        except OllamaManagerError as error:
            error.details |= {"first_text": self.first, "texts": len(self.texts)}
            raise
        return answer.embeddings

    def cancel(self) -> None:
        """End the request, where that can be done."""
        if self._call is not None:
            self._call.cancel()

    def vectors(self) -> list[list[float]]:
        """Return the answer, once it has come.

        Raises:
            OllamaManagerError: The request failed.
        """
        assert self._call is not None
        return self._call.result()


class EmbedStream:
    """Iterates over the embeddings of many texts, in the order of the texts.

    A few batches are under way at a time; texts are read no further ahead than that, nor than
    the embeddings are taken. One consumer at a time reads it. Leaving the ``with`` block or calling
    ``close()`` ends it.

    An error of a batch is raised once all before it have been given, and nothing is lost by it:
    ``details`` says which texts it was about (``first_text``, and how many ``texts``), other
    batches that have been answered are kept, and iterating on sends those that failed again.

    Example:
        >>> with m.embed_many("nomic-embed-text", lines) as vectors:
        ...     for vector in vectors:
        ...         index.add(vector)
    """

    def __init__(
        self,
        send: _Send,
        texts: Iterator[object],
        *,
        batch_size: int,
        concurrency: int,
        on_progress: Callable[[int], object] | None,
    ) -> None:
        self._send = send
        self._texts = texts
        self._batch_size = batch_size
        self._concurrency = concurrency
        self._on_progress = on_progress
        self._batches: deque[_Batch] = deque()
        self._vectors: deque[list[float]] = deque()
        self._taken = 0  # texts that were read
        self._done = 0
        self._ended = False
        self._input_error: Exception | None = None
        # Not a lock: an exception of a signal handler right after it was taken would leave it held.
        self._readers: list[object] = []  # the first one reads, the others are refused

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[list[float]]:
        return self

    def __next__(self) -> list[float]:
        reader = object()
        try:
            self._readers.append(reader)
            if self._readers[0] is not reader:
                raise InvalidRequestError(
                    "these embeddings are being read already",
                    hint="they have one consumer at a time",
                )
            while not self._vectors:
                self._take()
            return self._vectors.popleft()
        finally:
            if reader in self._readers:
                self._readers.remove(reader)

    @property
    def done(self) -> int:
        """How many texts have been embedded, with all before them."""
        return self._done

    def _take(self) -> None:
        """Take over the answer to the first batch, once it has come."""
        for batch in self._batches:
            if batch.has_failed:
                batch.begin(self._send)
        self._begin_more()
        if not self._batches:
            self._end()
        first = self._batches[0]
        while calls := [call for batch in self._batches if (call := batch.call)]:
            if first.call is None:
                break
            any_done_sync(calls)
            self._begin_more()
        if not self._batches:  # closed by another thread or task
            raise StopIteration
        self._vectors.extend(first.vectors())
        self._batches.popleft()
        self._done += len(first.texts)
        self._begin_more()  # the server is not to wait until these have been dealt with
        if self._on_progress is not None:
            self._on_progress(self._done)

    def _end(self) -> None:
        error, self._input_error = self._input_error, None
        if error is not None:
            raise error
        raise StopIteration

    def _begin_more(self) -> None:
        """Send batches until there are enough of them, or one has failed."""
        while (
            not self._ended
            and len(self._batches) < 2 * self._concurrency
            and sum(batch.call is not None for batch in self._batches) < self._concurrency
            and not any(batch.has_failed for batch in self._batches)
        ):
            texts = self._read()
            if texts:
                batch = _Batch(self._taken, texts)
                self._taken += len(texts)
                self._batches.append(batch)
                batch.begin(self._send)

    def _read(self) -> list[str]:
        """Return the next texts; what is wrong with one is told after those before it are done."""
        texts: list[str] = []
        try:
            for text in islice(self._texts, self._batch_size):
                texts.append(validate_text(text, f"texts[{self._taken + len(texts)}]"))
            self._ended = len(texts) < self._batch_size
        except Exception as error:
            self._ended, self._input_error = True, error
        except BaseException:  # Ctrl-C
            self._texts = chain(texts, self._texts)
            raise
        return texts

    def close(self) -> None:
        """End it; what is under way is given up, and iterating ends."""
        self._ended, self._input_error = True, None
        for batch in self._batches:
            batch.cancel()
        self._batches.clear()
        self._vectors.clear()
