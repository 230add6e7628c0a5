"""What a type checker knows of the sync manager. Checked, never run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import assert_type

import numpy as np
import pydantic
from numpy.typing import NDArray

from manager import (
    ChatResponse,
    ChatStream,
    EmbedResponse,
    GenerateResponse,
    GenerateStream,
    ListModelResponse,
    ManagerConfig,
    Message,
    OllamaManager,
    Ownership,
    ProcessModelResponse,
    ProgressResponse,
    ServerState,
    ServerStatus,
    ShownModel,
    Timeouts,
    ToolCall,
)


@dataclass
class City:
    name: str
    inhabitants: int


class Colour(pydantic.BaseModel):
    red: int


def life(m: OllamaManager) -> None:
    assert_type(m.start_server(), ServerStatus)
    assert_type(m.restart_server(), ServerStatus)
    assert_type(m.server_log(lines=10), list[str])
    assert_type(m.version(), str)
    assert_type(m.config, ManagerConfig)
    status = m.status()
    assert_type(status, ServerStatus)
    assert_type(status.state, ServerState)
    assert_type(status.ownership, Ownership)
    assert_type(status.owned, bool)
    assert_type(status.pid, int | None)
    assert_type(status.uptime, float | None)
    assert_type(status.version, str | None)
    with OllamaManager(host="127.0.0.1:11500", linger=5, retry={"max_attempts": 1}) as other:
        assert_type(other, OllamaManager)


def models(m: OllamaManager) -> None:
    listed = m.list_models()
    assert_type(listed, list[ListModelResponse])
    assert_type(listed[0].name, str)
    assert_type(listed[0].size, int)
    assert_type(listed[0].modified_at, dt.datetime)
    assert_type(m.list_running(), list[ProcessModelResponse])
    shown = m.show_model("llama3.2")
    assert_type(shown, ShownModel)
    assert_type(shown.size, int | None)
    assert_type(shown.digest, str | None)
    assert_type(shown.details.family, str)
    assert_type(shown.capabilities, list[str] | None)
    assert_type(m.has_model("llama3.2"), bool)

    def show(progress: ProgressResponse) -> None:
        assert_type(progress.completed, int | None)

    assert_type(m.pull_model("llama3.2", on_progress=show), ProgressResponse)
    m.pull_model("llama3.2", on_progress=lambda progress: print(progress.status))
    m.create_model("mine", files=Path("model.gguf"), parameters={"temperature": 0.1})
    m.create_model("mine", files={"model.gguf": "model.gguf"}, license=["MIT"])
    m.load_model("llama3.2", keep_alive="5m")
    m.load_model("llama3.2", keep_alive=dt.timedelta(minutes=5))


def chat(m: OllamaManager, either: bool) -> None:
    answer = m.chat("llama3.2", "Hello", temperature=0.2, num_ctx=8192, stop=["\n"])
    assert_type(answer, ChatResponse)
    assert_type(answer.message, Message)
    assert_type(answer.message.content, str)
    assert_type(answer.message.tool_calls, list[ToolCall] | None)
    assert_type(answer.eval_count, int | None)
    assert_type(m.chat("llama3.2", "Hello", stream=False), ChatResponse)

    stream = m.chat("llama3.2", "Hello", stream=True, timeout=Timeouts(total=60))
    assert_type(stream, ChatStream)
    with stream as entered:
        assert_type(entered, ChatStream)
        for chunk in entered:
            assert_type(chunk, ChatResponse)
        assert_type(entered.text, Iterator[str])
        assert_type(entered.partial, ChatResponse | None)
        assert_type(entered.final(), ChatResponse)

    conversation = [
        Message(role="user", content="Hello"),
        answer.message,
        {"role": "user", "content": "And?"},
    ]
    m.chat("llama3.2", [Message(role="user", content="Hello")])
    m.chat("llama3.2", [{"role": "user", "content": "Hello"}], system="Be brief.")
    print(conversation, either)


def typed_output(m: OllamaManager) -> None:
    assert_type(m.chat_parsed("llama3.2", "A city", City), City)
    assert_type(m.chat_parsed("llama3.2", "A colour", Colour, temperature=0), Colour)


def generate(m: OllamaManager) -> None:
    assert_type(m.generate("llama3.2", "Roses are"), GenerateResponse)
    stream = m.generate("llama3.2", "Roses are", stream=True, raw=True)
    assert_type(stream, GenerateStream)
    for chunk in stream:
        assert_type(chunk, GenerateResponse)
        assert_type(chunk.response, str)


def embed(m: OllamaManager) -> None:
    answer = m.embed("all-minilm", ["one", "two"], dimensions=64)
    assert_type(answer, EmbedResponse)
    assert_type(answer.embeddings, list[list[float]])
    for vector in m.embed_many("all-minilm", ["one"], batch_size=8, on_progress=print):
        assert_type(vector, list[float])
    assert_type(m.embed_array("all-minilm", "one"), NDArray[np.float32])
