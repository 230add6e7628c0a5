"""Local models, and how they come and go."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from manager._async import late
from manager.default import DEFAULT
from manager.errors import CapabilityError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ollama_api.models import (
        ListModelResponse,
        Options,
        ProcessModelResponse,
        ProgressResponse,
    )
    from ollama_api.models.options import OptionsDict

    from manager._async.session import AsyncSession
    from manager.blobs import FilesInput
    from manager.progress import ProgressListener
    from manager.shown import ShownModel
    from manager.timeouts import TimeoutInput
    from manager.transport.retry import RetryInput
    from manager.types import KeepAlive, MessageInput

__all__ = ["AsyncModelMethods"]


class AsyncModelMethods:
    """Listing, showing, pulling, creating, copying, deleting, loading models."""

    _session: AsyncSession

    async def list_models(
        self, *, timeout: TimeoutInput = DEFAULT, retry: RetryInput = DEFAULT
    ) -> list[ListModelResponse]:
        """Return the local models, the most recently modified first.

        Args:
            timeout: The longest wait in seconds, or a ``Timeouts`` record.
            retry: Other rules for sending it again, such as ``{"max_attempts": 1}``.

        Source: Ollama ``GET /api/tags``.
        """
        request = late.list_models.build_request()
        return (await self._session.send(request, timeout=timeout, retry=retry)).models

    async def list_running(
        self, *, timeout: TimeoutInput = DEFAULT, retry: RetryInput = DEFAULT
    ) -> list[ProcessModelResponse]:
        """Return the models that are loaded.

        Args:
            timeout: The longest wait in seconds, or a ``Timeouts`` record.
            retry: Other rules for sending it again, such as ``{"max_attempts": 1}``.

        Source: Ollama ``GET /api/ps``.
        """
        request = late.list_running.build_request()
        return (await self._session.send(request, timeout=timeout, retry=retry)).models

    async def show_model(
        self,
        model_name: str,
        *,
        verbose: bool = False,
        timeout: TimeoutInput = DEFAULT,
        retry: RetryInput = DEFAULT,
    ) -> ShownModel:
        """Return what is known of a model: ``ShowResponse`` plus size and digest.

        Args:
            model_name: The model.
            verbose: Include the tokenizer's vocabulary and other large lists.
            timeout: The longest wait in seconds, or a ``Timeouts`` record; for each of the two
                requests that it takes.
            retry: Other rules for sending them again, such as ``{"max_attempts": 1}``.

        Raises:
            InvalidRequestError: The name is malformed; nothing was sent.
            ModelNotFoundError: The model is not there.

        Source: Ollama ``POST /api/show`` and ``GET /api/tags``.
        """
        body = late.build_show_request(model_name, verbose=verbose or None)
        request = late.show_model.build_request(body=body)
        shown = await self._session.send(request, model=model_name, timeout=timeout, retry=retry)
        wanted = late.canonical_name(model_name)
        for entry in await self.list_models(timeout=timeout, retry=retry):
            if late.canonical_name(entry.name) == wanted:
                return late.shown_model(shown, entry)
        return late.shown_model(shown, None)

    async def pull_model(
        self,
        model_name: str,
        *,
        insecure: bool = False,
        on_progress: ProgressListener | None = None,
        timeout: TimeoutInput = DEFAULT,
        retry: RetryInput = DEFAULT,
    ) -> ProgressResponse:
        """Download a model from the hub; a pull that broke off goes on where it was.

        Args:
            model_name: The model.
            insecure: Allow a registry without https or with a certificate that is not trusted.
            on_progress: Called with each ``ProgressResponse``; sizes are in bytes.
            timeout: The longest silence in seconds; by default there is no limit.
            retry: Other rules for sending it again, such as ``{"max_attempts": 1}``.

        Returns:
            The last line, with status ``success``.

        Raises:
            InvalidRequestError: The name is malformed; nothing was sent.
            ModelNotFoundError: The hub does not have it.
            APIError: The pull failed, with the server's reason.
            StreamInterruptedError: The connection was lost before the end.

        Source: Ollama ``POST /api/pull``.
        """
        body = late.build_pull_request(model_name, stream=True, insecure=insecure)
        return await late.follow_progress(
            self._session,
            late.pull_model.build_request(body=body),
            model=model_name,
            on_progress=on_progress,
            timeout=timeout,
            retry=retry,
        )

    async def push_model(
        self,
        model_name: str,
        *,
        insecure: bool = False,
        on_progress: ProgressListener | None = None,
        timeout: TimeoutInput = DEFAULT,
        retry: RetryInput = DEFAULT,
    ) -> ProgressResponse:
        """Upload a model to the hub; takes and raises what ``pull_model`` does.

        Source: Ollama ``POST /api/push``.
        """
        body = late.build_push_request(model_name, stream=True, insecure=insecure)
        return await late.follow_progress(
            self._session,
            late.push_model.build_request(body=body),
            model=model_name,
            on_progress=on_progress,
            timeout=timeout,
            retry=retry,
        )

    async def has_model(
        self, model_name: str, *, timeout: TimeoutInput = DEFAULT, retry: RetryInput = DEFAULT
    ) -> bool:
        """Return whether a model is there; asks the server, never a cache.

        Args:
            model_name: The model.
            timeout: The longest wait in seconds, or a ``Timeouts`` record.
            retry: Other rules for sending it again, such as ``{"max_attempts": 1}``.

        Raises:
            InvalidRequestError: The name is malformed; nothing was sent.

        Source: Ollama ``POST /api/show``.
        """
        request = late.show_model.build_request(body=late.build_show_request(model_name))
        return await self._session.transport.exists(
            request, model=model_name, timeout=timeout, retry=retry
        )

    async def ensure_model(
        self,
        model_name: str,
        *,
        pull: bool = True,
        insecure: bool = False,
        on_progress: ProgressListener | None = None,
        timeout: TimeoutInput = DEFAULT,
        retry: RetryInput = DEFAULT,
    ) -> None:
        """Make sure that a model is there before it is used.

        Args:
            model_name: The model.
            pull: Pull it if it is missing.
            insecure: As for ``pull_model``.
            on_progress: As for ``pull_model``.
            timeout: As for ``pull_model``, and the longest wait for whether it is there.
            retry: As for ``pull_model``.

        Raises:
            ModelNotFoundError: It is missing and ``pull`` is false, or the hub does not have it.
            APIError: The pull failed.
        """
        late.check_listener(on_progress)
        if not pull:
            request = late.show_model.build_request(body=late.build_show_request(model_name))
            await self._session.send(request, model=model_name, timeout=timeout, retry=retry)
        elif not await self.has_model(model_name, timeout=timeout, retry=retry):
            await self.pull_model(
                model_name,
                insecure=insecure,
                on_progress=on_progress,
                timeout=timeout,
                retry=retry,
            )

    async def create_model(
        self,
        model_name: str,
        *,
        from_model: str | None = None,
        files: FilesInput | None = None,
        adapters: FilesInput | None = None,
        system: str | None = None,
        template: str | None = None,
        parameters: Options | OptionsDict | Mapping[str, Any] | None = None,
        messages: Sequence[MessageInput] | None = None,
        license: str | Sequence[str] | None = None,
        quantize: str | None = None,
        on_progress: ProgressListener | None = None,
        extra_body: Mapping[str, Any] | None = None,
        timeout: TimeoutInput = DEFAULT,
        retry: RetryInput = DEFAULT,
    ) -> ProgressResponse:
        """Make a model from another one or from local files.

        Args:
            model_name: The name of the new model.
            from_model: The model to start from.
            files: GGUF or safetensors files: a path, a list of paths, a folder, or name -> path.
            adapters: LoRA adapters, in the same forms.
            system: The system prompt.
            template: The prompt template.
            parameters: Options that hold unless a request says otherwise.
            messages: Messages that come before every conversation.
            license: The license text, or several.
            quantize: The type of quantization, such as ``q4_K_M``.
            on_progress: Called with each ``ProgressResponse``.
            extra_body: Fields that this version does not know yet, passed on unchecked.
            timeout: The longest silence in seconds, or a ``Timeouts`` record, for each request:
                the upload of each file, then the creation; by default there is no limit.
            retry: Other rules for sending them again, such as ``{"max_attempts": 1}``.

        Returns:
            The last line, with status ``success``.

        Raises:
            InvalidRequestError: An argument is wrong or a file cannot be read; nothing was sent.
            APIError: The server could not make it, with its reason.

        Source: Ollama ``POST /api/create`` and ``POST /api/blobs/:digest``.
        """
        late.check_model_name(model_name, source_suffix=False)  # before reading large files
        late.check_listener(on_progress)
        local = late.local_files(files, argument="files")
        local_adapters = late.local_files(adapters, argument="adapters")
        digests = await late.digests_of(local)
        adapter_digests = await late.digests_of(local_adapters)
        build = partial(
            late.build_create_request,
            model_name,
            stream=True,
            from_model=from_model,
            files=digests,
            adapters=adapter_digests,
            system=system,
            template=template,
            parameters=parameters,
            messages=messages,
            license=license,
            quantize=quantize,
            extra_body=extra_body,
        )
        body = await late.run_async(build) if late.holds_files(None, messages) else build()
        for paths, by_name in ((local, digests), (local_adapters, adapter_digests)):
            await late.upload_missing(
                self._session.transport,
                paths,
                by_name,
                model=model_name,
                timeout=timeout,
                retry=retry,
            )
        return await late.follow_progress(
            self._session,
            late.create_model.build_request(body=body),
            model=model_name,
            source=from_model,
            on_progress=on_progress,
            timeout=timeout,
            retry=retry,
        )

    async def copy_model(
        self,
        source: str,
        destination: str,
        *,
        timeout: TimeoutInput = DEFAULT,
        retry: RetryInput = DEFAULT,
    ) -> None:
        """Give a model another name as well.

        Args:
            source: The model.
            destination: Its other name.
            timeout: The longest wait in seconds, or a ``Timeouts`` record.
            retry: Other rules for sending it again, such as ``{"max_attempts": 1}``.

        Raises:
            InvalidRequestError: A name is malformed; nothing was sent.
            ModelNotFoundError: ``source`` is not there.

        Source: Ollama ``POST /api/copy``.
        """
        request = late.copy_model.build_request(body=late.build_copy_request(source, destination))
        await self._session.send(request, model=source, timeout=timeout, retry=retry)

    async def delete_model(
        self, model_name: str, *, timeout: TimeoutInput = DEFAULT, retry: RetryInput = DEFAULT
    ) -> None:
        """Delete a local model.

        Args:
            model_name: The model.
            timeout: The longest wait in seconds, or a ``Timeouts`` record.
            retry: Other rules for sending it again, such as ``{"max_attempts": 1}``.

        Raises:
            InvalidRequestError: The name is malformed; nothing was sent.
            ModelNotFoundError: It is not there.

        Source: Ollama ``DELETE /api/delete``.
        """
        request = late.delete_model.build_request(body=late.build_delete_request(model_name))
        await self._session.send(request, model=model_name, timeout=timeout, retry=retry)

    async def load_model(
        self,
        model_name: str,
        *,
        keep_alive: KeepAlive | None = None,
        timeout: TimeoutInput = DEFAULT,
        retry: RetryInput = DEFAULT,
    ) -> None:
        """Load a model into memory, so that the first request does not wait for it.

        Args:
            model_name: The model.
            keep_alive: How long it stays: seconds, or a duration like ``"5m"``; -1 is for ever.
            timeout: The longest silence in seconds, or a ``Timeouts`` record.
            retry: Other rules for sending it again, such as ``{"max_attempts": 1}``.

        Raises:
            ModelNotFoundError: It is not there.

        Source: Ollama ``POST /api/chat`` without messages.
        """
        body = late.build_load_request(model_name, keep_alive=keep_alive)
        late.apply_defaults(body, self._session.config.defaults.for_model(model_name))
        try:
            await self._session.send(
                late.chat.build_request(body=body), model=model_name, timeout=timeout, retry=retry
            )
        except CapabilityError:  # a model that can only embed
            await self._session.send(
                late.embed.build_request(body=late.build_embedding_load_request(body)),
                model=model_name,
                timeout=timeout,
                retry=retry,
            )

    async def unload_model(
        self, model_name: str, *, timeout: TimeoutInput = DEFAULT, retry: RetryInput = DEFAULT
    ) -> None:
        """Remove a model from memory.

        Args:
            model_name: The model.
            timeout: The longest wait in seconds, or a ``Timeouts`` record.
            retry: Other rules for sending it again, such as ``{"max_attempts": 1}``.

        Raises:
            ModelNotFoundError: It is not there.

        Source: Ollama ``POST /api/chat`` without messages, with ``keep_alive: 0``.
        """
        body = late.build_unload_request(model_name)
        await self._session.send(
            late.chat.build_request(body=body), model=model_name, timeout=timeout, retry=retry
        )
