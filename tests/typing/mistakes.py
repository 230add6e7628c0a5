"""Mistakes that a type checker must find, each marked with what mypy calls it. Never run."""

# ruff: noqa: B018

from __future__ import annotations

from manager import AsyncOllamaManager, OllamaManager  # noqa: TC001 (as in a user's code)
from manager.testing import Busy, OllamaServer  # noqa: TC001


def options(m: OllamaManager) -> None:
    m.chat("llama3.2", "Hello", temperature="hot")  # type: ignore[call-overload]
    m.chat("llama3.2", "Hello", temprature=0.2)  # type: ignore[call-overload]
    m.embed("all-minilm", "Hello", num_ctx="large")  # type: ignore[arg-type]
    m.embed("all-minilm", "Hello", num_ctxt=512)  # type: ignore[call-arg]
    m.generate("llama3.2", "Hello", stop=3)  # type: ignore[call-overload]


def arguments(m: OllamaManager) -> None:
    m.chat("llama3.2", 5)  # type: ignore[call-overload]
    m.chat("llama3.2", "Hello", think="very")  # type: ignore[call-overload]
    m.show_model(None)  # type: ignore[arg-type]
    m.pull_model("llama3.2", on_progress=3)  # type: ignore[arg-type]


def settings() -> None:
    OllamaManager(hots="127.0.0.1")  # type: ignore[call-arg]
    OllamaManager(linger="long")  # type: ignore[arg-type]


def answers(m: OllamaManager) -> None:
    m.chat("llama3.2", "Hello").mesage  # type: ignore[attr-defined]
    m.chat("llama3.2", "Hello", stream=True).message  # type: ignore[attr-defined]
    m.status().pid + 1  # type: ignore[operator]


async def not_awaited(m: AsyncOllamaManager) -> None:
    m.chat("llama3.2", "Hello").message  # type: ignore[attr-defined]
    for _ in await m.chat("llama3.2", "Hello", stream=True):  # type: ignore[attr-defined]
        pass


def scripts(server: OllamaServer) -> None:
    server.reply(3)  # type: ignore[arg-type]
    server.fail_next(Busy)  # type: ignore[arg-type]
    server.fail_next(Busy(after=1))  # type: ignore[call-arg]
    server.requests[0].promt  # type: ignore[attr-defined]
