"""Loading and unloading: the runner that a model has, its life and its death."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from .simulator_testing import USER, children, eventually, is_running, lines_of, loaded

LONG = [{"role": "user", "content": "write 20000 words"}]
CHAT = {"model": "simulated", "think": False, "messages": [USER]}
DIED = "an error was encountered while running the model: unexpected EOF"


def test_an_empty_chat_loads_and_unloads(start: Any) -> None:
    server, client = start()
    assert children(server.pid) == []
    answer = client.post("/api/chat", json={"model": "simulated"}).json()
    assert (answer["done"], answer["done_reason"]) == (True, "load")
    assert answer["message"] == {"role": "assistant", "content": ""}
    assert loaded(client) == ["simulated:latest"]
    (runner,) = children(server.pid)
    answer = client.post("/api/generate", json={"model": "simulated", "keep_alive": 0}).json()
    assert (answer["response"], answer["done_reason"]) == ("", "unload")
    assert loaded(client) == []
    eventually(lambda: not is_running(runner))


def test_each_model_has_a_runner_of_its_own(start: Any) -> None:
    server, client = start(models=["a", "b"])
    for name in ("a", "b", "a"):
        client.post("/api/chat", json={"model": name, "messages": [USER]}).raise_for_status()
    assert len(children(server.pid)) == 2


def test_ps_tells_what_is_loaded_and_until_when(start: Any) -> None:
    _, client = start(env={"OLLAMA_KEEP_ALIVE": "10m"})
    client.post("/api/chat", json={**CHAT, "options": {"num_ctx": 512}}).raise_for_status()
    (model,) = client.get("/api/ps").json()["models"]
    (listed,) = (m for m in client.get("/api/tags").json()["models"] if m["name"] == model["name"])
    assert (model["digest"], model["size"]) == (listed["digest"], listed["size"])
    assert (model["size_vram"], model["context_length"]) == (0, 512)
    left = datetime.fromisoformat(model["expires_at"]) - datetime.now(UTC)
    assert 590 < left.total_seconds() <= 600


def test_an_idle_model_is_unloaded_when_its_time_is_up(start: Any) -> None:
    server, client = start()
    client.post("/api/chat", json={**CHAT, "keep_alive": "200ms"}).raise_for_status()
    assert loaded(client) == ["simulated:latest"]
    eventually(lambda: loaded(client) == [])
    eventually(lambda: children(server.pid) == [])


def test_a_negative_keep_alive_is_for_ever(start: Any) -> None:
    _, client = start()
    client.post("/api/chat", json={**CHAT, "keep_alive": -1}).raise_for_status()
    (model,) = client.get("/api/ps").json()["models"]
    assert int(model["expires_at"][:4]) > 2200


def test_keep_alive_0_unloads_after_the_answer(start: Any) -> None:
    _, client = start()
    client.post("/api/chat", json={**CHAT, "keep_alive": 0}).raise_for_status()
    assert loaded(client) == []


def test_an_unload_waits_for_the_answer_under_way(start: Any) -> None:
    _, client = start(token_seconds=0.01)
    body = {**CHAT, "messages": [{"role": "user", "content": "write 30 words"}]}
    with client.stream("POST", "/api/chat", json=body) as response:
        lines = response.iter_lines()
        next(lines)
        client.post("/api/chat", json={"model": "simulated", "keep_alive": 0}).raise_for_status()
        assert '"done":true' in list(lines)[-1]
    assert eventually(lambda: loaded(client) == [])


def test_another_num_ctx_loads_anew(start: Any) -> None:
    server, client = start()
    client.post("/api/chat", json={**CHAT, "options": {"num_ctx": 512}}).raise_for_status()
    first = children(server.pid)
    client.post("/api/chat", json={**CHAT, "options": {"num_ctx": 512}}).raise_for_status()
    assert children(server.pid) == first
    client.post("/api/chat", json={**CHAT, "options": {"num_ctx": 1024}}).raise_for_status()
    (second,) = eventually(lambda: [p for p in children(server.pid) if is_running(p)])
    assert [second] != first


def test_the_model_that_expires_first_makes_room(start: Any) -> None:
    _, client = start(models=["a", "b", "c"], env={"OLLAMA_MAX_LOADED_MODELS": "2"})
    for name, keep_alive in (("a", "10m"), ("b", "1m"), ("c", "5m")):
        body = {"model": name, "keep_alive": keep_alive}
        client.post("/api/chat", json=body).raise_for_status()
    assert loaded(client) == ["a:latest", "c:latest"]


def test_a_runner_killed_in_a_stream_ends_it_with_an_error_line(start: Any) -> None:
    server, client = start(token_seconds=0.001)
    with client.stream("POST", "/api/chat", json={**CHAT, "messages": LONG}) as response:
        assert response.status_code == 200
        received = b""
        for piece in response.iter_raw():
            if not received:
                (runner,) = children(server.pid)
                os.kill(runner, signal.SIGKILL)
            received += piece
    assert received.endswith(b'{"error":"%s"}\n' % DIED.encode())
    # The next request loads the model again.
    assert client.post("/api/chat", json=CHAT).status_code == 200
    assert children(server.pid) != [runner]


def test_a_runner_killed_in_a_whole_answer_is_a_500(start: Any) -> None:
    server, client = start(token_seconds=0.01)
    with ThreadPoolExecutor(1) as pool:
        body = {**CHAT, "messages": LONG, "stream": False}
        future = pool.submit(client.post, "/api/chat", json=body)
        eventually(lambda: loaded(client))
        (runner,) = children(server.pid)
        os.kill(runner, signal.SIGKILL)
        response = future.result(20)
    assert (response.status_code, response.json()) == (500, {"error": DIED})
    assert eventually(lambda: loaded(client) == [])


def test_a_stopped_runner_hangs_its_stream_and_nothing_else(start: Any) -> None:
    server, client = start(token_seconds=0.001)
    body = {**CHAT, "messages": LONG}
    with client.stream("POST", "/api/chat", json=body) as response:
        next(response.iter_lines())
        (runner,) = children(server.pid)
        os.kill(runner, signal.SIGSTOP)
        try:
            assert client.get("/").status_code == 200
            assert loaded(client) == ["simulated:latest"]
            with pytest.raises(httpx.ReadTimeout):
                client.post("/api/chat", json=CHAT, timeout=0.5)
        finally:
            os.kill(runner, signal.SIGKILL)
    eventually(lambda: children(server.pid) == [])
    # Killing the runner cures it.
    assert client.post("/api/chat", json=CHAT).status_code == 200


def test_a_client_that_hangs_up_stops_the_generation(start: Any) -> None:
    server, client = start(token_seconds=0.001, env={"OLLAMA_NUM_PARALLEL": "1"})
    with client.stream("POST", "/api/chat", json={**CHAT, "messages": LONG}) as response:
        next(response.iter_lines())
    # With one answer at a time, this one is written only if the other is not any more.
    started = time.monotonic()
    assert client.post("/api/chat", json=CHAT).status_code == 200
    assert time.monotonic() - started < 10
    eventually(lambda: any("| 499 |" in line for line in server.log))


def test_a_client_that_hangs_up_while_it_waits_is_noticed(start: Any) -> None:
    server, client = start(load_seconds=60)
    with pytest.raises(httpx.ReadTimeout):
        client.post("/api/chat", json=CHAT, timeout=0.3)
    eventually(lambda: children(server.pid) == [])
    eventually(lambda: any("| 499 |" in line for line in server.log))


def test_too_many_that_wait_for_a_load_are_turned_away(start: Any) -> None:
    _, client = start(load_seconds=1, env={"OLLAMA_MAX_QUEUE": "1"})
    with ThreadPoolExecutor(6) as pool:
        responses = list(pool.map(lambda _: client.post("/api/chat", json=CHAT), range(6)))
    statuses = sorted(response.status_code for response in responses)
    assert statuses == [200, 200, 503, 503, 503, 503]
    busy = next(response for response in responses if response.status_code == 503)
    assert busy.json() == {
        "error": "server busy, please try again.  maximum pending requests exceeded"
    }
    assert "retry-after" not in busy.headers


def test_requests_wait_while_the_model_loads(start: Any) -> None:
    _, client = start(load_seconds=0.3)
    answer = client.post("/api/chat", json={**CHAT, "stream": False}).json()
    assert answer["load_duration"] > 300_000_000
    again = client.post("/api/chat", json={**CHAT, "stream": False}).json()
    assert again["load_duration"] < 300_000_000


def test_a_load_that_takes_too_long_is_given_up(start: Any) -> None:
    server, client = start(load_seconds=60, env={"OLLAMA_LOAD_TIMEOUT": "300ms"})
    response = client.post("/api/chat", json=CHAT)
    assert response.status_code == 500
    assert "timed out" in response.json()["error"]
    eventually(lambda: children(server.pid) == [])


def test_a_runner_that_dies_while_loading_is_an_error(start: Any) -> None:
    server, client = start(load_seconds=60)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(client.post, "/api/chat", json=CHAT)
        (runner,) = eventually(lambda: children(server.pid))
        os.kill(runner, signal.SIGKILL)
        response = future.result(20)
    assert response.status_code == 500
    assert "process has terminated" in response.json()["error"]


def test_answers_are_written_side_by_side(start: Any) -> None:
    _, client = start(token_seconds=0.01)
    messages = [{"role": "user", "content": "write 40 words"}]
    started = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        responses = list(
            pool.map(
                lambda _: client.post("/api/chat", json={**CHAT, "messages": messages}), range(16)
            )
        )
    assert all(lines_of(response)[-1]["done"] for response in responses)
    # One after the other they would take 16 * 46 * 0.01 seconds.
    assert time.monotonic() - started < 5


def test_num_parallel_limits_them(start: Any) -> None:
    _, client = start(token_seconds=0.01, env={"OLLAMA_NUM_PARALLEL": "1"})
    client.post("/api/chat", json={"model": "simulated"}).raise_for_status()
    messages = [{"role": "user", "content": "write 30 words"}]
    ends: list[tuple[str, str]] = []
    lock = threading.Lock()

    def ask(_: int) -> None:
        lines = lines_of(client.post("/api/chat", json={**CHAT, "messages": messages}))
        with lock:
            ends.append((lines[0]["created_at"], lines[-1]["created_at"]))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(ask, range(3)))
    ends.sort()
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(ends))


def test_tokens_come_at_the_pace_that_was_set(start: Any) -> None:
    _, client = start(token_seconds=0.02)
    client.post("/api/chat", json={"model": "simulated"}).raise_for_status()
    started = time.monotonic()
    body = {**CHAT, "messages": LONG, "options": {"num_predict": 20}}
    client.post("/api/chat", json=body).raise_for_status()
    assert time.monotonic() - started >= 0.38
