"""What the simulator is asked seldom: odd requests, cloud models, runners that die or are full."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from manager.simulator import SimulatedServer, environment, tokens
from manager.simulator.exchange import ApiError, ClientGone
from manager.simulator.generation import frames
from manager.simulator.local_runner import LocalRunner
from manager.simulator.runner_process import RunnerDiedError

from .simulator_testing import USER, children, eventually, lines_of, loaded
from .test_simulated_http import exchange, request

if TYPE_CHECKING:
    import httpx


def stays() -> bool:
    return False


def job(text: str = "hi", **changes: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text, "images": 0}]
    return {
        "op": "complete",
        "model": "m",
        "messages": messages,
        "options": {},
        "prompt_tokens": 3,
        **changes,
    }


TOOL = {
    "type": "function",
    "function": {
        "name": "get_time",
        "description": "the time",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


class TestFrames:
    """What a runner writes; it runs in a process that is killed in the end."""

    def test_log_probabilities(self) -> None:
        *parts, done = frames(job(logprobs=True, top_logprobs=2))
        for part in parts:
            ((probability),) = part["logprobs"]
            assert probability["token"] == part["content"]
            assert probability["logprob"] < 0
            values = [other["logprob"] for other in probability["top_logprobs"]]
            assert values == sorted(values, reverse=True)
            assert values[0] == probability["logprob"]
        assert done["done"] == "stop"
        assert "top_logprobs" not in tokens.logprob("a", 0, 0)
        assert tokens.logprob("a", 0, 5) == tokens.logprob("a", 0, 5)

    @pytest.mark.parametrize("limit", [{"options": {"num_predict": 2}}, {"room": 2}])
    def test_an_answer_that_is_cut_off(self, limit: dict[str, Any]) -> None:
        *parts, done = frames(job(**limit))
        assert len(parts) == done["eval_count"] == 2
        assert done["done"] == "length"

    def test_a_call_that_does_not_fit(self) -> None:
        *parts, done = frames(job("what time is it?", tools=[TOOL]))
        (call,) = [part for part in parts if "tool_calls" in part]
        assert call["tool_calls"][0]["function"]["name"] == "get_time"
        *parts, done = frames(job("what time is it?", tools=[TOOL], options={"num_predict": 1}))
        assert not [part for part in parts if "tool_calls" in part]
        assert done["done"] == "length"

    def test_pieces_end_where_a_stop_sequence_begins(self) -> None:
        script = {
            "content": "one two three",
            "pieces": ["one ", "two ", "three"],
            "thinking": "",
            "tool_calls": [],
            "done_reason": "stop",
        }
        answer = frames(job(scripted=script, options={"stop": ["wo"]}))
        assert [part["content"] for part in answer if "content" in part] == ["one ", "t"]

    def test_a_schema_that_nothing_satisfies(self) -> None:
        (refused,) = frames(job(format={"type": "strange"}))
        assert refused["status"] == 400
        assert "JSON schema conversion failed" in refused["error"]


class TestLocalRunner:
    def make(self, **env: str) -> LocalRunner:
        named = {f"OLLAMA_SIMULATOR_{name}": value for name, value in env.items()}
        settings = environment.read({**named, "OLLAMA_NUM_PARALLEL": "1"})
        return LocalRunner(settings, lambda _: None)

    def test_loading_ends_with_it(self) -> None:
        runner = self.make(LOAD_SECONDS="60")
        with pytest.raises(ClientGone):
            runner.wait_until_ready(60, lambda: True)
        with pytest.raises(ApiError, match="timed out"):
            runner.wait_until_ready(0, stays)
        runner.kill()
        runner.kill()  # told once
        with pytest.raises(ApiError, match="terminated"):
            runner.wait_until_ready(60, stays)

    def test_who_waits_for_a_place_may_leave(self) -> None:
        runner = self.make(TOKEN_SECONDS="0")
        first = runner.frames(job(), stays)
        next(first)
        with pytest.raises(ClientGone):
            next(runner.frames(job(), lambda: True))
        first.close()  # type: ignore[attr-defined]
        assert list(runner.frames(job(), stays))[-1]["done"] == "stop"

    def test_what_it_cannot_do(self) -> None:
        runner = self.make(TOKEN_SECONDS="0")
        with pytest.raises(ApiError) as caught:
            list(runner.frames(job(format={"type": "strange"}), stays))
        assert caught.value.status == 400
        runner.kill()
        with pytest.raises(RunnerDiedError):
            next(runner.frames(job(), stays))


class TestConnections:
    def test_a_whole_address_as_proxies_ask_for_it(self, server: SimulatedServer) -> None:
        told = exchange(
            server, request("GET http://localhost/api/version HTTP/1.1\nHost: localhost")
        )
        assert b"simulated" in told


class TestOddRequests:
    @pytest.mark.parametrize(
        ("path", "body", "status", "said"),
        [
            ("/api/embed", {"model": "simulated-embed:cloud", "input": "a"}, 401, "unauthorized"),
            ("/api/embeddings", {"model": "x:cloud", "prompt": "a"}, 401, "unauthorized"),
            ("/api/show", {"model": "x:cloud"}, 401, "unauthorized"),
            ("/api/chat", {"model": "x:cloud", "messages": [USER]}, 401, "unauthorized"),
            ("/api/embeddings", {"model": "simulated", "prompt": "a"}, 500, "embedding"),
            ("/api/chat", {"model": "simulated", "top_logprobs": 21}, 400, "between 0 and 20"),
            (
                "/api/generate",
                {"model": "simulated", "prompt": "a", "raw": True, "system": "b"},
                400,
                "raw mode",
            ),
            (
                "/api/generate",
                {"model": "simulated", "prompt": "a", "template": "{{ .Prompt"},
                500,
                "unclosed action",
            ),
            ("/api/chat", {"model": "simulated", "messages": [USER], "think": 5}, 400, "think"),
            ("/api/chat", {"model": "simulated", "messages": [USER], "format": 5}, 500, "format"),
            ("/api/create", {"model": "a", "from": "not a name"}, 400, "invalid model name"),
        ],
    )
    def test_what_is_refused(
        self, client: httpx.Client, path: str, body: dict[str, Any], status: int, said: str
    ) -> None:
        response = client.post(path, json={"stream": False, **body})
        assert (response.status_code, said in response.text) == (status, True), response.text

    def test_an_empty_prompt_has_no_vector(self, client: httpx.Client) -> None:
        asked = {"model": "simulated-embed", "prompt": ""}
        assert client.post("/api/embeddings", json=asked).json() == {"embedding": []}

    def test_a_long_prompt_is_told_back_in_part(self, client: httpx.Client) -> None:
        message = {"role": "user", "content": "word " * 2000}
        asked = {"model": "simulated", "messages": [message], "stream": False, "think": False}
        said = client.post("/api/chat", json=asked).json()["message"]["content"]
        assert "You said: word word" in said
        assert "word..." in said.replace(" ...", "...")
        assert len(said) < 5000

    def test_any_json(self, client: httpx.Client) -> None:
        asked = {"model": "simulated", "messages": [USER], "stream": False, "format": {}}
        assert client.post("/api/chat", json=asked).status_code == 200


class TestCloud:
    @pytest.fixture
    def cloud(self, start: Any) -> httpx.Client:
        """A server where somebody is signed in."""
        _, client = start(env={"OLLAMA_SIMULATOR_USER": "ada"})
        opened: httpx.Client = client
        return opened

    def test_a_stub_of_a_model_that_runs_elsewhere(self, cloud: httpx.Client) -> None:
        made = cloud.post("/api/create", json={"model": "big", "from": "gpt-oss:120b-cloud"})
        assert lines_of(made)[-1] == {"status": "success"}
        (stub,) = [m for m in cloud.get("/api/tags").json()["models"] if m["name"] == "big:latest"]
        assert stub["remote_host"].startswith("https://")
        asked = {"model": "big", "messages": [USER]}
        *parts, done = lines_of(cloud.post("/api/chat", json=asked))
        assert parts
        assert done["remote_host"] == stub["remote_host"]
        assert loaded(cloud) == []
        refused = cloud.post("/api/chat", json={**asked, "format": {"type": "strange"}})
        assert "JSON schema conversion failed" in refused.text
        assert cloud.post("/api/delete", json={"model": "big"}).status_code == 405
        assert cloud.request("DELETE", "/api/delete", json={"model": "big"}).status_code == 200

    def test_a_model_that_the_cloud_does_not_have(self, cloud: httpx.Client) -> None:
        for path in ("/api/show", "/api/chat"):
            asked = {"model": "no-such-model:cloud", "messages": [USER]}
            assert cloud.post(path, json=asked).status_code == 404


def test_a_server_that_was_not_started() -> None:
    server = SimulatedServer()
    assert not server.is_running
    server.stop()
    with pytest.raises(RuntimeError, match="not been started"):
        server.wait()
    with pytest.raises(RuntimeError, match="not been started"):
        _ = server.pid


def test_one_that_does_not_leave_is_killed(start: Any) -> None:
    server, client = start()
    client.get("/").raise_for_status()
    with pytest.raises(TimeoutError):
        server.wait(0)
    os.kill(server.pid, signal.SIGSTOP)
    server.stop(timeout=0.05)
    assert not server.is_running


def test_a_runner_that_died_is_replaced(start: Any) -> None:
    server, client = start()
    asked = {"model": "simulated-embed", "input": "a"}
    before = client.post("/api/embed", json=asked).json()["embeddings"]
    (runner,) = children(server.pid)
    os.kill(runner, signal.SIGKILL)
    eventually(lambda: children(server.pid) != [runner])
    assert client.post("/api/embed", json=asked).json()["embeddings"] == before
