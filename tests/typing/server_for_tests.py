"""What a type checker knows of the server for tests. Checked, never run."""

from __future__ import annotations

import re
from typing import assert_type

from manager import OllamaManager
from manager.testing import (  # noqa: TC001 (as in a user's code)
    Busy,
    Combined,
    Crash,
    CutConnection,
    ErrorResponse,
    Hang,
    Latency,
    OllamaProgram,
    OllamaServer,
    RecordedRequest,
    Reply,
    StreamError,
    ToolCall,
)


def answered(request: RecordedRequest) -> Reply | None:
    assert_type(request.headers["authorization"], str)
    return Reply(content=request.prompt, thinking="") if request.model else None


def test_replies(ollama_server: OllamaServer, ollama_host: str) -> None:
    ollama_server.reply("first", Reply(content=["se", "cond"]), times=2)
    ollama_server.reply({"city": "Rome"}, model="llama3.2", matching=re.compile("where"))
    ollama_server.reply(ToolCall("get_weather", {"city": "Rome"}), matching="weather")
    ollama_server.reply(answered, lambda request: request.prompt.upper())


def test_faults(ollama_server: OllamaServer) -> None:
    assert_type(Latency(0.1) & Busy(), Combined)
    ollama_server.fail_next(Busy(times=2), Hang(after=1), Crash(), model="llama3.2")
    ollama_server.fail_next(Latency(0.1) & CutConnection(), endpoint="/api/pull")
    ollama_server.fail_next(ErrorResponse(status=502), StreamError(after=3), matching="weather")


def test_records(ollama_server: OllamaServer) -> None:
    assert_type(ollama_server.requests, list[RecordedRequest])
    assert_type(ollama_server.requests_to("/api/chat")[0].prompt, str)
    assert_type(ollama_server.wait_for_requests(2, timeout=1.5), list[RecordedRequest])


def test_program(ollama_program: OllamaProgram) -> None:
    m = OllamaManager(
        host=ollama_program.host, binary=ollama_program.binary, env=ollama_program.env
    )
    ollama_program.reply("Hello")
    m.close()


def test_life() -> None:
    with OllamaServer(models=["llama3.2"], process=True, token_seconds=0.01) as server:
        assert_type(server, OllamaServer)
        assert_type(server.start().base_url, str)
