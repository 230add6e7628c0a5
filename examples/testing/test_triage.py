"""Tests without a model: `pytest examples/testing` (needs axiom-ollama-manager and pytest)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import ollama
import pytest
from triage import MODEL, Triage, draft, triage, triage_all

from manager import AsyncOllamaManager, OllamaManager
from manager.testing import Busy, Crash, CutConnection, Latency

if TYPE_CHECKING:
    from collections.abc import Iterator

    from manager.testing import OllamaServer, RecordedRequest


@pytest.fixture
def m(ollama_server: OllamaServer) -> Iterator[OllamaManager]:
    """A manager that uses the simulated server and does not wait long before it tries again."""
    with OllamaManager(host=ollama_server.host, retry={"initial_delay": 0.01}) as manager:
        yield manager


def test_a_ticket_is_sorted(ollama_server: OllamaServer, m: OllamaManager) -> None:
    ollama_server.reply({"team": "billing", "urgency": 4}, matching="invoice")
    assert triage(m, "The invoice is wrong!") == Triage("billing", 4)

    (request,) = ollama_server.requests_to("/api/chat")
    assert request.model == MODEL
    assert request.prompt.endswith("The invoice is wrong!")
    assert request.body["format"]["properties"]["urgency"] == {"type": "integer"}


def test_without_a_script_the_answer_fits_the_schema(m: OllamaManager) -> None:
    assert triage(m, "Hello?").team in {"billing", "technical", "unsorted"}


def test_nonsense_is_for_people_to_look_at(ollama_server: OllamaServer, m: OllamaManager) -> None:
    ollama_server.reply("I would say billing.")
    assert triage(m, "The invoice is wrong!") == Triage("unsorted", 3)


def test_a_busy_server_is_asked_again(ollama_server: OllamaServer, m: OllamaManager) -> None:
    ollama_server.reply({"team": "technical", "urgency": 1})
    ollama_server.fail_next(Busy(times=2))
    assert triage(m, "It is slow.") == Triage("technical", 1)
    assert len(ollama_server.requests_to("/api/chat")) == 3


def test_a_draft_that_breaks_off_is_kept(ollama_server: OllamaServer, m: OllamaManager) -> None:
    ollama_server.reply("Dear customer, we are sorry.")
    ollama_server.fail_next(CutConnection(after=2))
    assert draft(m, "It is slow.").startswith("Dear customer [...]")


def test_many_tickets_at_once(ollama_server: OllamaServer) -> None:
    def judge(request: RecordedRequest) -> dict[str, object]:
        is_urgent = "down" in request.prompt
        return {"team": "technical", "urgency": 5 if is_urgent else 2}

    ollama_server.reply(judge)
    ollama_server.fail_next(Latency(0.1), matching="printer")

    async def sort() -> list[Triage]:
        async with AsyncOllamaManager(host=ollama_server.host) as m:
            return await triage_all(m, ["The printer is odd.", "The site is down!", "Hm."])

    assert [each.urgency for each in asyncio.run(sort())] == [2, 5, 2]


def test_a_server_that_dies_and_comes_back(ollama_server_process: OllamaServer) -> None:
    server = ollama_server_process
    server.reply({"team": "billing", "urgency": 4})
    server.fail_next(Crash())
    with OllamaManager(host=server.host, autostart=False, retry={"max_attempts": 1}) as m:
        assert triage(m, "The invoice is wrong!").team == "unsorted"
        server.start()
        assert triage(m, "The invoice is wrong!").team == "billing"


@pytest.mark.ollama_server(models=["qwen3:8b"])
def test_any_client_will_do(ollama_server: OllamaServer, ollama_host: str) -> None:
    ollama_server.reply("Hello!", model="qwen3:8b")
    # It reads OLLAMA_HOST, which the fixture ollama_host has set.
    with contextlib.closing(ollama.Client()) as client:
        assert client.generate("qwen3:8b", "Hi").response == "Hello!"
        with pytest.raises(ollama.ResponseError, match="not found"):
            client.generate("llama3.2", "Hi")
