"""The server, a runner's loop and the answers, in the process of the tests."""

from __future__ import annotations

import json
import os
import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from manager.simulator import generation
from manager.simulator.environment import Settings
from manager.simulator.runner import Runner
from manager.simulator.server import ListenError, Server, listen
from manager.simulator.text import MARK, Question, answer

from .simulator_testing import USER, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def job(number: int, content: str, **fields: Any) -> dict[str, Any]:
    message = {"role": "user", "content": content, "images": 0}
    job_ = {"id": number, "op": "complete", "model": "m", "messages": [message], "options": {}}
    return {**job_, "prompt_tokens": 3, **fields}


class TestServer:
    @pytest.fixture
    def server(self) -> Iterator[Server]:
        running = Server(listen("127.0.0.1", 0), Settings(token_seconds=0), log_requests=False)
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.close()
        thread.join(20)
        assert not thread.is_alive()

    def test_it_serves_until_it_is_closed(self, server: Server) -> None:
        base = f"http://{server.address}"
        assert httpx.get(base).text == "Ollama is running"
        body = {"model": "simulated", "messages": [USER], "stream": False}
        assert httpx.post(f"{base}/api/chat", json=body, timeout=30).status_code == 200

    def test_closing_ends_streams_and_runners(self, server: Server) -> None:
        body = {"model": "simulated", "prompt": "write 90000 words"}
        url = f"http://{server.address}/api/generate"
        with httpx.stream("POST", url, json=body, timeout=30) as response:
            pieces = response.iter_raw()
            next(pieces)
            server.close()
            with pytest.raises(httpx.TransportError):
                for _ in pieces:
                    pass
        eventually(lambda: server.app.scheduler.status() == [])

    def test_a_fault_in_a_handler_is_a_500(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(server.app, "store", None)
        response = httpx.get(f"http://{server.address}/api/tags")
        assert (response.status_code, response.content) == (500, b"")
        assert httpx.get(f"http://{server.address}/api/version").status_code == 200

    def test_an_address_that_cannot_be_listened_at(self) -> None:
        with pytest.raises(ListenError, match=r"^listen tcp: lookup nowhere\.invalid: "):
            listen("nowhere.invalid", 1)
        with pytest.raises(ListenError, match="bind: cannot assign requested address"):
            listen("192.0.2.1", 0)


class TestRunner:
    @pytest.fixture
    def run(self) -> Iterator[Callable[..., list[tuple[int, dict[str, Any]]]]]:
        """Give a runner commands one after the other; all that it wrote."""
        ends: list[int] = []

        def run_all(
            *commands: dict[str, Any], num_parallel: int = 0, token_seconds: float = 0.0
        ) -> list[tuple[int, dict[str, Any]]]:
            reading, writing = os.pipe()
            ends.append(reading)
            queue: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
            for command in commands:
                queue.put(command)
            runner = Runner(token_seconds, num_parallel, writing)
            thread = threading.Thread(target=runner.run, args=(queue,))
            thread.start()
            lines: list[tuple[int, dict[str, Any]]] = []
            expected = sum("cancel" not in command for command in commands)
            expected -= sum("cancel" in command for command in commands)
            with os.fdopen(os.dup(reading), "rb") as output:
                ended = 0
                while ended < expected:
                    number, _, text = output.readline().partition(b" ")
                    frame = json.loads(text)
                    lines.append((int(number), frame))
                    ended += not frame.keys().isdisjoint(("done", "embeddings", "error"))
            queue.put(None)
            thread.join(20)
            os.close(writing)
            return lines

        yield run_all
        for end in ends:
            os.close(end)

    def test_jobs_take_turns(self, run: Any) -> None:
        lines = run(job(1, "write 100 words"), job(2, "write 100 words"))
        numbers = [number for number, _ in lines]
        assert 2 in numbers[: numbers.index(1) + 40]
        assert {number for number, frame in lines if "done" in frame} == {1, 2}

    def test_one_at_a_time_they_queue(self, run: Any) -> None:
        lines = run(*(job(number, "write 50 words") for number in (1, 2, 3)), num_parallel=1)
        numbers = [number for number, _ in lines]
        assert numbers == sorted(numbers)

    def test_a_cancelled_job_is_dropped_whether_it_runs_or_waits(self, run: Any) -> None:
        lines = run(
            job(1, "hi"), job(2, "write 100 words"), {"cancel": 2}, job(3, "hi"), {"cancel": 3},
            job(4, "hi"), num_parallel=1,
        )  # fmt: skip
        assert {number for number, _ in lines} == {1, 4}

    def test_the_pace_is_kept(self, run: Any) -> None:
        started = time.monotonic()
        run(job(1, "hi", options={"num_predict": 5}), token_seconds=0.02)
        assert time.monotonic() - started >= 0.1

    def test_embeddings_come_in_one_frame(self, run: Any) -> None:
        ((number, frame),) = run({"id": 7, "op": "embed", "input": ["a"], "dimensions": 4})
        assert number == 7
        assert len(frame["embeddings"][0]) == 4


class TestAnswers:
    def ask(self, content: str, **fields: Any) -> Any:
        return answer(Question("m", [{"role": "user", "content": content}], **fields))

    def test_long_prompts_are_echoed_in_part(self) -> None:
        text = self.ask("x" * 5000).content
        assert text.startswith(MARK)
        assert len(text) < 600

    def test_a_chat_without_a_user_is_answered(self) -> None:
        assert answer(Question("m", [{"role": "system", "content": "s"}])).content
        assert answer(Question("m", [])).content

    def test_a_schema_without_a_type_is_an_object(self) -> None:
        assert json.loads(self.ask("x", format={"title": "T"}).content) == {"simulated": True}

    @pytest.mark.parametrize("name", ["openDoor", "open_door", "door"])
    def test_tools_are_recognised_by_their_words(self, name: str) -> None:
        tool = {"function": {"name": name, "parameters": {}}}
        (call,) = self.ask("the door please", tools=[tool]).tool_calls
        assert call["function"] == {"index": 0, "name": name, "arguments": {}}

    def test_quoted_words_become_arguments(self) -> None:
        parameters = {"properties": {"city": {"type": "string"}, "to": {"type": "string"}}}
        tool = {"function": {"name": "weather", "parameters": parameters}}
        (call,) = self.ask('weather "Rome" for Ada', tools=[tool]).tool_calls
        assert call["function"]["arguments"] == {"city": "Rome", "to": "Ada"}

    def test_a_tool_whose_parameters_nothing_satisfies_is_not_called(self) -> None:
        parameters = {"properties": {"a": False}, "required": ["a"]}
        tool = {"function": {"name": "weather", "parameters": parameters}}
        spoken = self.ask("weather", tools=[tool])
        assert (spoken.tool_calls, spoken.content[:11]) == ([], "(simulated ")

    def test_a_call_that_does_not_fit_is_cut(self) -> None:
        tool = {"function": {"name": "weather", "parameters": {}}}
        fields = {"tools": [tool], "options": {"num_predict": 1}}
        (frame,) = generation.frames(job(1, "weather", **fields))
        assert frame["done"] == "length"
