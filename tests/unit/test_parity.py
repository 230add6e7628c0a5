"""The two managers are the same, method by method, and are what the contract says."""

from __future__ import annotations

import inspect
import re
import typing
from typing import Any

import pytest

import manager
from manager import (
    AsyncChatStream,
    AsyncEmbedStream,
    AsyncGenerateStream,
    AsyncOllamaManager,
    ChatStream,
    EmbedStream,
    GenerateStream,
    OllamaManager,
)

PAIRS = [
    (AsyncOllamaManager, OllamaManager),
    (AsyncChatStream, ChatStream),
    (AsyncGenerateStream, GenerateStream),
    (AsyncEmbedStream, EmbedStream),
]
# What waits for nothing, in either class.
PLAIN = {"status", "config", "events", "text", "partial", "embed_many", "done", "set_log_level"}
RENAMED = {"aclose": "close"}
PROTOCOL = {
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
}

# The methods of the public interface, with the parameters that callers may rely on.
CONTRACT: dict[str, tuple[str, ...]] = {
    "start_server": (),
    "stop_server": (),
    "restart_server": (),
    "status": (),
    "server_log": ("lines=50",),
    "reload_config": (),
    "set_log_level": ("level",),
    "close": (),
    "list_models": (),
    "list_running": (),
    "show_model": ("model_name",),
    "pull_model": ("model_name", "*insecure=False", "*on_progress=None"),
    "has_model": ("model_name",),
    "ensure_model": ("model_name", "*pull=True"),
    "create_model": (
        "model_name",
        "*from_model=None",
        "*files=None",
        "*adapters=None",
        "*system=None",
        "*template=None",
        "*parameters=None",
        "*messages=None",
        "*license=None",
        "*quantize=None",
        "*on_progress=None",
    ),
    "copy_model": ("source", "destination"),
    "delete_model": ("model_name",),
    "push_model": ("model_name",),
    "load_model": ("model_name",),
    "unload_model": ("model_name",),
    "version": (),
    "chat": (
        "model_name",
        "prompt",
        "*stream=False",
        "*system=None",
        "*images=None",
        "*tools=None",
        "*format=None",
        "*think=None",
        "*keep_alive=None",
        "*logprobs=None",
        "*options=None",
        "*extra_options=None",
        "*extra_body=None",
        "*timeout=DEFAULT",
        "**option_kwargs",
    ),
    "chat_parsed": ("model_name", "prompt", "output_type", "*timeout=DEFAULT", "**option_kwargs"),
    "generate": ("model_name", "prompt", "*stream=False", "*timeout=DEFAULT", "**option_kwargs"),
    "embed": (
        "model_name",
        "text",
        "*dimensions=None",
        "*truncate=None",
        "*timeout=DEFAULT",
        "**option_kwargs",
    ),
    "embed_many": (
        "model_name",
        "texts",
        "*batch_size=64",
        "*concurrency=4",
        "*on_progress=None",
        "*dimensions=None",
        "*truncate=None",
        "*timeout=DEFAULT",
        "**option_kwargs",
    ),
    "embed_array": ("model_name", "text", "*dimensions=None", "*truncate=None"),
}


def public(cls: type) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_")}


def function_of(cls: type, name: str) -> Any:
    member = inspect.getattr_static(cls, name)
    return member.fget if isinstance(member, property) else member


def synced(text: object) -> str:
    """A signature or docstring of the async class as the sync class has it."""
    words = re.sub(r"\bAsync(?=[A-Z])", "", str(text))
    for asynced, plain in {**RENAMED, **PROTOCOL, "_async": "_sync"}.items():
        words = re.sub(rf"\b{asynced}\b", plain, words)
    words = re.sub(r"\bawait |\basync ", "", words)
    return words.replace("StopAsyncIteration", "StopIteration")


@pytest.mark.parametrize(("asynced", "synced_class"), PAIRS, ids=lambda cls: cls.__name__)
def test_same_names(asynced: type, synced_class: type) -> None:
    assert {RENAMED.get(name, name) for name in public(asynced)} == public(synced_class)
    for name, plain in PROTOCOL.items():
        assert hasattr(asynced, name) == hasattr(synced_class, plain)
        assert not hasattr(synced_class, name)


@pytest.mark.parametrize(("asynced", "synced_class"), PAIRS, ids=lambda cls: cls.__name__)
def test_same_parameters_annotations_and_defaults(asynced: type, synced_class: type) -> None:
    for name in public(asynced):
        one = inspect.signature(function_of(asynced, name))
        other = inspect.signature(function_of(synced_class, RENAMED.get(name, name)))
        assert list(one.parameters) == list(other.parameters), name
        for key, parameter in one.parameters.items():
            twin = other.parameters[key]
            assert parameter.kind is twin.kind, name
            assert parameter.default == twin.default, name
            assert synced(parameter.annotation) == str(twin.annotation), name
        assert synced(one.return_annotation) == str(other.return_annotation), name
        assert one.return_annotation is not inspect.Signature.empty, name


