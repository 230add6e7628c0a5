"""Requests about models themselves, built and checked without I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from manager.arguments import check_flag
from manager.errors import InvalidRequestError
from manager.extra_body import merge_extra_body
from manager.json_values import validate_text
from manager.messages import build_messages
from manager.names import check_digest, check_model_name
from manager.narrowing import is_array, is_mapping, is_sequence
from manager.options import merge_options
from manager.spelling import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ollama_api.models.copy_request import CopyRequest
    from ollama_api.models.create_request import CreateRequest
    from ollama_api.models.delete_request import DeleteRequest
    from ollama_api.models.message import Message
    from ollama_api.models.options import Options, OptionsDict
    from ollama_api.models.pull_request import PullRequest
    from ollama_api.models.push_request import PushRequest
    from ollama_api.models.show_request import ShowRequest

    from manager.types import MessageInput

__all__ = [
    "build_copy_request",
    "build_create_request",
    "build_delete_request",
    "build_pull_request",
    "build_push_request",
    "build_show_request",
]

# Field of the request -> argument of the call.
_TRANSFER: Final = {
    "model": "model_name",
    "name": "model_name",
    "insecure": "insecure",
    "stream": "on_progress",
}
_CREATE: Final = {
    "model": "model_name",
    "name": "model_name",
    "stream": "on_progress",
    "from": "from_model",
    "files": "files",
    "adapters": "adapters",
    "system": "system",
    "template": "template",
    "parameters": "parameters",
    "messages": "messages",
    "license": "license",
    "quantize": "quantize",
    "quantization": "quantize",
}


def build_pull_request(
    model_name: str,
    *,
    stream: bool,
    insecure: bool = False,
    extra_body: Mapping[str, object] | None = None,
) -> PullRequest:
    """Return the request of ``POST /api/pull``.

    Args:
        model_name: The model to download.
        stream: Whether the server reports progress; always sent.
        insecure: Whether plain HTTP and bad certificates are accepted.
        extra_body: Fields of the request that this version does not know.

    Raises:
        InvalidRequestError: An argument is wrong; ``argument`` says which.
    """
    from ollama_api.models.pull_request import PullRequest

    request = PullRequest(
        model=check_model_name(model_name),
        stream=check_flag(stream, "stream"),
        insecure=check_flag(insecure, "insecure") or None,
    )
    return merge_extra_body(request, extra_body, _TRANSFER)


def build_push_request(
    model_name: str,
    *,
    stream: bool,
    insecure: bool = False,
    extra_body: Mapping[str, object] | None = None,
) -> PushRequest:
    """Return the request of ``POST /api/push``.

    Args:
        model_name: The model to upload; its namespace is the account.
        stream: Whether the server reports progress; always sent.
        insecure: Whether plain HTTP and bad certificates are accepted.
        extra_body: Fields of the request that this version does not know.

    Raises:
        InvalidRequestError: An argument is wrong; ``argument`` says which.
    """
    from ollama_api.models.push_request import PushRequest

    request = PushRequest(
        model=check_model_name(model_name, source_suffix=False),
        stream=check_flag(stream, "stream"),
        insecure=check_flag(insecure, "insecure") or None,
    )
    return merge_extra_body(request, extra_body, _TRANSFER)


def build_create_request(
    model_name: str,
    *,
    stream: bool,
    from_model: str | None = None,
    files: Mapping[str, str] | None = None,
    adapters: Mapping[str, str] | None = None,
    system: str | None = None,
    template: str | None = None,
    parameters: Mapping[str, object] | OptionsDict | Options | None = None,
    messages: Sequence[MessageInput] | None = None,
    license: str | Sequence[str] | None = None,
    quantize: str | None = None,
    extra_body: Mapping[str, object] | None = None,
) -> CreateRequest:
    """Return the request of ``POST /api/create``.

    Args:
        model_name: The model to make.
        stream: Whether the server reports progress; always sent.
        from_model: The model to start from.
        files: The files to start from: name -> digest of the uploaded blob.
        adapters: The files of a LoRA adapter, likewise.
        system: Its system message.
        template: Its prompt template.
        parameters: Its own model options.
        messages: Messages that come before every conversation with it.
        license: Its licence or licences.
        quantize: How to store the weights, such as ``q4_K_M``.
        extra_body: Fields of the request that this version has no argument for, such as
            ``renderer`` and ``requires``.

    Raises:
        InvalidRequestError: An argument is wrong; ``argument`` says which.
    """
    from ollama_api.models.create_request import CreateRequest

    model = check_model_name(model_name, source_suffix=False)
    _check_start(from_model, files)
    request = CreateRequest(
        model=model,
        stream=check_flag(stream, "stream"),
        from_=None if from_model is None else check_model_name(from_model, argument="from_model"),
        files=_check_files(files, "files"),
        adapters=_check_files(adapters, "adapters"),
        system=None if system is None else validate_text(system, "system"),
        template=None if template is None else validate_text(template, "template"),
        parameters=merge_options(parameters, argument="parameters"),
        messages=_check_messages(messages),
        license=_check_license(license),
        quantize=_check_quantize(quantize),
    )
    return merge_extra_body(request, extra_body, _CREATE)


def build_copy_request(source: str, destination: str) -> CopyRequest:
    """Return the request of ``POST /api/copy``.

    Args:
        source: The model to copy.
        destination: The name of the copy.

    Raises:
        InvalidRequestError: A name is malformed; ``argument`` says which.
    """
    from ollama_api.models.copy_request import CopyRequest

    return CopyRequest(
        source=check_model_name(source, argument="source", source_suffix=False),
        destination=check_model_name(destination, argument="destination", source_suffix=False),
    )


def build_delete_request(model_name: str) -> DeleteRequest:
    """Return the request of ``DELETE /api/delete``.

    Args:
        model_name: The model to delete.

    Raises:
        InvalidRequestError: The name is malformed.
    """
    from ollama_api.models.delete_request import DeleteRequest

    return DeleteRequest(model=check_model_name(model_name))


def build_show_request(model_name: str, *, verbose: bool | None = None) -> ShowRequest:
    """Return the request of ``POST /api/show``.

    Args:
        model_name: The model to describe.
        verbose: Whether to list its tensors and vocabulary too.

    Raises:
        InvalidRequestError: An argument is wrong; ``argument`` says which.
    """
    from ollama_api.models.show_request import ShowRequest

    return ShowRequest(
        model=check_model_name(model_name),
        verbose=None if verbose is None else check_flag(verbose, "verbose"),
    )


def _check_start(from_model: object, files: object) -> None:
    if from_model is None and not files:
        raise InvalidRequestError(
            "neither from_model nor files is given",
            argument="from_model",
            hint="Give the name of a model to start from, or the files of one.",
        )
    if from_model is not None and files:
        raise InvalidRequestError(
            "from_model and files are both given, and the server would ignore the files",
            argument="files",
            hint="Leave out one of the two; an adapter goes into adapters.",
        )


def _check_files(files: object, argument: str) -> dict[str, str] | None:
    if not files:
        return None
    if not is_mapping(files):
        raise InvalidRequestError(
            f"{argument} must map names to digests, got {type(files).__name__}", argument=argument
        )
    return {
        _check_file_name(name, argument): check_digest(digest, argument=f"{argument}.{name}")
        for name, digest in files.items()
    }


def _check_file_name(name: object, argument: str) -> str:
    text = validate_text(name, f"a name in {argument}")
    # The rule of Go's fs.ValidPath, which the server applies.
    if not text or any(part in ("", ".", "..") for part in text.split("/")):
        raise InvalidRequestError(
            f"{argument} has the file name {shown(text)}",
            argument=argument,
            hint='Use a relative path with "/" and without "." or "..".',
        )
    return text


def _check_messages(messages: object) -> list[Message] | None:
    if messages is None or (is_sequence(messages) and not messages):
        return None
    if isinstance(messages, str):
        raise InvalidRequestError(
            "messages must be a list of messages, got a string",
            argument="messages",
            hint='Write it as [{"role": "user", "content": "..."}].',
        )
    return build_messages(messages, argument="messages")


def _check_license(license: object) -> str | list[str] | None:
    if license is None or isinstance(license, str):
        return None if license is None else validate_text(license, "license")
    if not is_array(license):
        raise InvalidRequestError(
            f"license must be a string or a list of strings, got {type(license).__name__}",
            argument="license",
        )
    return [validate_text(text, f"license[{index}]") for index, text in enumerate(license)]


def _check_quantize(quantize: object) -> str | None:
    if quantize is None:
        return None
    text = validate_text(quantize, "quantize")
    if not text.isidentifier():
        raise InvalidRequestError(
            f"quantize must be the name of a quantization, got {shown(quantize)}",
            argument="quantize",
            hint='For example "q8_0", "q4_K_M" or "q4_K_S".',
        )
    return text
