"""Generate: completion of a plain prompt."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

from manager._async import late
from manager.default import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ollama_api.models import GenerateResponse, Options
    from ollama_api.models.options import OptionsDict

    from manager._async.session import AsyncSession
    from manager._async.streams import AsyncGenerateStream
    from manager.timeouts import TimeoutInput
    from manager.transport.retry import RetryInput
    from manager.types import FormatInput, ImagesInput, KeepAlive, Think

__all__ = ["AsyncGenerateMethods"]


class AsyncGenerateMethods:
    """Completing a prompt without a conversation around it."""

    _session: AsyncSession

    @overload
    async def generate(
        self,
        model_name: str,
        prompt: str,
        *,
        stream: Literal[False] = False,
        suffix: str | None = None,
        system: str | None = None,
        template: str | None = None,
        raw: bool | None = None,
        context: Sequence[int] | None = None,
        images: ImagesInput | None = None,
        format: FormatInput | None = None,
        think: Think | None = None,
        keep_alive: KeepAlive | None = None,
        logprobs: bool | int | None = None,
        truncate: bool | None = None,
        shift: bool | None = None,
        options: Options | OptionsDict | Mapping[str, Any] | None = None,
        extra_options: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        timeout: TimeoutInput = DEFAULT,
        retry: RetryInput = DEFAULT,
        **option_kwargs: Unpack[OptionsDict],
    ) -> GenerateResponse: ...

    @overload
    async def generate(
        self,
        model_name: str,
        prompt: str,
        *,
        stream: Literal[True],
        suffix: str | None = None,
        system: str | None = None,
        template: str | None = None,
        raw: bool | None = None,
        context: Sequence[int] | None = None,
        images: ImagesInput | None = None,
        format: FormatInput | None = None,
        think: Think | None = None,
        keep_alive: KeepAlive | None = None,
        logprobs: bool | int | None = None,
        truncate: bool | None = None,
        shift: bool | None = None,
        options: Options | OptionsDict | Mapping[str, Any] | None = None,
        extra_options: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        timeout: TimeoutInput = DEFAULT,
        retry: RetryInput = DEFAULT,
        **option_kwargs: Unpack[OptionsDict],
    ) -> AsyncGenerateStream: ...

    async def generate(
        self,
        model_name: str,
        prompt: str,
        *,
        stream: bool = False,
        suffix: str | None = None,
        system: str | None = None,
        template: str | None = None,
        raw: bool | None = None,
        context: Sequence[int] | None = None,
        images: ImagesInput | None = None,
        format: FormatInput | None = None,
        think: Think | None = None,
        keep_alive: KeepAlive | None = None,
        logprobs: bool | int | None = None,
        truncate: bool | None = None,
        shift: bool | None = None,
        options: Options | OptionsDict | Mapping[str, Any] | None = None,
        extra_options: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        timeout: TimeoutInput = DEFAULT,
        retry: RetryInput = DEFAULT,
        **option_kwargs: Unpack[OptionsDict],
    ) -> GenerateResponse | AsyncGenerateStream:
        """Complete a prompt.

        Args:
            model_name: The model.
            prompt: The text to go on from.
            stream: Return a stream of chunks instead of the whole answer.
            suffix: Text that comes after the answer, for models that fill in the middle.
            system: Replaces the model's system prompt.
            template: Replaces the model's prompt template.
            raw: Send the prompt as it is, without the template.
            context: The ``context`` of an earlier answer, to go on from it.
            images: Images as bytes, paths or base64 text.
            format: ``"json"``, a JSON schema, or a class whose schema the answer must satisfy.
            think: Whether, or how much, the model thinks first.
            keep_alive: How long the model stays loaded: seconds, or a duration like ``"5m"``.
            logprobs: Return log probabilities; a number asks for that many alternatives.
            truncate: Cut a prompt for which the context is too short (the
                server's default), or refuse.
            shift: Move the context along when it is full (the server's default), or stop.
            options: Options as a mapping, instead of keywords.
            extra_options: Options that this version does not know yet, passed on unchecked.
            extra_body: Fields that this version does not know yet, passed on unchecked.
            timeout: The longest silence in seconds, or a ``Timeouts`` record.
            retry: Other rules for sending it again, such as ``{"max_attempts": 1}``.
            option_kwargs: Options as keywords: ``temperature=0.2, num_ctx=8192``.

        Returns:
            The answer, or the stream of it.

        Raises:
            InvalidRequestError: An argument is wrong; nothing was sent.
            ModelNotFoundError: The model is not there.
            OllamaManagerError: The subclass that says what else went wrong.

        Source: Ollama ``POST /api/generate``.

        Example:
            >>> (await m.generate("llama3.2", "Roses are red,", num_predict=20)).response
        """
        build = partial(
            late.build_generate_request,
            model_name,
            prompt,
            stream=stream,
            suffix=suffix,
            system=system,
            template=template,
            raw=raw,
            context=context,
            images=images,
            format=format,
            think=think,
            keep_alive=keep_alive,
            logprobs=logprobs,
            truncate=truncate,
            shift=shift,
            options=options,
            extra_options=extra_options,
            extra_body=extra_body,
            option_kwargs=option_kwargs,
        )
        body = await late.run_async(build) if late.holds_files(images) else build()
        late.apply_defaults(body, self._session.config.defaults.for_model(model_name))
        request = late.generate.build_request(body=body)
        if stream:
            lines = await self._session.stream(
                request, model=model_name, timeout=timeout, retry=retry
            )
            return late.AsyncGenerateStream(lines)
        return await self._session.send(request, model=model_name, timeout=timeout, retry=retry)
