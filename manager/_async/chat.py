"""Chat."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Unpack, overload

from manager._async import late
from manager.default import DEFAULT
from manager.errors import InvalidRequestError, OutputParseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ollama_api.models import ChatRequest, ChatResponse, Options
    from ollama_api.models.options import OptionsDict

    from manager._async.session import AsyncSession
    from manager._async.streams import AsyncChatStream
    from manager.timeouts import TimeoutInput
    from manager.transport.retry import RetryInput
    from manager.types import FormatInput, ImagesInput, KeepAlive, Prompt, Think, ToolInput

__all__ = ["AsyncChatMethods"]

T = TypeVar("T")


class AsyncChatMethods:
    """Talking to a model."""

    _session: AsyncSession

    @overload
    async def chat(
        self,
        model_name: str,
        prompt: Prompt,
        *,
        stream: Literal[False] = False,
        system: str | None = None,
        images: ImagesInput | None = None,
        tools: Sequence[ToolInput] | None = None,
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
    ) -> ChatResponse: ...

    @overload
    async def chat(
        self,
        model_name: str,
        prompt: Prompt,
        *,
        stream: Literal[True],
        system: str | None = None,
        images: ImagesInput | None = None,
        tools: Sequence[ToolInput] | None = None,
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
    ) -> AsyncChatStream: ...

    async def chat(
        self,
        model_name: str,
        prompt: Prompt,
        *,
        stream: bool = False,
        system: str | None = None,
        images: ImagesInput | None = None,
        tools: Sequence[ToolInput] | None = None,
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
    ) -> ChatResponse | AsyncChatStream:
        """Send a prompt or a conversation and return the model's answer.

        Args:
            model_name: The model, such as ``llama3.2`` or ``qwen3:8b``.
            prompt: A text, or a list of messages (dicts or ``Message``).
            stream: Return a stream of chunks instead of the whole answer; the request has been
                sent, and an error status raised, by then.
            system: A system message to put in front.
            images: Images that belong to the last user message: bytes, paths or base64 text.
            tools: Functions the model may ask for: JSON schemas or Python functions.
            format: ``"json"``, a JSON schema, or a class whose schema the answer must satisfy.
            think: Whether, or how much (``"low"`` ... ``"max"``), the model thinks first.
            keep_alive: How long the model stays loaded: seconds, or a duration like ``"5m"``.
            logprobs: Return the tokens' log probabilities; a number asks for that many
                alternatives per token.
            truncate: Drop the oldest messages where the context is too short (the
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
            CapabilityError: The model cannot do what was asked.
            OllamaManagerError: The subclass that says what else went wrong.

        Source: Ollama ``POST /api/chat``.

        Example:
            >>> answer = await m.chat("llama3.2", "Why is the sky blue?", temperature=0.2)
            >>> answer.message.content
        """
        build = partial(
            late.build_chat_request,
            model_name,
            prompt,
            stream=stream,
            system=system,
            images=images,
            tools=tools,
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
        body = await late.run_async(build) if late.holds_files(images, prompt) else build()
        late.apply_defaults(body, self._session.config.defaults.for_model(model_name))
        request = late.chat.build_request(body=body)
        if stream:
            lines = await self._session.stream(
                request, model=model_name, timeout=timeout, retry=retry
            )
            return late.AsyncChatStream(lines)
        return await self._session.send(request, model=model_name, timeout=timeout, retry=retry)

    async def chat_parsed(
        self,
        model_name: str,
        prompt: Prompt,
        output_type: type[T],
        *,
        system: str | None = None,
        images: ImagesInput | None = None,
        think: Think | None = None,
        keep_alive: KeepAlive | None = None,
        options: Options | OptionsDict | Mapping[str, Any] | None = None,
        extra_options: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        repair: bool = False,
        timeout: TimeoutInput = DEFAULT,
        retry: RetryInput = DEFAULT,
        **option_kwargs: Unpack[OptionsDict],
    ) -> T:
        """Send a prompt and return the answer as a value of ``output_type``.

        The type's JSON schema constrains what the model can write; the answer is then checked
        against the type.

        Args:
            model_name: The model.
            prompt: A text, or a list of messages.
            output_type: A dataclass, an attrs class, a TypedDict or a pydantic model.
            system: As for ``chat``, like all that follows.
            images: Images that belong to the last user message.
            think: Whether, or how much, the model thinks first.
            keep_alive: How long the model stays loaded.
            options: Options as a mapping.
            extra_options: Options that this version does not know yet.
            extra_body: Fields that this version does not know yet.
            repair: Show the model once what is wrong with an answer that does not fit, and ask
                for another one.
            timeout: The longest silence in seconds, or a ``Timeouts`` record; for each answer.
            retry: Other rules for sending it again, such as ``{"max_attempts": 1}``.
            option_kwargs: Options as keywords.

        Returns:
            The value.

        Raises:
            OutputParseError: The text does not fit the type; ``text`` holds it, ``partial`` the
                answer.
            InvalidRequestError: An argument is wrong; nothing was sent.
            OllamaManagerError: The subclass that says what else went wrong.

        Source: Ollama ``POST /api/chat`` with ``format``.

        Example:
            >>> @dataclass
            ... class City:
            ...     name: str
            ...     country: str
            >>> await m.chat_parsed("llama3.2", "The capital of France", City)
            City(name='Paris', country='France')
        """
        for name in ("stream", "format"):
            if name in option_kwargs:
                raise InvalidRequestError(
                    f"chat_parsed takes no {name}",
                    argument=name,
                    hint="the type gives the format, and the answer is needed whole",
                )
        build = partial(
            late.build_chat_request,
            model_name,
            prompt,
            stream=False,
            system=system,
            images=images,
            format=late.json_schema_of(output_type),
            think=think,
            keep_alive=keep_alive,
            options=options,
            extra_options=extra_options,
            extra_body=extra_body,
            option_kwargs=option_kwargs,
        )
        body = await late.run_async(build) if late.holds_files(images, prompt) else build()
        late.apply_defaults(body, self._session.config.defaults.for_model(model_name))
        try:
            return await self._answer_parsed(body, output_type, timeout, retry)
        except OutputParseError as error:
            if not repair:
                raise
            again = late.ask_again(body, error)
        return await self._answer_parsed(again, output_type, timeout, retry)

    async def _answer_parsed(
        self, body: ChatRequest, output_type: type[T], timeout: TimeoutInput, retry: RetryInput
    ) -> T:
        request = late.chat.build_request(body=body)
        answer, context = await self._session.ask(
            request, model=body.model, timeout=timeout, retry=retry
        )
        return late.parse_output(
            output_type,
            answer.message.content or "",
            partial=answer,
            **context,
        )
