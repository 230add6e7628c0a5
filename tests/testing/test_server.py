"""The life of a server, and how it works in a thread."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from manager.errors import ServerStartError
from manager.simulator.direction import Plan, Told
from manager.simulator.remote_direction import DirectorListener, RemoteDirector
from manager.testing import OllamaServer

from .conftest import Asker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def start() -> Iterator[Callable[..., Asker]]:
    """Start a server in a thread; gives what asks it."""
    with contextlib.ExitStack() as stack:

        def start_one(**settings: Any) -> Asker:
            server = stack.enter_context(OllamaServer(models=["llama3.2"], **settings))
            asker = Asker(server)
            stack.callback(asker.http.close)
            return asker

        yield start_one


def test_the_fixtures_of_the_plugin(
    ollama_server: OllamaServer, ollama_server_process: OllamaServer, ollama_host: str
) -> None:
    assert ollama_server.pid == os.getpid() != ollama_server_process.pid
    assert os.environ["OLLAMA_HOST"] == ollama_host == ollama_server_process.host
    for server in (ollama_server, ollama_server_process):
        with urllib.request.urlopen(server.base_url) as answer:
            assert answer.read() == b"Ollama is running"


@pytest.mark.ollama_server(models=["qwen3:8b"])
def test_the_marker(ollama_server: OllamaServer, ollama_host: str) -> None:
    assert ollama_host == ollama_server.host
    asker = Asker(ollama_server)
    names = [model["name"] for model in asker.http.get("/api/tags").json()["models"]]
    asker.http.close()
    assert names == ["qwen3:8b"]


@pytest.mark.parametrize("process", [False, True])
def test_before_the_start_and_after_the_stop(process: bool) -> None:
    server = OllamaServer(process=process)
    assert (server.port, server.is_running) == (0, False)
    if process:
        with pytest.raises(RuntimeError, match="not been started"):
            _ = server.pid
    server.stop()
    with server:
        assert server.is_running
        port = server.port
    server.stop()
    assert (server.port, server.is_running) == (port, False)


@pytest.mark.parametrize("process", [False, True])
def test_a_port_that_something_else_has_taken(process: bool) -> None:
    with OllamaServer(process=process) as server:
        pass
    with socket.create_server(("127.0.0.1", server.port)):
        with pytest.raises(ServerStartError):
            server.start()
        assert not server.is_running
    with server:
        assert server.is_running


def test_the_variables_of_the_tests_are_not_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_NO_CLOUD", "1")
    for process in (False, True):
        for env, disabled in (({}, False), ({"OLLAMA_NO_CLOUD": "1"}, True)):
            with OllamaServer(process=process, env=env) as server:
                status = httpx.get(f"{server.base_url}/api/status").json()
            assert status["cloud"]["disabled"] is disabled


def test_tokens_and_loading_take_their_time(start: Callable[..., Asker]) -> None:
    ask = start(token_seconds=0.05, load_seconds=0.2)
    started = time.monotonic()
    ask.text("Hello", options={"num_predict": 4})
    assert time.monotonic() - started >= 0.4


def test_loading_may_take_too_long(start: Callable[..., Asker]) -> None:
    ask = start(load_seconds=60, env={"OLLAMA_LOAD_TIMEOUT": "200ms"})
    answer = ask.chat("Hello")
    assert (answer.status_code, answer.json()["error"][:22]) == (500, "timed out waiting for ")


def test_models_are_loaded_and_unloaded(start: Callable[..., Asker]) -> None:
    ask = start()
    for keep_alive, loaded in ((-1, 1), (0, 0), ("1h", 1)):
        ask.text("Hello", keep_alive=keep_alive)
        assert len(ask.http.get("/api/ps").json()["models"]) == loaded


def test_one_answer_at_a_time_and_a_client_that_leaves_makes_room(
    start: Callable[..., Asker],
) -> None:
    ask = start(token_seconds=0.001, env={"OLLAMA_NUM_PARALLEL": "1"})
    lines = ask.lines("write 90000 words")
    next(lines)
    texts: list[str] = []
    thread = threading.Thread(
        target=lambda: texts.append(ask.text("Hello", options={"num_predict": 1}))
    )
    thread.start()
    for _ in range(50):
        next(lines)
    assert texts == []
    lines.close()  # type: ignore[attr-defined]
    thread.join(30)
    assert len(texts) == 1


@pytest.mark.parametrize("settings", [{"load_seconds": 60}, {"token_seconds": 60}], ids=str)
def test_stopping_does_not_wait_for_models(settings: dict[str, float]) -> None:
    server = OllamaServer(models=["llama3.2"], **settings).start()
    ask = Asker(server)
    ended: list[Exception] = []

    def chat() -> None:
        try:
            ask.chat("Hello")
        except httpx.HTTPError as error:
            ended.append(error)

    thread = threading.Thread(target=chat)
    thread.start()
    server.wait_for_requests(1)
    server.stop()
    thread.join(30)
    ask.http.close()
    assert len(ended) == 1


def test_what_has_been_asked_is_recorded_when_it_has_stopped() -> None:
    """Or it would be in the record of the next test."""
    asked, closing, recorded = threading.Event(), threading.Event(), []

    class Slow:
        def direct(self, told: Told) -> Plan:
            asked.set()
            closing.wait(20)
            time.sleep(0.1)  # it takes its time
            recorded.append(told.path)
            return Plan()

    listener = DirectorListener(Slow())
    told = Told("GET", "/api/version", {}, b"")
    asking = threading.Thread(target=RemoteDirector(listener.address).direct, args=(told,))
    asking.start()
    assert asked.wait(20)
    closing.set()
    listener.close()
    assert recorded == ["/api/version"]
    asking.join(20)
