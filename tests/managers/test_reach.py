"""What managers send: every operation of the spec, and nothing that it does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from manager.simulator import SimulatedServer

from ..contract import validating
from ..ports import free_port

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from ..conftest import Sent
    from .either import Make

# Operations that no method of a manager sends, and why.
WITHOUT_A_METHOD = {
    "root": "the supervisor asks it, to see whether the server is up",
    "root_head": "as `root`, without the text that says that it is Ollama",
    "version_head": "`version()` asks for the answer itself",
    "list_models_head": "`list_models()` asks for the answer itself",
    "embeddings": "deprecated; `embed()` does more",
    "delete_user_key": "deprecated; `signout()` does the same",
}

CALLS: dict[str, Callable[[Any, Path], Awaitable[Any]]] = {
    "version": lambda m, _: m.version(),
    "cloud_status": lambda m, _: m.cloud_status(),
    "chat": lambda m, _: m.chat("simulated", "Hello"),
    "generate": lambda m, _: m.generate("simulated", "Hello"),
    "embed": lambda m, _: m.embed("simulated-embed", "Hello"),
    "list_models": lambda m, _: m.list_models(),
    "list_running": lambda m, _: m.list_running(),
    "show_model": lambda m, _: m.show_model("simulated"),
    "pull_model": lambda m, _: m.pull_model("reached:pulled"),
    "copy_model": lambda m, _: m.copy_model("simulated", "ada/reached"),
    "push_model": lambda m, _: m.push_model("ada/reached"),
    "delete_model": lambda m, _: m.delete_model("ada/reached"),
    "create_model": lambda m, _: m.create_model("reached:made", from_model="simulated"),
    "blob_exists": lambda m, path: m.create_model("reached:blob", files=path),
    "create_blob": lambda m, path: m.create_model("reached:blob", files=path),
    "whoami": lambda m, _: m.whoami(),
    "web_search": lambda m, _: m.web_search("sky"),
    "web_fetch": lambda m, _: m.web_fetch("https://example.com"),
    "model_recommendations": lambda m, _: m.model_recommendations(),
    "signout": lambda m, _: m.signout(),
}


async def test_every_operation_can_be_reached(
    make: Make, requests_sent: Sent, tmp_path: Path
) -> None:
    assert set(CALLS) | set(WITHOUT_A_METHOD) == set(validating.operations())
    assert not set(CALLS) & set(WITHOUT_A_METHOD)
    with SimulatedServer(port=free_port(), env={"OLLAMA_SIMULATOR_USER": "ada"}) as server:
        async with make(host=server.host) as m:
            for number, (operation, call) in enumerate(CALLS.items()):
                file = tmp_path / f"{number}.gguf"
                file.write_bytes(b"GGUF" + number.to_bytes(4, "big"))
                assert requests_sent.problems() == []  # and forget what was sent before
                await call(m, file)
                assert operation in requests_sent.operations()


async def test_what_managers_send_is_noticed(m: Any, requests_sent: Sent) -> None:
    await m.chat("simulated", "Hello", extra_body={"new_field": 3}, extra_options={"new": True})
    assert requests_sent.operations() == {"chat"}
    assert requests_sent.problems() == []  # what is new is no mistake


@pytest.mark.parametrize(
    ("method", "path", "body", "problem"),
    [
        ("POST", "/api/chat", b'{"messages": []}', "'model' is a required property"),
        ("POST", "/api/chat", b'{"model": "a", "stream": 1}', "1 is not of type 'boolean'"),
        ("POST", "/api/chat", b'{"model": "a", "options": {"stop": "x"}}', "not of type 'array'"),
        ("POST", "/api/chat", None, "takes JSON"),
        ("GET", "/api/tags", b"{}", "takes no JSON"),
        ("GET", "/api/chat", None, "the spec has no GET /api/chat"),
        ("POST", "/api/nowhere", b"{}", "the spec has no"),
    ],
)
def test_a_request_that_breaks_the_spec_would_be_noticed(
    method: str, path: str, body: bytes | None, problem: str
) -> None:
    (found,) = validating.request_problems(method, path, body)
    assert problem in found
