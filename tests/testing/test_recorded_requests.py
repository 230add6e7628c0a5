"""The record of what clients have sent."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

import httpx
import pytest

from manager.testing import Busy, RecordedRequest

if TYPE_CHECKING:
    from manager.testing import OllamaServer

    from .conftest import Asker


def test_requests_are_kept_in_their_order(server: OllamaServer, ask: Asker) -> None:
    assert server.requests == []
    ask.http.get("/api/tags?x=1")
    ask.chat("Hello", options={"temperature": 0.2})
    ask.http.head("/")
    ask.http.get("/nothing/here")
    made = [(request.method, request.path) for request in server.requests]
    expected = [
        ("GET", "/api/tags"),
        ("POST", "/api/chat"),
        ("HEAD", "/"),
        ("GET", "/nothing/here"),
    ]
    assert made == expected
    (chat,) = server.requests_to("/api/chat")
    assert chat.model == "llama3.2"
    assert chat.prompt == "Hello"
    assert chat.messages == [{"role": "user", "content": "Hello"}]
    assert chat.options == {"temperature": 0.2}
    assert chat.body["stream"] is False
    tags = server.requests[0]
    assert (tags.body, tags.model, tags.prompt, tags.messages, tags.options) == (
        None,
        "",
        "",
        [],
        {},
    )
    server.reset()
    assert server.requests == []


def test_requests_that_fail_are_kept_too(server: OllamaServer, ask: Asker) -> None:
    server.fail_next(Busy())
    ask.chat("one")
    ask.chat("two", "not-there")
    ask.http.post("/api/chat", content=b"{not json")
    assert [request.prompt for request in server.requests] == ["one", "two", ""]
    assert server.requests[-1].body == "{not json"


def test_secrets_are_there_but_not_shown(server: OllamaServer, ask: Asker) -> None:
    headers = {"Authorization": "Bearer sesame", "X-Team": "blue"}
    ask.http.get("/api/version", headers=headers)
    (request,) = server.requests
    assert request.headers["authorization"] == request.headers["AUTHORIZATION"] == "Bearer sesame"
    assert request.headers["x-team"] == "blue"
    assert "x-nothing" not in request.headers
    assert set(request.headers) >= {"authorization", "x-team", "host"}
    assert "sesame" not in repr(server.requests)
    assert "'authorization': '***'" in repr(request)
    assert "'x-team': 'blue'" in repr(request)


def test_the_prompt_of_each_kind_of_request(server: OllamaServer, ask: Asker) -> None:
    ask.http.post("/api/generate", json={"model": "llama3.2", "prompt": "why?", "stream": False})
    ask.http.post("/api/embed", json={"model": "all-minilm", "input": ["a", "b"]})
    ask.http.post("/api/embeddings", json={"model": "all-minilm", "prompt": "c"})
    history = [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": "second"},
        {"role": "tool", "content": "42"},
    ]
    ask.http.post("/api/chat", json={"model": "llama3.2", "messages": history})
    assert [request.prompt for request in server.requests] == ["why?", "a\nb", "c", "second"]
    assert server.requests[-1].messages == history


def test_odd_bodies_have_no_model_and_no_prompt() -> None:
    for body in (None, [1], "text", {"model": None, "messages": [3, {"role": "user"}]}):
        request = RecordedRequest("POST", "/api/chat", {}, body)
        assert (request.model, request.prompt, request.options) == ("", "", {})


def test_files_that_are_uploaded_arrive_and_are_not_kept(server: OllamaServer, ask: Asker) -> None:
    digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    answer = ask.http.post(f"/api/blobs/{digest}", content=b"")
    assert answer.status_code == 201
    assert ask.http.head(f"/api/blobs/{digest}").status_code == 200
    assert [request.body for request in server.requests] == [None, None]


def test_waiting_for_requests_of_another_thread(server: OllamaServer, ask: Asker) -> None:
    thread = threading.Thread(target=ask.chat, args=("Hello",))
    thread.start()
    (request,) = server.wait_for_requests(1, endpoint="/api/chat")
    assert request.prompt == "Hello"
    thread.join()
    with pytest.raises(TimeoutError, match=r"1 of 2 requests came in 0\.05 s"):
        server.wait_for_requests(2, timeout=0.05)
    with pytest.raises(ValueError, match="endpoint must be a path"):
        server.requests_to("/api/chats")


def test_a_server_is_stopped_while_it_is_asked(ask: Asker, server: OllamaServer) -> None:
    def ask_until_it_is_gone() -> None:
        with contextlib.suppress(httpx.HTTPError):
            while True:
                ask.http.get("/api/version")

    threads = [threading.Thread(target=ask_until_it_is_gone) for _ in range(4)]
    for thread in threads:
        thread.start()
    server.wait_for_requests(20)
    server.stop()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
