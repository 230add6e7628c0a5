"""Requests for answers and embeddings, built and checked without I/O.

Both managers send what is built here, so an argument is checked once, in one place, and before
anything is sent. ``manager.model_requests`` does the same for the requests about models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from manager.arguments import (
    check_context,
    check_dimensions,
    check_flag,
    check_loading_keep_alive,
    check_logprobs,
    check_optional_flag,
    check_optional_text,
    check_prompt,
    check_raw,
    check_texts,
)
from manager.extra_body import merge_extra_body
from manager.images import encode_images
from manager.keep_alive import check_keep_alive, check_think
from manager.messages import build_messages
from manager.names import check_model_name
from manager.options import merge_options
from manager.schemas import build_format
from manager.tools import build_tools

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ollama_api.models.chat_request import ChatRequest
    from ollama_api.models.embed_request import EmbedRequest
    from ollama_api.models.generate_request import GenerateRequest
    from ollama_api.models.options import Options, OptionsDict

    from manager.types import FormatInput, ImagesInput, KeepAlive, Prompt, Think, ToolInput

__all__ = [
    "build_chat_request",
    "build_embed_request",
    "build_embedding_load_request",
    "build_generate_request",
    "build_load_request",
    "build_unload_request",
]

# Field of the request -> argument of the call. `timeout` and the `extra_` ones have no field.
_SHARED: Final = {
    "model": "model_name",
    "stream": "stream",
    "format": "format",
    "think": "think",
    "keep_alive": "keep_alive",
    "options": "options",
    "truncate": "truncate",
    "shift": "shift",
    "logprobs": "logprobs",
    "top_logprobs": "logprobs",
}
_CHAT: Final = {**_SHARED, "messages": "prompt", "tools": "tools"}
_GENERATE: Final = {
    **_SHARED,
    "prompt": "prompt",
    "images": "images",
    "suffix": "suffix",
    "system": "system",
    "template": "template",
    "raw": "raw",
    "context": "context",
}
_EMBED: Final = {
    "model": "model_name",
    "input": "text",
    "keep_alive": "keep_alive",
    "truncate": "truncate",
    "dimensions": "dimensions",
    "options": "options",
}
_NO_FIELD = ("timeout", "extra_options", "extra_body")


def build_chat_request(
    model_name: str,
    prompt: Prompt,
    *,
    stream: bool,
    system: str | None = None,
    images: ImagesInput | None = None,
    tools: Sequence[ToolInput] | None = None,
    format: FormatInput | None = None,
    think: Think | None = None,
    keep_alive: KeepAlive | None = None,
    logprobs: bool | int | None = None,
    truncate: bool | None = None,
    shift: bool | None = None,
    options: Mapping[str, object] | OptionsDict | Options | None = None,
    extra_options: Mapping[str, object] | None = None,
    extra_body: Mapping[str, object] | None = None,
    option_kwargs: Mapping[str, object] | None = None,
) -> ChatRequest:
    """Return the request of ``POST /api/chat``.

    Args:
        model_name: The model to ask.
        prompt: A text, or a list of messages.
        stream: Whether the answer comes token by token; always sent.
        system: A system message to put in front.
        images: Images for the last message of the user.
        tools: Tools that the model may call.
        format: The form of the answer: ``"json"``, a JSON schema, or a type.
        think: Whether, or how hard, the model thinks before it answers.
        keep_alive: How long the model stays loaded: seconds, a duration or a timedelta.
        logprobs: Whether to say how likely each token was; a number asks for that many of the
            likeliest tokens at each place too, 20 at most.
        truncate: Whether to drop the oldest messages where the context is too short.
        shift: Whether to move the context along when it is full, rather than stop.
        options: Model options.
        extra_options: Options that this version does not know.
        extra_body: Fields of the request that this version does not know.
        option_kwargs: Model options that came as keywords of the call.

    Raises:
        InvalidRequestError: An argument is wrong; ``argument`` says which.
    """
    from ollama_api.models.chat_request import ChatRequest

    with_logprobs, top_logprobs = check_logprobs(logprobs)
    request = ChatRequest(
        model=check_model_name(model_name),
        messages=build_messages(prompt, system=system, images=images),
        stream=check_flag(stream, "stream"),
        format=build_format(format),
        keep_alive=check_keep_alive(keep_alive),
        tools=build_tools(tools),
        think=check_think(think),
        truncate=check_optional_flag(truncate, "truncate"),
        shift=check_optional_flag(shift, "shift"),
        logprobs=with_logprobs,
        top_logprobs=top_logprobs,
        options=merge_options(
            options,
            extra_options,
            option_kwargs,
            arguments=(*_CHAT.values(), *_NO_FIELD, "system", "images"),
        ),
    )
    return merge_extra_body(request, extra_body, _CHAT)


def build_generate_request(
    model_name: str,
    prompt: str,
    *,
    stream: bool,
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
    options: Mapping[str, object] | OptionsDict | Options | None = None,
    extra_options: Mapping[str, object] | None = None,
    extra_body: Mapping[str, object] | None = None,
    option_kwargs: Mapping[str, object] | None = None,
) -> GenerateRequest:
    """Return the request of ``POST /api/generate``.

    Args:
        model_name: The model to ask.
        prompt: The text to go on from.
        stream: Whether the answer comes token by token; always sent.
        suffix: The text after the answer, for a model that fills in the middle.
        system: A system message in place of the model's own.
        template: A prompt template in place of the model's own.
        raw: Whether the prompt goes to the model as it is, without a template.
        context: The ``context`` of an earlier answer.
        images: Images for the prompt.
        format: The form of the answer: ``"json"``, a JSON schema, or a type.
        think: Whether, or how hard, the model thinks before it answers.
        keep_alive: How long the model stays loaded: seconds, a duration or a timedelta.
        logprobs: Whether to say how likely each token was; see :func:`build_chat_request`.
        truncate: Whether to cut a prompt for which the context is too short.
        shift: Whether to move the context along when it is full, rather than stop.
        options: Model options.
        extra_options: Options that this version does not know.
        extra_body: Fields of the request that this version does not know.
        option_kwargs: Model options that came as keywords of the call.

    Raises:
        InvalidRequestError: An argument is wrong; ``argument`` says which.
    """
    from ollama_api.models.generate_request import GenerateRequest

    check_raw(raw, system=system, template=template, context=context)
    with_logprobs, top_logprobs = check_logprobs(logprobs)
    request = GenerateRequest(
        model=check_model_name(model_name),
        prompt=check_prompt(prompt),
        stream=check_flag(stream, "stream"),
        suffix=check_optional_text(suffix, "suffix"),
        system=check_optional_text(system, "system"),
        template=check_optional_text(template, "template"),
        raw=check_optional_flag(raw, "raw"),
        context=check_context(context),
        images=None if images is None else encode_images(images),
        format=build_format(format),
        keep_alive=check_keep_alive(keep_alive),
        think=check_think(think),
        truncate=check_optional_flag(truncate, "truncate"),
        shift=check_optional_flag(shift, "shift"),
        logprobs=with_logprobs,
        top_logprobs=top_logprobs,
        options=merge_options(
            options, extra_options, option_kwargs, arguments=(*_GENERATE.values(), *_NO_FIELD)
        ),
    )
    return merge_extra_body(request, extra_body, _GENERATE)


def build_embed_request(
    model_name: str,
    text: str | Iterable[str],
    *,
    dimensions: int | None = None,
    truncate: bool | None = None,
    keep_alive: KeepAlive | None = None,
    options: Mapping[str, object] | OptionsDict | Options | None = None,
    extra_options: Mapping[str, object] | None = None,
    extra_body: Mapping[str, object] | None = None,
    option_kwargs: Mapping[str, object] | None = None,
) -> EmbedRequest:
    """Return the request of ``POST /api/embed``.

    Args:
        model_name: The model to ask.
        text: One text or several.
        dimensions: The length to shorten the vectors to.
        truncate: Whether to cut texts that are too long, rather than fail.
        keep_alive: How long the model stays loaded: seconds, a duration or a timedelta.
        options: Model options.
        extra_options: Options that this version does not know.
        extra_body: Fields of the request that this version does not know.
        option_kwargs: Model options that came as keywords of the call.

    Raises:
        InvalidRequestError: An argument is wrong; ``argument`` says which.
    """
    from ollama_api.models.embed_request import EmbedRequest

    request = EmbedRequest(
        model=check_model_name(model_name),
        input=check_texts(text),
        dimensions=check_dimensions(dimensions),
        truncate=check_optional_flag(truncate, "truncate"),
        keep_alive=check_keep_alive(keep_alive),
        options=merge_options(
            options, extra_options, option_kwargs, arguments=(*_EMBED.values(), *_NO_FIELD)
        ),
    )
    return merge_extra_body(request, extra_body, _EMBED)


def build_load_request(
    model_name: str,
    *,
    keep_alive: KeepAlive | None = None,
    options: Mapping[str, object] | OptionsDict | Options | None = None,
    extra_options: Mapping[str, object] | None = None,
    option_kwargs: Mapping[str, object] | None = None,
) -> ChatRequest:
    """Return the request of ``POST /api/chat`` that only loads a model: one without messages.

    The server refuses it for a model that can only embed; see
    :func:`build_embedding_load_request`.

    Args:
        model_name: The model to load.
        keep_alive: How long it stays loaded: seconds, a duration or a timedelta; not 0.
        options: Model options; those about loading count here.
        extra_options: Options that this version does not know.
        option_kwargs: Model options that came as keywords of the call.

    Raises:
        InvalidRequestError: An argument is wrong; ``argument`` says which.
    """
    from ollama_api.models.chat_request import ChatRequest

    merged = merge_options(
        options,
        extra_options,
        option_kwargs,
        arguments=("keep_alive", "options", "extra_options", "timeout"),
    )
    return ChatRequest(
        model=check_model_name(model_name),
        messages=[],
        stream=False,
        keep_alive=check_loading_keep_alive(keep_alive),
        options=merged,
    )


def build_embedding_load_request(request: ChatRequest) -> EmbedRequest:
    """Return the request of ``POST /api/embed`` that does what a load request does.

    The server takes it for every local model, whatever that model can do.
    """
    from ollama_api.models.embed_request import EmbedRequest

    return EmbedRequest(
        model=request.model, input=[], keep_alive=request.keep_alive, options=request.options
    )


def build_unload_request(model_name: str) -> ChatRequest:
    """Return the request of ``POST /api/chat`` that unloads a model, whatever it can do.

    Args:
        model_name: The model to unload.

    Raises:
        InvalidRequestError: The name is malformed.
    """
    from ollama_api.models.chat_request import ChatRequest

    return ChatRequest(model=check_model_name(model_name), messages=[], stream=False, keep_alive=0)
