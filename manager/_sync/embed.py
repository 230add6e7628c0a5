# generated from manager/_async/embed.py by codegen.sh - do not edit
"""Embeddings."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from manager._sync import late
from manager.default import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from ollama_api.models import EmbedRequest, EmbedResponse, Options
    from ollama_api.models.options import OptionsDict
    from ollama_api.types import Request

    from manager._sync.embeddings import EmbedStream
    from manager._sync.session import Session
    from manager.timeouts import TimeoutInput
    from manager.transport.retry import RetryInput
    from manager.types import KeepAlive

__all__ = ["EmbedMethods"]


class EmbedMethods:
    """Turning text into vectors."""

    _session: Session

    def embed(
        self,
        model_name: str,
        text: str | Sequence[str],
        *,
        dimensions: int | None = None,
        truncate: bool | None = None,
        keep_alive: KeepAlive | None = None,
        options: Options | OptionsDict | Mapping[str, Any] | None = None,
        extra_options: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        timeout: TimeoutInput = DEFAULT,
        retry: RetryInput = DEFAULT,
        **option_kwargs: Unpack[OptionsDict],
    ) -> EmbedResponse:
        """Return the embedding of a text, or of each of several.

        Args:
            model_name: The model.
            text: One text or a list of them.
            dimensions: How many numbers each embedding is cut to, where the model allows it.
            truncate: Cut texts that are longer than the context (the default), or refuse them.
            keep_alive: How long the model stays loaded: seconds, or a duration like ``"5m"``.
            options: Options as a mapping, instead of keywords.
            extra_options: Options that this version does not know yet, passed on unchecked.
            extra_body: Fields that this version does not know yet, passed on unchecked.
            timeout: The longest silence in seconds, or a ``Timeouts`` record.
            retry: Other rules for sending it again, such as ``{"max_attempts": 1}``.
            option_kwargs: Options as keywords.

        Returns:
            The answer; ``embeddings`` has one list of floats per text, in their order.

        Raises:
            InvalidRequestError: An argument is wrong; nothing was sent.
            ModelNotFoundError: The model is not there.
            CapabilityError: The model has no embeddings.
            OllamaManagerError: The subclass that says what else went wrong.

        Source: Ollama ``POST /api/embed``.

        Example:
            >>> m.embed("nomic-embed-text", ["red", "blue"]).embeddings
        """
        body = late.build_embed_request(
            model_name,
            text,
            dimensions=dimensions,
            truncate=truncate,
            keep_alive=keep_alive,
            options=options,
            extra_options=extra_options,
            extra_body=extra_body,
            option_kwargs=option_kwargs,
        )
        request = late.with_lists(self._embed_request(model_name, body))
        return self._session.send(request, model=model_name, timeout=timeout, retry=retry)

    def embed_array(
        self,
        model_name: str,
        text: str | Sequence[str],
        *,
        dimensions: int | None = None,
        truncate: bool | None = None,
        keep_alive: KeepAlive | None = None,
        options: Options | OptionsDict | Mapping[str, Any] | None = None,
        extra_options: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        timeout: TimeoutInput = DEFAULT,
        retry: RetryInput = DEFAULT,
        **option_kwargs: Unpack[OptionsDict],
    ) -> NDArray[np.float32]:
        """Return embeddings as a numpy array of float32, one row per text.

        Takes what ``embed`` takes and raises what it raises; needs numpy
        (``pip install axiom-ollama-manager[numpy]``). Where pysimdjson is installed
        (``axiom-ollama-manager[simdjson]``, Python 3.13 at most), it reads the numbers faster.

        Returns:
            An array of shape (texts, dimensions); one text makes one row. A number beyond the
            range of float32 becomes infinite.

        Raises:
            InvalidRequestError: An argument is wrong, or numpy is missing; nothing was sent.
            ResponseDecodeError: The answer is wrong; also if its rows have different lengths.
            OllamaManagerError: As ``embed`` does.
        """
        body = late.build_embed_request(
            model_name,
            text,
            dimensions=dimensions,
            truncate=truncate,
            keep_alive=keep_alive,
            options=options,
            extra_options=extra_options,
            extra_body=extra_body,
            option_kwargs=option_kwargs,
        )
        request = late.with_array(self._embed_request(model_name, body))
        answer = self._session.send(request, model=model_name, timeout=timeout, retry=retry)
        return answer.array

    def _embed_request(self, model_name: str, body: EmbedRequest) -> Request[EmbedResponse]:
        late.apply_defaults(body, self._session.config.defaults.for_model(model_name))
        return late.embed.build_request(body=body)

    def embed_many(
        self,
        model_name: str,
        texts: Iterable[str],
        *,
        batch_size: int = 64,
        concurrency: int = 4,
        on_progress: Callable[[int], object] | None = None,
        dimensions: int | None = None,
        truncate: bool | None = None,
        keep_alive: KeepAlive | None = None,
        options: Options | OptionsDict | Mapping[str, Any] | None = None,
        extra_options: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        timeout: TimeoutInput = DEFAULT,
        retry: RetryInput = DEFAULT,
        **option_kwargs: Unpack[OptionsDict],
    ) -> EmbedStream:
        """Embed any number of texts in bounded memory; iterate over what is returned.

        Texts are sent in batches, a few of them at a time, and no further ahead than the
        embeddings are taken. Nothing is sent before the first is asked for.

        Args:
            model_name: The model.
            texts: The texts: a list, or whatever yields them, a file for one.
            batch_size: How many texts make a request.
            concurrency: How many requests are under way at a time. Up to twice as many batches
                are held in memory.
            on_progress: Called with the number of texts that are done, after each batch, by
                whoever iterates.
            dimensions: As for ``embed``, like all that follow; timeout and retry are for each
                request.
            truncate: Cut texts that are longer than the context (the default), or refuse them.
            keep_alive: How long the model stays loaded: seconds, or a duration like ``"5m"``.
            options: Options as a mapping, instead of keywords.
            extra_options: Options that this version does not know yet, passed on unchecked.
            extra_body: Fields that this version does not know yet, passed on unchecked.
            timeout: The longest silence in seconds, or a ``Timeouts`` record.
            retry: Other rules for sending a request again, such as ``{"max_attempts": 1}``.
            option_kwargs: Options as keywords.

        Returns:
            An iterator over one list of floats per text, in their order. It raises what ``embed``
            raises, once all before the texts concerned has been given, and goes on when it is
            iterated again.

        Raises:
            InvalidRequestError: An argument is wrong; nothing was sent.

        Source: Ollama ``POST /api/embed``.

        Example:
            >>> with m.embed_many("nomic-embed-text", open("lines.txt")) as vectors:
            ...     for vector in vectors:
            ...         index.add(vector)
        """
        send = partial(
            self.embed,
            model_name,
            dimensions=dimensions,
            truncate=truncate,
            keep_alive=keep_alive,
            options=options,
            extra_options=extra_options,
            extra_body=extra_body,
            timeout=timeout,
            retry=retry,
            **option_kwargs,
        )
        late.build_embed_request(  # what is wrong is told now, not when the first is asked for
            model_name,
            "text",
            dimensions=dimensions,
            truncate=truncate,
            keep_alive=keep_alive,
            options=options,
            extra_options=extra_options,
            extra_body=extra_body,
            option_kwargs=option_kwargs,
        )
        return late.EmbedStream(
            send,
            late.check_many_texts(texts),
            batch_size=late.check_at_least_one(batch_size, "batch_size"),
            concurrency=late.check_at_least_one(concurrency, "concurrency"),
            on_progress=late.check_callback(on_progress, "on_progress"),
        )
