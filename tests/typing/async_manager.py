"""What a type checker knows of the async manager. Checked, never run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import assert_type

import numpy as np
from numpy.typing import NDArray

from manager import (
    AsyncChatStream,
    AsyncGenerateStream,
    AsyncOllamaManager,
    ChatResponse,
    EmbedResponse,
    GenerateResponse,
    ListModelResponse,
    ProgressResponse,
    ServerStatus,
    ShownModel,
)


@dataclass
class City:
    name: str


async def life() -> None:
    async with AsyncOllamaManager(host="127.0.0.1:11500", env={"CUDA_VISIBLE_DEVICES": "0"}) as m:
        assert_type(m, AsyncOllamaManager)
        assert_type(await m.start_server(), ServerStatus)
        assert_type(m.status(), ServerStatus)
        assert_type(await m.server_log(), list[str])
    await m.aclose()


async def models(m: AsyncOllamaManager) -> None:
    assert_type(await m.list_models(), list[ListModelResponse])
    assert_type(await m.show_model("llama3.2"), ShownModel)
    assert_type(await m.pull_model("llama3.2"), ProgressResponse)
    assert_type(await m.has_model("llama3.2"), bool)


async def inference(m: AsyncOllamaManager) -> None:
    assert_type(await m.chat("llama3.2", "Hello", seed=1), ChatResponse)
    async with await m.chat("llama3.2", "Hello", stream=True) as stream:
        assert_type(stream, AsyncChatStream)
        async for chunk in stream:
            assert_type(chunk, ChatResponse)
        assert_type(stream.text, AsyncIterator[str])
        assert_type(stream.partial, ChatResponse | None)
        assert_type(await stream.final(), ChatResponse)
    assert_type(await m.chat_parsed("llama3.2", "A city", City), City)
    assert_type(await m.generate("llama3.2", "Roses are"), GenerateResponse)
    assert_type(await m.generate("llama3.2", "Roses", stream=True), AsyncGenerateStream)
    assert_type(await m.embed("all-minilm", "one"), EmbedResponse)
    async for vector in m.embed_many("all-minilm", ["one"]):
        assert_type(vector, list[float])
    assert_type(await m.embed_array("all-minilm", "one"), NDArray[np.float32])
    answers = await asyncio.gather(*(m.chat("llama3.2", text) for text in ("one", "two")))
    assert_type(answers, list[ChatResponse])
