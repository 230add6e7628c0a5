"""A server of each kind, and plain HTTP to talk to it with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from manager.testing import OllamaServer

from ..plain_http import plain_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

MODELS = ["llama3.2", "qwen3", "all-minilm"]


class Asker:
    """Asks a server questions over plain HTTP."""

    def __init__(self, server: OllamaServer) -> None:
        self.http = plain_client(server.base_url)

    def chat(self, prompt: str, model: str = "llama3.2", **fields: Any) -> httpx.Response:
        messages = [{"role": "user", "content": prompt}]
        body = {"model": model, "messages": messages, "stream": False, **fields}
        return self.http.post("/api/chat", json=body)

    def text(self, prompt: str, model: str = "llama3.2", **fields: Any) -> str:
        answer = self.chat(prompt, model, **fields)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["message"]["content"])

    def lines(self, prompt: str, **fields: Any) -> Iterator[dict[str, Any]]:
        """The lines of a streamed chat, as they come."""
        messages = [{"role": "user", "content": prompt}]
        body = {"model": "llama3.2", "messages": messages, **fields}
        with self.http.stream("POST", "/api/chat", json=body) as answer:
            assert answer.status_code == 200
            for line in answer.iter_lines():
                yield json.loads(line)


@pytest.fixture(scope="module")
def process() -> Iterator[OllamaServer]:
    with OllamaServer(models=MODELS, process=True) as running:
        yield running


@pytest.fixture(params=["thread", "process"])
def server(request: pytest.FixtureRequest) -> Iterator[OllamaServer]:
    """A server as at the start: in a thread, or in a process that the tests of a module share."""
    if request.param == "thread":
        with OllamaServer(models=MODELS) as running:
            yield running
    else:
        shared: OllamaServer = request.getfixturevalue("process")
        shared.reset()
        yield shared if shared.is_running else shared.start()


@pytest.fixture
def ask(server: OllamaServer) -> Iterator[Asker]:
    asker = Asker(server)
    yield asker
    asker.http.close()