@pytest.mark.parametrize(("asynced", "synced_class"), PAIRS, ids=lambda cls: cls.__name__)
def test_what_is_awaited(asynced: type, synced_class: type) -> None:
    for name in public(asynced):
        function = function_of(asynced, name)
        assert inspect.iscoroutinefunction(function) is (name not in PLAIN), name
        twin = function_of(synced_class, RENAMED.get(name, name))
        assert not inspect.iscoroutinefunction(twin), name
        assert not inspect.isasyncgenfunction(twin), name
        is_property = isinstance(inspect.getattr_static(asynced, name), property)
        twin_member = inspect.getattr_static(synced_class, RENAMED.get(name, name))
        assert isinstance(twin_member, property) is is_property


@pytest.mark.parametrize(("asynced", "synced_class"), PAIRS, ids=lambda cls: cls.__name__)
def test_every_method_is_explained(asynced: type, synced_class: type) -> None:
    for cls in (asynced, synced_class):
        assert inspect.getdoc(cls)
        for name in public(cls):
            text = inspect.getdoc(function_of(cls, name))
            assert text, f"{cls.__name__}.{name}"
            assert not re.search(r"\b(async|await)\b", text) or cls is asynced, name


@pytest.mark.parametrize("cls", [AsyncOllamaManager, OllamaManager], ids=lambda cls: cls.__name__)
def test_overloads_tell_streams_from_answers(cls: type) -> None:
    for name in ("chat", "generate"):
        whole, streamed = typing.get_overloads(getattr(cls, name))
        assert "False" in str(inspect.signature(whole).parameters["stream"].annotation)
        assert "True" in str(inspect.signature(streamed).parameters["stream"].annotation)
        assert str(inspect.signature(whole).return_annotation).endswith("Response")
        assert str(inspect.signature(streamed).return_annotation).endswith("Stream")
        full = inspect.signature(getattr(cls, name)).parameters
        for overload in (whole, streamed):
            assert list(inspect.signature(overload).parameters) == list(full)


@pytest.mark.parametrize("cls", [AsyncOllamaManager, OllamaManager], ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("name", CONTRACT)
def test_the_contract(cls: type, name: str) -> None:
    if cls is AsyncOllamaManager and name == "close":
        name = "aclose"
        contract: tuple[str, ...] = ()
    else:
        contract = CONTRACT[name]
    parameters = inspect.signature(getattr(cls, name)).parameters
    positional = [
        parameter.name
        for parameter in parameters.values()
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD and parameter.name != "self"
    ]
    assert positional == [
        entry.partition("=")[0] for entry in contract if not entry.startswith("*")
    ]
    for entry in contract:
        bare, _, default = entry.partition("=")
        parameter = parameters[bare.lstrip("*")]
        if bare.startswith("**"):
            assert parameter.kind is inspect.Parameter.VAR_KEYWORD
        elif bare.startswith("*"):
            assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        if default:
            assert repr(parameter.default) == default


def test_properties_of_the_contract() -> None:
    for cls in (AsyncOllamaManager, OllamaManager):
        for name in ("config", "events"):
            assert isinstance(inspect.getattr_static(cls, name), property)
    for stream in (AsyncChatStream, ChatStream):
        for name in ("text", "partial"):
            assert isinstance(inspect.getattr_static(stream, name), property)
        assert {"final", "close"} <= public(stream)


def test_what_methods_take_and_return_is_exported() -> None:
    """Users never need to import the generated client."""
    missing: set[str] = set()
    for cls in (AsyncOllamaManager, OllamaManager, AsyncChatStream, ChatStream):
        for name in public(cls):
            signature = inspect.signature(function_of(cls, name))
            annotations = [parameter.annotation for parameter in signature.parameters.values()]
            for annotation in (*annotations, signature.return_annotation):
                words = re.findall(r"\b[A-Z]\w+(?:Response|Dict)\b|\bOptions\b", str(annotation))
                missing |= {word for word in words if not hasattr(manager, word)}
    assert not missing


# What sends no request of its own, or asks the supervisor.
NO_REQUEST = (PLAIN - {"embed_many"}) | {
    "start_server",
    "stop_server",
    "restart_server",
    "server_log",
    "reload_config",
    "close",
    "aclose",
}


@pytest.mark.parametrize("cls", [AsyncOllamaManager, OllamaManager], ids=lambda cls: cls.__name__)
def test_every_request_takes_a_timeout_and_rules_for_retries(cls: type) -> None:
    for name in public(cls) - NO_REQUEST:
        parameters = inspect.signature(getattr(cls, name)).parameters
        for word, form in (("timeout", "TimeoutInput"), ("retry", "RetryInput")):
            assert word in parameters, f"{cls.__name__}.{name} takes no {word}="
            assert parameters[word].kind is inspect.Parameter.KEYWORD_ONLY
            assert parameters[word].annotation == form
            assert parameters[word].default is manager.DEFAULT
