"""Faults: what a client sees of each, whom they befall, and what comes after them."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from manager.testing import (
    Busy,
    Combined,
    Crash,
    CutConnection,
    ErrorResponse,
    Fault,
    Hang,
    Latency,
    OllamaServer,
    StreamError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Asker

BUSY = "server busy, please try again.  maximum pending requests exceeded"
DIED = "an error was encountered while running the model: unexpected EOF"


def until_error(lines: Iterator[dict[str, Any]]) -> tuple[list[dict[str, Any]], Exception | None]:
    """The lines of a stream, and what it ended with."""
    found: list[dict[str, Any]] = []
    try:
        found.extend(lines)
    except httpx.HTTPError as error:
        return found, error
    return found, None


def test_busy_has_ollamas_status_and_words(server: OllamaServer, ask: Asker) -> None:
    server.fail_next(Busy(times=2))
    for _ in range(2):
        answer = ask.chat("?")
        assert (answer.status_code, answer.json()) == (503, {"error": BUSY})
    assert ask.chat("?").status_code == 200


def test_any_error_status_may_come_in_place_of_an_answer(server: OllamaServer, ask: Asker) -> None:
    server.fail_next(ErrorResponse(status=502, message="bad gateway"))
    answer = ask.chat("?")
    assert (answer.status_code, answer.json()) == (502, {"error": "bad gateway"})


def test_an_error_in_the_middle_of_a_stream(server: OllamaServer, ask: Asker) -> None:
    server.reply("one two three")
    server.fail_next(StreamError(after=2))
    *chunks, last = ask.lines("?")
    assert [chunk["message"]["content"] for chunk in chunks] == ["one", " two"]
    assert last == {"error": DIED}
    server.fail_next(StreamError(message="out of memory"))
    whole = ask.chat("?")
    assert (whole.status_code, whole.json()) == (500, {"error": "out of memory"})
    server.fail_next(StreamError(after=0))
    assert ask.chat("?", stream=True).status_code == 500


def test_an_ending_comes_before_the_last_line_however_short_the_answer(
    server: OllamaServer, ask: Asker
) -> None:
    server.reply("one two")
    server.fail_next(StreamError(after=99))
    *chunks, last = ask.lines("?")
    assert [chunk["message"]["content"] for chunk in chunks] == ["one", " two"]
    assert "error" in last


@pytest.mark.parametrize("after", [0, 2])
def test_a_connection_that_is_cut(server: OllamaServer, ask: Asker, after: int) -> None:
    server.reply("one two three")
    server.fail_next(CutConnection(after=after, times=2))
    lines, error = until_error(ask.lines("?"))
    assert len(lines) == after
    assert isinstance(error, httpx.RemoteProtocolError)
    with pytest.raises(httpx.RemoteProtocolError):
        ask.chat("?")
    assert ask.text("?") == "one two three"


@pytest.mark.parametrize("after", [0, 2])
def test_a_server_that_hangs_says_nothing_more(
    server: OllamaServer, ask: Asker, after: int
) -> None:
    server.reply("one two three")
    server.fail_next(Hang(after=after))
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    with contextlib.ExitStack() as stack:
        stack.callback(connection.close)
        body = {"model": "llama3.2", "messages": [{"role": "user", "content": "?"}]}
        connection.request("POST", "/api/chat", json.dumps(body))
        if after:
            answer = stack.enter_context(connection.getresponse())
            assert [json.loads(answer.readline())["done"] for _ in range(after)] == [False, False]
        connection.sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            (answer.readline if after else connection.getresponse)()
    assert ask.text("?") == "one two three"


def test_stopping_ends_what_hangs(server: OllamaServer, ask: Asker) -> None:
    server.fail_next(Hang())
    ended: list[Exception | None] = []

    def hang() -> None:
        ended.append(until_error(ask.lines("?"))[1])

    thread = threading.Thread(target=hang)
    thread.start()
    server.wait_for_requests(1)
    server.stop()
    thread.join(20)
    assert isinstance(ended[0], httpx.HTTPError)


@pytest.mark.parametrize("after", [0, 1])
def test_a_crash_leaves_nobody_until_the_start(
    server: OllamaServer, ask: Asker, after: int
) -> None:
    server.reply("one two three")
    server.fail_next(Crash(after=after))
    lines, error = until_error(ask.lines("?"))
    assert len(lines) == after
    assert isinstance(error, httpx.HTTPError)
    deadline = time.monotonic() + 20
    while server.is_running:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with pytest.raises(httpx.ConnectError):
        ask.chat("?")
    base = server.base_url
    server.start()
    assert server.base_url == base
    assert ask.text("?") == "one two three"


def test_latency_delays_and_then_answers(server: OllamaServer, ask: Asker) -> None:
    server.reply("one two three")
    server.fail_next(Latency(0.3, per_token=0.1))
    started = time.monotonic()
    assert len(list(ask.lines("?"))) == 4
    assert time.monotonic() - started >= 0.7


def test_faults_that_are_joined_befall_the_same_request(server: OllamaServer, ask: Asker) -> None:
    server.fail_next(Latency(0.2) & Latency(0.1) & Busy(times=2))
    for _ in range(2):
        started = time.monotonic()
        assert ask.chat("?").status_code == 503
        assert time.monotonic() - started >= 0.3
    assert ask.chat("?").status_code == 200


def test_faults_come_in_their_order(server: OllamaServer, ask: Asker) -> None:
    server.fail_next(Busy(), ErrorResponse(status=500))
    server.fail_next(ErrorResponse(status=429))
    assert [ask.chat("?").status_code for _ in range(4)] == [503, 500, 429, 200]


def test_a_fault_without_end_lasts_until_the_reset(server: OllamaServer, ask: Asker) -> None:
    server.fail_next(Busy(times=None))
    assert {ask.chat("?").status_code for _ in range(5)} == {503}
    server.reset()
    assert ask.chat("?").status_code == 200


def test_only_what_a_model_answers_fails_unless_another_path_is_named(
    server: OllamaServer, ask: Asker
) -> None:
    server.fail_next(Busy())
    assert ask.http.get("/api/tags").status_code == 200
    embed = {"model": "all-minilm", "input": "x"}
    assert ask.http.post("/api/embed", json=embed).status_code == 503
    server.fail_next(ErrorResponse(status=500), endpoint="/api/tags")
    assert ask.chat("?").status_code == 200
    assert ask.http.get("/api/tags").status_code == 500


def test_a_pull_that_breaks_off_goes_on_where_it_was(server: OllamaServer, ask: Asker) -> None:
    server.fail_next(CutConnection(after=5), endpoint="/api/pull")
    with pytest.raises(httpx.RemoteProtocolError):
        ask.http.post("/api/pull", json={"model": "mistral"})
    assert b'"success"' in ask.http.post("/api/pull", json={"model": "mistral"}).content


def test_model_and_prompt_say_which_request_fails(server: OllamaServer, ask: Asker) -> None:
    server.fail_next(Busy(), model="qwen3")
    server.fail_next(ErrorResponse(status=500), matching="weather")
    assert ask.chat("Hello").status_code == 200
    assert ask.chat("Hello", "qwen3").status_code == 503
    assert ask.chat("How is the weather?").status_code == 500


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: Busy(times=0), ValueError, "times must be 1 or more, or None for ever"),
        (lambda: Hang(after=-1), ValueError, "after must not be negative"),
        (lambda: Latency(float("nan")), ValueError, "seconds must not be negative or infinite"),
        (lambda: Latency(per_token=float("inf")), ValueError, "per_token must not be"),
        (lambda: ErrorResponse(status=200), ValueError, "status must be from 400 to 599"),
        (lambda: Busy() & Crash(), ValueError, "Busy and Crash cannot befall the same request"),
        (lambda: OllamaServer().fail_next(), ValueError, "at least one fault"),
        (lambda: OllamaServer().fail_next(Busy), TypeError, "is no fault"),
        (lambda: OllamaServer().fail_next(Fault()), TypeError, "is no fault"),
        (lambda: OllamaServer().fail_next(Busy(), endpoint="chat"), ValueError, "not 'chat'"),
    ],
)
def test_what_is_no_fault_is_refused_at_once(make: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        make()


def test_joined_faults_are_a_record_too() -> None:
    joined = Latency(1) & Busy(times=2) & Latency(2)
    assert joined == Combined((Latency(1), Busy(times=2), Latency(2)), times=2)
    assert (Latency(1) & Busy(times=None)).times is None
