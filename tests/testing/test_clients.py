"""Any client of Ollama: the `ollama` package, and both managers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import ollama
import pytest

from manager import (
    AsyncOllamaManager,
    OllamaManager,
    ServerBusyError,
    StreamInterruptedError,
)
from manager.testing import Busy, CutConnection, ErrorResponse, StreamError, ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from manager.testing import OllamaServer

ASK = [{"role": "user", "content": "How is the weather?"}]
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer", "minimum": -50}},
    "required": ["city", "degrees"],
}


@pytest.fixture(autouse=True)
def own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    monkeypatch.chdir(tmp_path)


class TestOllamaPackage:
    @pytest.fixture
    def client(self, server: OllamaServer) -> Iterator[ollama.Client]:
        with ollama.Client(server.base_url) as opened:
            yield opened

    def test_chat_and_stream(self, server: OllamaServer, client: ollama.Client) -> None:
        server.reply("It is sunny.", matching="weather")
        assert client.chat("llama3.2", ASK).message.content == "It is sunny."
        chunks = client.chat("llama3.2", ASK, stream=True)
        assert "".join(chunk.message.content or "" for chunk in chunks) == "It is sunny."
        assert [request.body["stream"] for request in server.requests] == [False, True]
        assert server.requests[0].headers["user-agent"].startswith("ollama-python/")

    def test_tools_and_structured_output(self, server: OllamaServer, client: ollama.Client) -> None:
        def get_weather(city: str) -> str:
            """The weather of a city."""
            return f"sunny in {city}"

        server.reply(ToolCall("get_weather", {"city": "Rome"}), {"city": "Rome", "degrees": 21})
        answer = client.chat("llama3.2", ASK, tools=[get_weather])
        assert answer.message.tool_calls is not None
        (call,) = answer.message.tool_calls
        assert get_weather(**call.function.arguments) == "sunny in Rome"
        asked = server.requests[-1].body["tools"][0]["function"]
        assert (asked["name"], asked["description"]) == ("get_weather", "The weather of a city.")
        whole = client.chat("llama3.2", ASK, format=SCHEMA)
        assert whole.message.content == '{"city": "Rome", "degrees": 21}'
        assert server.requests[-1].body["format"] == SCHEMA

    def test_embeddings_models_and_pulls(self, server: OllamaServer, client: ollama.Client) -> None:
        assert len(client.embed("all-minilm", ["a", "b"]).embeddings) == 2
        assert "gemma3:latest" not in {model.model for model in client.list().models}
        assert client.pull("gemma3").status == "success"
        assert "gemma3:latest" in {model.model for model in client.list().models}
        assert server.requests_to("/api/pull")[0].model == "gemma3"

    def test_errors(self, server: OllamaServer, client: ollama.Client) -> None:
        server.fail_next(Busy(), StreamError(after=1, message="out of memory"), CutConnection())
        with pytest.raises(ollama.ResponseError, match="server busy") as busy:
            client.chat("llama3.2", ASK)
        assert busy.value.status_code == 503
        with pytest.raises(ollama.ResponseError, match="out of memory"):
            list(client.chat("llama3.2", ASK, stream=True))
        with pytest.raises(httpx.RemoteProtocolError):
            client.chat("llama3.2", ASK)
        with pytest.raises(ollama.ResponseError, match="model 'mistral' not found"):
            client.chat("mistral", ASK)

    def test_the_environment_is_enough(
        self, server: OllamaServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OLLAMA_HOST", server.host)
        server.reply("here")
        with ollama.Client() as client:
            assert client.generate("llama3.2", "Where?").response == "here"

    async def test_async(self, server: OllamaServer) -> None:
        server.reply(lambda request: f"{request.prompt}!")
        server.fail_next(ErrorResponse(status=500, message="not today"))
        async with ollama.AsyncClient(server.base_url) as client:
            with pytest.raises(ollama.ResponseError, match="not today"):
                await client.generate("llama3.2", "zero")
            asked = [client.generate("llama3.2", f"number {n}") for n in range(20)]
            answers = await asyncio.gather(*asked)
            assert [each.response for each in answers] == [f"number {n}!" for n in range(20)]
            stream = await client.chat("llama3.2", ASK, stream=True)
            text = [chunk.message.content or "" async for chunk in stream]
            assert "".join(text) == "How is the weather?!"
        prompts = {request.prompt for request in server.requests_to("/api/generate")}
        assert prompts == {"zero", *(f"number {n}" for n in range(20))}


class TestManagers:
    def test_sync(self, server: OllamaServer) -> None:
        server.reply("It is sunny.")
        server.fail_next(Busy(times=2), StreamError(after=2))
        with OllamaManager(host=server.host, retry={"initial_delay": 0.01}) as m:
            with m.chat("llama3.2", "How is the weather?", stream=True) as stream:
                with pytest.raises(StreamInterruptedError) as cut:
                    list(stream)
                assert cut.value.partial.message.content == "It is"
            assert len(server.requests_to("/api/chat")) == 3, "two that were busy and one more"
            assert m.chat("llama3.2", "How is the weather?").message.content == "It is sunny."

    async def test_async(self, server: OllamaServer) -> None:
        server.reply({"city": "Rome"})
        server.fail_next(Busy(times=None), matching="hopeless")
        async with AsyncOllamaManager(host=server.host, retry={"initial_delay": 0.01}) as m:
            answer = await m.chat("llama3.2", "Where is it sunny?", format="json")
            assert answer.message.content == '{"city": "Rome"}'
            with pytest.raises(ServerBusyError):
                await m.chat("llama3.2", "This is hopeless")
        (first, *again) = server.requests_to("/api/chat")
        assert first.body["format"] == "json"
        assert len(again) == 4
