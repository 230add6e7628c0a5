"""When a request is sent again, what it is told of, and what the last error says."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from manager import (
    APIError,
    BadRequestError,
    InvalidRequestError,
    ModelNotFoundError,
    OutputParseError,
    RequestTimeoutError,
    RetryConfig,
    ServerBusyError,
    ServerUnavailableError,
    StreamInterruptedError,
    Timeouts,
)

from .either import Heard, until
from .hostile_server import Hostile, chat_line, cut, fine, says, silent_after, streams
from .test_hostile import QUICK, using

if TYPE_CHECKING:
    from .either import Make
    from .hostile_server import Exchange

pytestmark = pytest.mark.usefixtures("each_transport")

LAYER = "sha256:" + "0" * 64
SUCCESS = b'{"status":"success"}\n'


@dataclass
class Person:
    name: str


def layer(completed: int) -> bytes:
    return (
        json.dumps(
            {"status": "pulling", "digest": LAYER, "total": 1000, "completed": completed}
        ).encode()
        + b"\n"
    )


def gone(exchange: Exchange) -> None:
    exchange.answer(b'{"error":"model \'m\' not found"}', 404)


def busy(exchange: Exchange) -> None:
    exchange.answer(b'{"error":"server busy, please try again."}', 503)


@pytest.mark.parametrize("method", ["pull_model", "push_model"])
async def test_a_transfer_that_breaks_off_is_asked_for_again(make: Make, method: str) -> None:
    with Hostile(streams(layer(10)), cut, streams(layer(10), layer(1000), SUCCESS)) as server:
        async with using(make, server) as m:
            heard = Heard(m)
            seen: list[Any] = []
            await getattr(m, method)("m", on_progress=seen.append)
            finished = await heard.until("request.finished")
        assert len(server.requests) == finished.attempts == 3
        assert heard.names.count("request.started") == 1, "one call, one id"
        assert heard.names.count("request.retried") == 2
        assert "request.failed" not in heard.names
        assert [line.completed for line in seen if line.completed] == [10, 10, 1000]


async def test_a_pull_that_gets_nowhere_ends(make: Make) -> None:
    with Hostile(streams(layer(10))) as server:
        async with using(make, server) as m:
            heard = Heard(m)
            with pytest.raises(StreamInterruptedError) as caught:
                await m.pull_model("m")
            failed = await heard.until("request.failed")
        # the first line was headway: the count begins there
        assert len(server.requests) == caught.value.attempts == 4
        assert len(caught.value.tried) == 4
        assert failed.error is caught.value
        assert isinstance(caught.value.__cause__, ServerUnavailableError)
        assert caught.value.request_id == failed.request_id
        assert sum("attempt" in note for note in caught.value.__notes__) == 4
        assert "goes on where it was" in str(caught.value.hint)


async def test_only_a_pull_is_said_to_go_on_where_it_was(make: Make) -> None:
    with Hostile(streams(layer(10))) as server:
        async with using(make, server) as m:
            for method, arguments in ((m.push_model, {}), (m.create_model, {"from_model": "base"})):
                with pytest.raises(StreamInterruptedError) as caught:
                    await method("m", retry=False, **arguments)
                assert "where it was" not in str(caught.value.hint)
                assert caught.value.reason == "connection_lost"


@pytest.mark.parametrize("method", ["pull_model", "push_model"])
@pytest.mark.parametrize(
    "reason",
    [
        'max retries exceeded: Get "https://registry/x": net/http: TLS handshake timeout',
        "dial tcp: lookup registry.ollama.ai: i/o timeout",
        "read tcp 10.0.0.2:1->10.0.0.3:443: read: connection reset by peer",
        "unexpected EOF",
    ],
)
async def test_a_transfer_whose_network_fails_is_asked_for_again(
    make: Make, method: str, reason: str
) -> None:
    line = json.dumps({"error": reason}).encode() + b"\n"
    steps = [streams(layer(done), line) for done in range(100, 700, 100)]
    with Hostile(*steps, streams(layer(1000), SUCCESS)) as server:
        async with using(make, server, retry={**QUICK, "max_attempts": 2}) as m:
            await getattr(m, method)("m")
        assert len(server.requests) == 7


async def test_a_transfer_whose_network_stays_away_ends_with_its_reason(make: Make) -> None:
    with Hostile(streams(layer(10), b'{"error":"dial tcp: i/o timeout"}\n')) as server:
        async with using(make, server) as m:
            heard = Heard(m)
            with pytest.raises(APIError, match="i/o timeout") as caught:
                await m.pull_model("m")
            failed = await heard.until("request.failed")
        assert failed.error is caught.value
        assert len(server.requests) == 4
        assert caught.value.retryable


@pytest.mark.parametrize(
    "reason",
    [
        "pull model manifest: file does not exist",
        "unauthorized",
        "max retries exceeded: write /x: no space left on device",
        "max retries exceeded: tls: failed to verify certificate: x509: unknown authority",
    ],
)
async def test_a_transfer_that_cannot_succeed_is_not_asked_for_again(
    make: Make, reason: str
) -> None:
    with Hostile(streams(layer(10), json.dumps({"error": reason}).encode() + b"\n")) as server:
        async with using(make, server) as m:
            with pytest.raises(APIError) as caught:
                await m.pull_model("m")
        assert len(server.requests) == 1
        assert not caught.value.retryable


async def test_a_pull_that_comes_further_each_time_is_not_given_up(make: Make) -> None:
    steps = [streams(layer(done)) for done in range(100, 1000, 100)]
    with Hostile(*steps, streams(layer(1000), SUCCESS)) as server:
        async with using(make, server, retry={**QUICK, "max_attempts": 2}) as m:
            await m.pull_model("m")
        assert len(server.requests) == 10


async def test_a_create_that_has_begun_is_not_sent_again(make: Make) -> None:
    with Hostile(streams(b'{"status":"reading model metadata"}\n')) as server:
        async with using(make, server) as m:
            heard = Heard(m)
            with pytest.raises(StreamInterruptedError):
                await m.create_model("m", from_model="base")
            failed = await heard.until("request.failed")
        assert len(server.requests) == 1
        assert isinstance(failed.error, StreamInterruptedError)


@pytest.mark.parametrize(
    "before", [cut, *(says(b"no answer", status) for status in (408, 502, 504))]
)
async def test_a_delete_whose_answer_was_lost_has_succeeded(make: Make, before: Any) -> None:
    with Hostile(before, gone) as server:
        async with using(make, server) as m:
            heard = Heard(m)
            await m.delete_model("m")
            await heard.until("request.finished")
        assert len(server.requests) == 2
        assert "request.failed" not in heard.names


@pytest.mark.parametrize("before", [[], [busy], [says(b'{"error":"slower"}', 429)]])
async def test_a_delete_of_what_was_never_there_has_not(make: Make, before: list[Any]) -> None:
    with Hostile(*before, gone) as server:
        async with using(make, server) as m:
            with pytest.raises(ModelNotFoundError):
                await m.delete_model("m")


async def test_the_error_says_what_each_attempt_met(make: Make) -> None:
    with Hostile(cut, busy, cut, busy) as server:
        async with using(make, server) as m:
            with pytest.raises(ServerBusyError) as caught:
                await m.chat("m", "hi")
        error = caught.value
        assert [tried["code"] for tried in error.tried] == [
            "connection_lost", "server_busy", "connection_lost", "server_busy",
        ]  # fmt: skip
        assert [tried["attempt"] for tried in error.tried] == [1, 2, 3, 4]
        assert error.to_dict()["tried"] == error.tried
        assert sum("attempt" in note for note in error.__notes__) == 4


@pytest.mark.parametrize(
    ("retry", "requests"),
    [(False, 1), ({"max_attempts": 2}, 2), (RetryConfig(max_attempts=3, initial_delay=0.01), 3)],
)
async def test_a_call_can_have_rules_of_its_own(make: Make, retry: Any, requests: int) -> None:
    with Hostile(cut) as server:
        async with using(make, server) as m:
            for call in (m.chat, m.generate, m.embed):
                server.requests.clear()
                with pytest.raises(ServerUnavailableError):
                    await call("m", "hi", retry=retry)
                assert len(server.requests) == requests
            server.requests.clear()
            with pytest.raises(ServerUnavailableError):
                await m.pull_model("m", retry=retry)
            assert len(server.requests) == requests


@pytest.mark.parametrize(
    ("retry", "says_so"),
    [
        ({"max_atempts": 2}, "max_attempts"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"max_attempts": "many"}, "max_attempts"),
        (3, "int"),
        (None, "NoneType"),
        (True, "bool"),
    ],
)
async def test_wrong_rules_are_refused(make: Make, retry: Any, says_so: str) -> None:
    with Hostile(fine) as server:
        async with using(make, server) as m:
            with pytest.raises(InvalidRequestError) as caught:
                await m.chat("m", "hi", retry=retry)
            assert says_so in str(caught.value)
            assert caught.value.argument == "retry"
        assert server.requests == []


def head_only(exchange: Exchange) -> None:
    exchange.start_chunked()


DIED = json.dumps({"error": "llama runner process has terminated: exit status 2"}).encode() + b"\n"


@pytest.mark.parametrize("first", [head_only, streams(b"\n", ends=False), streams(DIED)])
@pytest.mark.parametrize("method", ["chat", "generate"])
async def test_a_stream_that_is_lost_before_its_first_chunk_is_sent_again(
    make: Make, first: Any, method: str
) -> None:
    line = chat_line("fine", response="fine")
    last = chat_line(response="", done=True, done_reason="stop")
    with Hostile(first, cut, first, streams(line, last)) as server:
        async with using(make, server) as m:
            heard = Heard(m)
            stream = await getattr(m, method)("m", "hi", stream=True)
            assert [text async for text in stream.text] == ["fine"]
            finished = await heard.until("request.finished")
        assert len(server.requests) == finished.attempts == 4
        assert heard.names.count("request.started") == 1
        assert heard.names.count("request.retried") == 3
        assert "request.failed" not in heard.names


async def test_a_stream_that_never_gets_to_its_first_chunk_ends(make: Make) -> None:
    with Hostile(head_only) as server:
        async with using(make, server) as m:
            heard = Heard(m)
            stream = await m.chat("m", "hi", stream=True)
            with pytest.raises(StreamInterruptedError) as caught:
                await stream.final()
            failed = await heard.until("request.failed")
        error = caught.value
        assert failed.error is error
        assert len(server.requests) == error.attempts == len(error.tried) == 4
        assert (error.reason, error.partial) == ("connection_lost", None)
        assert error.request_id == failed.request_id


@pytest.mark.parametrize("retry", [False, {"max_attempts": 1}])
async def test_a_stream_is_sent_again_by_the_rules_of_its_call(make: Make, retry: Any) -> None:
    with Hostile(head_only) as server:
        async with using(make, server) as m:
            stream = await m.chat("m", "hi", stream=True, retry=retry)
            with pytest.raises(StreamInterruptedError) as caught:
                await stream.final()
        assert len(server.requests) == caught.value.attempts == 1


async def test_a_stream_that_is_refused_when_sent_again_says_so(make: Make) -> None:
    with Hostile(head_only, says(b'{"error":"no"}', 400)) as server:
        async with using(make, server) as m:
            stream = await m.chat("m", "hi", stream=True)
            with pytest.raises(BadRequestError, match="no") as caught:
                await stream.final()
        assert len(server.requests) == caught.value.attempts == 2


async def test_closing_a_stream_that_is_being_sent_again(make: Make) -> None:
    with Hostile(head_only, silent_after(), fine) as server:
        async with using(make, server) as m:
            heard = Heard(m)
            stream = await m.chat("m", "hi", stream=True)

            async def read() -> list[str]:
                return [text async for text in stream.text]

            reader = asyncio.ensure_future(read())
            await until(lambda: len(server.requests) == 2, "the second attempt")
            await stream.close()
            assert await asyncio.wait_for(reader, 20) == []
            await heard.until("request.finished")
        assert len(server.requests) == 2
        assert "request.failed" not in heard.names


async def test_a_create_that_is_lost_before_its_first_line_is_not_sent_again(make: Make) -> None:
    with Hostile(head_only) as server:
        async with using(make, server) as m:
            with pytest.raises(StreamInterruptedError):
                await m.create_model("m", from_model="base")
        assert len(server.requests) == 1


async def test_the_event_holds_the_error_that_is_raised(make: Make) -> None:
    with Hostile(streams(chat_line("a"))) as server:
        async with using(make, server) as m:
            heard = Heard(m)
            stream = await m.chat("m", "hi", stream=True)
            with pytest.raises(StreamInterruptedError) as caught:
                await stream.final()
            failed = await heard.until("request.failed")
            assert failed.error is caught.value
        assert heard.names.count("request.failed") == 1
        assert "request.finished" not in heard.names


async def test_an_error_line_is_the_error_of_the_event_too(make: Make) -> None:
    with Hostile(streams(chat_line("a"), b'{"error":"it hurts"}\n')) as server:
        async with using(make, server) as m:
            heard = Heard(m)
            stream = await m.chat("m", "hi", stream=True)
            with pytest.raises(StreamInterruptedError, match="it hurts") as caught:
                await stream.final()
            failed = await heard.until("request.failed")
            assert failed.error is caught.value
            assert failed.error.partial.message.content == "a"
            assert isinstance(caught.value.__cause__, APIError)


@pytest.mark.parametrize(
    ("reason", "again"), [("it hurts", False), ("model runner has unexpectedly stopped", True)]
)
async def test_a_stream_is_to_be_sent_again_only_if_that_may_help(
    make: Make, reason: str, again: bool
) -> None:
    line = json.dumps({"error": {"message": reason, "code": 500}}).encode() + b"\n"
    with Hostile(streams(chat_line("a"), line)) as server:
        async with using(make, server) as m:
            stream = await m.chat("m", "hi", stream=True)
            with pytest.raises(StreamInterruptedError) as caught:
                await stream.final()
    error = caught.value
    assert error.retryable is again
    assert ("send the request again" in str(error.hint)) is again
    assert error.reason == "api_error"


async def test_a_broken_stream_says_all_that_its_cause_did(make: Make) -> None:
    inner = json.dumps({"error": {"message": "exceeds the context size", "n_ctx": 64}})
    line = json.dumps({"error": inner}).encode() + b"\n"
    with Hostile(streams(chat_line("a"), line)) as server:
        async with using(make, server) as m:
            stream = await m.chat("m", "hi", stream=True)
            with pytest.raises(StreamInterruptedError) as caught:
                await stream.final()
    error = caught.value
    assert error.code == error.reason == "context_size_exceeded"
    assert error.raw == inner
    assert "num_ctx" in str(error.hint)
    assert not error.retryable


@pytest.mark.parametrize(
    "answer",
    [
        says(b"404 page not found", 404, kind="text/plain"),
        says(b"<html><title>Not here</title></html>", 404, kind="text/html"),
    ],
)
async def test_a_404_that_is_not_of_ollama_is_no_answer(make: Make, answer: Any) -> None:
    with Hostile(answer) as server:
        async with using(make, server) as m:
            heard = Heard(m)
            with pytest.raises(APIError) as caught:
                await m.has_model("m")
            failed = await heard.until("request.failed")
        assert caught.value.code == "endpoint_not_found"
        assert failed.error is caught.value


async def test_a_model_that_is_not_there_is_an_answer(make: Make) -> None:
    with Hostile(gone) as server:
        async with using(make, server) as m:
            heard = Heard(m)
            assert await m.has_model("m") is False
            await heard.until("request.finished")


async def test_connections_that_are_all_in_use_are_told(make: Make) -> None:
    with Hostile(streams(chat_line("a"), ends=False)) as server:
        async with using(make, server, max_connections=1) as m:
            stream = await m.chat("m", "hi", stream=True)
            for timeout in (0.2, Timeouts(first_token=0.2)):
                with pytest.raises(RequestTimeoutError) as caught:
                    await m.chat("m", "hi", timeout=timeout)
                error = caught.value
                assert (error.code, error.retryable) == ("connections_in_use", True)
                assert "all 1 connections are in use" in error.message
                assert "max_connections" in str(error.hint)
            await stream.close()


async def test_a_refused_stream_is_an_error_with_a_hint(make: Make) -> None:
    with Hostile(busy) as server:
        async with using(make, server, retry={**QUICK, "max_attempts": 1}) as m:
            with pytest.raises(ServerBusyError) as caught:
                await m.chat("m", "hi", stream=True)
            assert caught.value.hint


async def test_a_forgotten_stream_gives_its_connection_back(make: Make) -> None:
    ended = threading.Event()

    def endless(exchange: Exchange) -> None:
        exchange.start_chunked()
        try:
            while True:
                exchange.chunk(chat_line("more"))
        except OSError:
            ended.set()

    with Hostile(endless, fine) as server:
        async with using(make, server, max_connections=1) as m:
            stream = await m.chat("m", "hi", stream=True)
            del stream
            # a thread that has handed it over may hold it for a moment longer
            await until(lambda: gc.collect() >= 0 and ended.is_set(), "the server to be told")
            answer = await m.chat("m", "hi", timeout=20)
            assert answer.message.content == "fine", "the only connection is free again"


async def test_a_server_that_waits_to_send_hears_that_its_stream_was_forgotten(make: Make) -> None:
    blocked, ended = threading.Event(), threading.Event()

    def endless(exchange: Exchange) -> None:
        exchange.start_chunked()
        exchange.fill()
        blocked.set()
        with contextlib.suppress(OSError):
            while True:
                exchange.chunk(chat_line("more"))
        ended.set()

    with Hostile(endless) as server:
        async with using(make, server) as m:
            stream = await m.chat("m", "hi", stream=True)
            await until(blocked.is_set, "the buffers to be full")
            del stream
            await until(lambda: gc.collect() >= 0 and ended.is_set(), "the server to be told")


async def test_a_closed_manager_says_so(make: Make) -> None:
    m = make(host="http://127.0.0.1:9/x")
    await m.aclose()
    with pytest.raises(ServerUnavailableError) as caught:
        await m.reload_config()
    assert caught.value.code == "manager_closed"
    with pytest.raises(ServerUnavailableError):
        async with m:
            pass


def written(text: str, **fields: Any) -> bytes:
    return chat_line(text, done=True, done_reason="stop", **fields)


async def test_an_answer_that_does_not_fit_can_be_repaired(make: Make) -> None:
    actions = [says(written('{"name": 5}')), says(written('{"name": "Ada"}'))]
    with Hostile(*actions) as server:
        async with using(make, server) as m:
            person = await m.chat_parsed("m", "Who?", Person, repair=True, temperature=0)
        assert person == Person("Ada")
        first, second = (json.loads(body) for body in server.bodies)
        assert second["messages"][:-2] == first["messages"]
        assert second["messages"][-2] == {"role": "assistant", "content": '{"name": 5}'}
        assert "name" in second["messages"][-1]["content"]
        assert second["format"] == first["format"]
        assert second["options"] == {"temperature": 0}


@pytest.mark.parametrize(("repair", "requests"), [(False, 1), (True, 2)])
async def test_repair_is_tried_once_and_only_on_request(
    make: Make, repair: bool, requests: int
) -> None:
    with Hostile(says(written('{"name": 5}'))) as server:
        async with using(make, server) as m:
            heard = Heard(m)
            with pytest.raises(OutputParseError) as caught:
                await m.chat_parsed("m", "Who?", Person, repair=repair)
            await heard.until("request.finished", requests)
        assert len(server.requests) == requests
        error = caught.value
        assert (error.model, error.endpoint, error.text) == ("m", "POST /api/chat", '{"name": 5}')
        finished = await heard.until("request.finished", requests)
        assert (error.request_id, error.attempts) == (finished.request_id, 1)
        assert error.partial.message.content == error.text


@pytest.mark.parametrize("stream", [False, True])
async def test_a_prompt_that_fills_its_context_is_told(
    make: Make, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    full = written("x", prompt_eval_count=2040)
    with Hostile(streams(full) if stream else says(full)) as server:
        async with using(make, server) as m:
            for options in ({"num_ctx": 2048}, {"num_ctx": 4096}, {}):
                answer = await m.chat("m", "hi", stream=stream, **options)
                if stream:
                    await answer.final()
    told = [record.getMessage() for record in caplog.records if "num_ctx" in record.getMessage()]
    assert len(told) == 1
    assert "2040" in told[0]
    assert "2048" in told[0]


@pytest.mark.parametrize("level", ["errors", "calls", "headers", "bodies"])
async def test_answers_that_are_errors_are_logged_like_others(
    make: Make, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    answers = [
        says(b'{"error":"busy for now"}', 503, "X-Trace: t-1", "Set-Cookie: s3cret"),
        says(b"no such place", 404, "X-Trace: t-2", kind="text/plain"),
    ]
    with Hostile(*answers) as server:
        async with using(make, server, logging={"level": level}) as m:
            with pytest.raises(APIError):
                await m.chat("m", "hi")
    calls = [record.__dict__["ollama_call"] for record in caplog.records]
    logged = [call for call in calls if call["event"] == "response"]
    assert [call["status"] for call in logged] == ([] if level == "errors" else [503, 404])
    for call, trace in zip(logged, ("t-1", "t-2"), strict=False):
        headers = {name.lower(): text for name, text in call.get("headers", {}).items()}
        assert headers.get("x-trace") == (None if level == "calls" else trace)
    bodies = [call["body"] for call in logged if "body" in call]
    assert bodies == ([{"error": "busy for now"}, "no such place"] if level == "bodies" else [])
    assert "s3cret" not in str(calls)


async def test_an_absence_is_logged_once(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    with Hostile(gone) as server:
        async with using(make, server, logging={"level": "calls"}) as m:
            assert await m.has_model("m") is False
    calls = [record.__dict__["ollama_call"] for record in caplog.records]
    assert [call["status"] for call in calls if call["event"] == "response"] == [404]
