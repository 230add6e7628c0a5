"""Servers that misbehave: every call ends in time, with a result or an error of ours."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import threading
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from manager import (
    APIError,
    AuthenticationError,
    CapabilityError,
    InternalServerError,
    ModelNotFoundError,
    OllamaManagerError,
    RequestTimeoutError,
    ResponseDecodeError,
    ServerBusyError,
    ServerUnavailableError,
    StreamInterruptedError,
    Timeouts,
)
from manager.ndjson import LineSplitter

from ..ports import free_port
from .either import Heard, pool_of, slots_of, until
from .hostile_server import (
    ANSWER,
    LAST,
    Hostile,
    chat_line,
    cut,
    fine,
    says,
    silent_after,
    streams,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .either import Make
    from .hostile_server import (
        Exchange,
    )

pytestmark = pytest.mark.usefixtures("each_transport")

QUICK = {"initial_delay": 0.01, "max_delay": 0.02}
PATIENT = 10.0


@asynccontextmanager
async def using(make: Make, server: Hostile, **settings: Any) -> AsyncIterator[Any]:
    """A manager; what a case leaves open when it ends well is a failure of its own."""
    async with make(**{"host": server.host, "retry": QUICK, **settings}) as m:
        yield m
        pool = pool_of(m)
        await until(lambda: not in_use(m), "what was in use to be given back")
    assert pool is None or not pool.idle_count
    await until(server.is_left, "the server to see each connection end")


def in_use(m: Any) -> int:
    """How many requests are under way, or hold connections, but for streams that are still open."""
    in_flight = getattr(m, "target", m)._session.transport._in_flight
    slots, streams = slots_of(m), len(in_flight.streams())
    held = len(slots._granted) if slots is not None else 0
    return abs(held - streams) + abs(in_flight.count() - streams)


async def texts(stream: Any) -> list[str]:
    return [piece async for piece in stream.text]


@pytest.fixture(autouse=True)
async def in_time() -> AsyncIterator[None]:
    before = time.monotonic()
    yield
    assert time.monotonic() - before < PATIENT


# Requests


async def test_every_request_says_the_same_of_itself(make: Make) -> None:
    headers = {"X-Team": "blue", "Cookie": "own=1"}
    with Hostile(fine) as server:
        async with using(make, server, headers=headers) as m:
            for prompt in ("short", "a longer one", "short"):
                await m.chat("m", prompt)
    for head, body in zip(server.heads, server.bodies, strict=True):
        fields = [line.lower() for line in head.split("\r\n")[1:]]
        assert len(fields) == len({field.partition(":")[0] for field in fields})
        assert {
            f"host: {server.host.split('/')[2]}",
            "content-type: application/json",
            f"content-length: {len(body)}",
            "accept: application/json",
            "x-team: blue",
            "cookie: own=1",
        } <= set(fields)


async def test_a_cookie_is_given_back(make: Make) -> None:
    # a load balancer may tell by it which server has the model loaded
    set_cookie = says(ANSWER, 200, "Set-Cookie: route=a; Path=/")
    with Hostile(set_cookie) as server:
        async with using(make, server) as m:
            for _ in range(2):
                await m.chat("m", "hi")
    assert ["cookie: route=a" in head.lower() for head in server.heads] == [False, True]


@pytest.mark.engine
async def test_a_small_request_is_sent_in_one_piece(make: Make) -> None:
    with Hostile(fine) as server:
        async with using(make, server) as m:
            await m.chat("m", "hi")
            await m.chat("m", "b" * 100_000)
            await m.delete_model("m")
    small, large, deleted = zip(server.first_pieces, server.bodies, strict=True)
    for piece, body in (small, deleted):
        assert piece.endswith(b"\r\n\r\n" + body)
    assert large[1].count(b"b") == 100_000


async def test_a_proxy_is_asked_at_once(make: Make) -> None:
    refuses = says(b"", 403)
    with Hostile(refuses) as proxy:
        settings = {"proxy": proxy.host.removesuffix("/x"), "retry": {"max_attempts": 1}}
        async with make(host="https://ollama.example", **settings) as m:
            with pytest.raises(OllamaManagerError) as caught:
                await m.chat("m", "hi", timeout=5)
    assert proxy.requests == ["CONNECT ollama.example:443 HTTP/1.1"]
    assert not isinstance(caught.value, RequestTimeoutError)


# Retries


@pytest.mark.parametrize("stream", [False, True])
async def test_cut_before_an_answer_is_sent_again(make: Make, stream: bool) -> None:
    good = streams(chat_line("fine"), LAST) if stream else fine
    with Hostile(cut, cut, good) as server:
        async with using(make, server) as m:
            heard = Heard(m)
            answer = await m.chat("m", "hi", stream=stream)
            if stream:
                answer = await answer.final()
            assert answer.message.content == "fine"
            await heard.until("request.finished")
        assert len(server.requests) == 3
        assert heard.names == [
            "request.started",
            "request.retried",
            "request.retried",
            "request.finished",
        ]
        assert [e.attempt for e in heard.events if e.name == "request.retried"] == [1, 2]
        assert heard.events[-1].attempts == 3
        assert server.requests[0] == "POST /x/api/chat HTTP/1.1"


async def test_attempts_are_limited(make: Make) -> None:
    with Hostile(cut) as server:
        async with using(make, server, retry={**QUICK, "max_attempts": 3}) as m:
            heard = Heard(m)
            with pytest.raises(ServerUnavailableError) as caught:
                await m.chat("m", "hi")
            await heard.until("request.failed")
        assert len(server.requests) == caught.value.attempts == 3
        assert heard.names.count("request.retried") == 2


async def test_cut_in_the_middle_of_a_plain_answer(make: Make) -> None:
    def half(exchange: Exchange) -> None:
        exchange.start(200, "Content-Length: 1000", kind="application/json")
        exchange.write(ANSWER[:20])

    with Hostile(half, fine) as server:
        async with using(make, server) as m:
            assert (await m.chat("m", "hi")).message.content == "fine"
        assert len(server.requests) == 2


@pytest.mark.parametrize("status", [502, 503, 504, 429, 408])
async def test_busy_servers_are_asked_again(make: Make, status: int) -> None:
    with Hostile(says(b'{"error":"busy"}', status), fine) as server:
        async with using(make, server) as m:
            assert (await m.chat("m", "hi")).message.content == "fine"
        assert len(server.requests) == 2


async def test_busy_for_ever(make: Make) -> None:
    with Hostile(says(b'{"error":"server busy, please try again"}', 503)) as server:
        async with using(make, server) as m:
            with pytest.raises(ServerBusyError) as caught:
                await m.chat("m", "hi")
        assert caught.value.attempts == len(server.requests) == 4
        assert caught.value.retryable


async def test_retry_after_is_obeyed(make: Make) -> None:
    with Hostile(says(b'{"error":"busy"}', 503, "Retry-After: 0.3"), fine) as server:
        async with using(make, server) as m:
            before = time.monotonic()
            await m.chat("m", "hi")
            assert time.monotonic() - before >= 0.3


async def test_no_retry_that_would_come_too_late(make: Make) -> None:
    with Hostile(says(b'{"error":"busy"}', 503, "Retry-After: 50")) as server:
        async with using(make, server) as m:
            heard = Heard(m)
            with pytest.raises(ServerBusyError):
                await m.chat("m", "hi", timeout=Timeouts(total=5))
            await heard.until("request.failed")
        assert len(server.requests) == 1
        assert "request.retried" not in heard.names


@pytest.mark.parametrize(
    ("status", "body", "cls"),
    [
        (500, b'{"error":"option \\"temperature\\" must be of type float32"}', InternalServerError),
        (400, b'{"error":"\\"m\\" does not support tools"}', CapabilityError),
        (401, b'{"error":"unauthorized"}', AuthenticationError),
        (404, b"404 page not found", APIError),
        (499, b"", APIError),
        (501, b'{"error":"this model does not support embeddings"}', CapabilityError),
        (600, b"?", OllamaManagerError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_not_sent_again(
    make: Make, status: int, body: bytes, cls: type[Exception], stream: bool
) -> None:
    with Hostile(says(body, status)) as server:
        async with using(make, server) as m:
            with pytest.raises(cls) as caught:
                await m.chat("m", "hi", stream=stream)
        assert len(server.requests) == 1
        assert caught.value.attempts == 1  # type: ignore[attr-defined]
        assert caught.value.endpoint == "POST /api/chat"  # type: ignore[attr-defined]


async def test_nobody_there(make: Make) -> None:
    async with make(host=f"http://127.0.0.1:{free_port()}/x", retry=QUICK) as m:
        with pytest.raises(ServerUnavailableError) as caught:
            await m.list_models()
        assert caught.value.code == "connection_refused"
        assert caught.value.attempts == 4
        assert isinstance(caught.value, ConnectionError)


async def test_a_missing_model_whose_list_is_broken_too(make: Make) -> None:
    with Hostile(says(b'{"error":"model \'m\' not found"}', 404), says(b"oops")) as server:
        async with using(make, server) as m:
            with pytest.raises(ModelNotFoundError) as caught:
                await m.chat("m", "hi")
        assert caught.value.message == "model 'm' not found"


# Answers that make no sense


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"OK",
        b"<html><body>Welcome to nginx</body></html>",
        b"{",
        b"[]",
        b"null",
        b'"chat"',
        b"{}",
        b'{"model":"m"}',
        b"\xff\xfe",
        b"[" * 100_000,
        ANSWER.replace(b"2026-01-01T00:00:00.123456789Z", b"soon"),
        ANSWER.replace(b'"2026-01-01T00:00:00.123456789Z"', b"[1]"),
        json.dumps({**json.loads(ANSWER), "message": "text"}).encode(),
        json.dumps({**json.loads(ANSWER), "message": None}).encode(),
        json.dumps({**json.loads(ANSWER), "message": {"role": "x", "tool_calls": 7}}).encode(),
        json.dumps({**json.loads(ANSWER), "logprobs": [7]}).encode(),
    ],
    ids=lambda body: body[:30].decode("latin-1"),
)
async def test_nonsense_is_a_decode_error(make: Make, body: bytes) -> None:
    with Hostile(says(body)) as server:
        async with using(make, server) as m:
            with pytest.raises(ResponseDecodeError) as caught:
                await m.chat("m", "hi")
            json.dumps(caught.value.to_dict())
            with pytest.raises((ResponseDecodeError, StreamInterruptedError)) as in_stream:
                await (await m.chat("m", "hi", stream=True)).final()
            json.dumps(in_stream.value.to_dict())
        assert len(server.requests) == 2


@pytest.mark.parametrize("body", [b'{"models": 7}', b'{"models": ["x"]}', b'{"models": "x"}'])
async def test_nonsense_in_lists(make: Make, body: bytes) -> None:
    with Hostile(says(body)) as server:
        async with using(make, server) as m:
            with pytest.raises(ResponseDecodeError):
                await m.list_models()


# What a field may hold in place of what it should, and how the error names it.
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"message": {"role": "a", "content": 5}}, "message.content: expected a string, got 5"),
    ({"message": {"role": "a", "content": ["x"]}}, "message.content: expected a string"),
    ({"message": []}, "message: expected an object, got a list"),
    ({"message": {"role": "a"}}, "message.content: expected a string, got nothing"),
    ({"message": {"role": "a", "content": "", "thinking": {}}}, "message.thinking: expected"),
    ({"message": {"role": "a", "content": "", "tool_calls": [5]}}, "message.tool_calls[0]: "),
    ({"done": "no"}, 'done: expected true or false, got "no"'),
    ({"model": {}}, "model: expected a string, got an object"),
    ({"logprobs": {}}, "logprobs: expected a list, got an object"),
    ({"eval_count": "x"}, 'eval_count: expected an integer, got "x"'),
    ({"eval_duration": True}, "eval_duration: expected an integer, got true"),
    ({"created_at": 7}, "created_at: expected a timestamp, got 7"),
]
how_wrong = pytest.mark.parametrize(("fields", "place"), WRONG, ids=[place for _, place in WRONG])


@how_wrong
async def test_a_value_of_the_wrong_type(make: Make, fields: dict[str, Any], place: str) -> None:
    with Hostile(says(chat_line("fine", **{"done": True, **fields}))) as server:
        async with using(make, server) as m:
            with pytest.raises(ResponseDecodeError) as caught:
                await m.chat("m", "hi")
            assert place in caught.value.message
            assert caught.value.hint is not None
            assert caught.value.endpoint == "POST /api/chat"
            json.dumps(caught.value.to_dict())
        assert len(server.requests) == 1


async def chunks(stream: Any) -> list[Any]:
    return [chunk async for chunk in stream]


READERS: dict[str, Any] = {
    "chunks": chunks,
    "text": texts,
    "final": lambda stream: stream.final(),
}


@how_wrong
async def test_a_value_of_the_wrong_type_in_a_stream(
    make: Make, fields: dict[str, Any], place: str
) -> None:
    with Hostile(streams(chat_line("a"), chat_line("b", **fields), LAST)) as server:
        async with using(make, server) as m:
            heard = Heard(m)
            for count, (reader, read) in enumerate(READERS.items(), 1):
                stream = await m.chat("m", "hi", stream=True)
                with pytest.raises(ResponseDecodeError) as caught:
                    await read(stream)
                assert place in caught.value.message, reader
                assert caught.value.partial.message.content == "a"
                assert stream.partial == caught.value.partial
                json.dumps(caught.value.to_dict())
                await heard.until("request.failed", count)
                assert len(server.requests) == count


FIELDS = [
    *("model", "created_at", "response", "done", "embeddings", "models", "license", "details"),
    *("model_info", "modified_at", "status", "completed", "total", "version"),
]


async def test_wrong_types_of_every_call(make: Make) -> None:
    calls: list[tuple[str, tuple[Any, ...]]] = [
        ("generate", ("m", "hi")),
        ("embed", ("m", "hi")),
        ("list_models", ()),
        ("list_running", ()),
        ("show_model", ("m",)),
        ("pull_model", ("m",)),
        ("push_model", ("m",)),
        ("create_model", ("m",)),
        ("version", ()),
    ]
    # one JSON object in every field
    with Hostile(says(json.dumps({field: {"x": [1]} for field in FIELDS}).encode())) as server:
        async with using(make, server) as m:
            for name, arguments in calls:
                keywords = {"from_model": "n"} if name == "create_model" else {}
                with pytest.raises(ResponseDecodeError, match=r": expected .*, got "):
                    await getattr(m, name)(*arguments, **keywords)


async def test_a_line_that_does_not_end(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LineSplitter.__init__, "__defaults__", (1000,))

    def endless(exchange: Exchange) -> None:
        exchange.start_chunked()
        exchange.chunk(chat_line("a"))
        exchange.chunk(b'{"model":"')
        while True:
            exchange.chunk(b"x" * 100)

    with Hostile(endless) as server:
        async with using(make, server) as m:
            stream = await m.chat("m", "hi", stream=True)
            with pytest.raises(ResponseDecodeError, match="more than 1000 bytes") as caught:
                await texts(stream)
            assert caught.value.partial.message.content == "a"
            assert caught.value.model == "m"
            assert caught.value.hint is not None


async def test_null_lists_are_empty(make: Make) -> None:
    with Hostile(says(b'{"models": null}')) as server:
        async with using(make, server) as m:
            assert await m.list_models() == []


async def test_a_page_of_a_proxy(make: Make) -> None:
    page = b"<html><head><title>502 Bad Gateway</title></head></html>"
    with Hostile(says(page, 502, kind="text/html")) as server:
        async with using(make, server) as m:
            with pytest.raises(InternalServerError) as caught:
                await m.chat("m", "hi")
        assert caught.value.message == "502 Bad Gateway"
        assert caught.value.status_code == 502


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_no_success(make: Make, status: int) -> None:
    with Hostile(says(b"", status, "Location: https://elsewhere/")) as server:
        async with using(make, server) as m:
            with pytest.raises(APIError) as caught:
                await m.delete_model("m")
            assert caught.value.code == "redirected"
        assert len(server.requests) == 1


async def test_a_badly_compressed_answer(make: Make) -> None:
    with Hostile(says(b"no gzip", 200, "Content-Encoding: gzip")) as server:
        async with using(make, server) as m:
            with pytest.raises(ResponseDecodeError):
                await m.chat("m", "hi")


async def test_a_compressed_answer(make: Make) -> None:
    with Hostile(says(gzip.compress(ANSWER), 200, "Content-Encoding: gzip")) as server:
        async with using(make, server) as m:
            assert (await m.chat("m", "hi")).message.content == "fine"


async def test_no_http_at_all(make: Make) -> None:
    with Hostile(lambda exchange: exchange.write(b"220 smtp ready\r\n")) as server:
        async with using(make, server) as m:
            with pytest.raises(ServerUnavailableError):
                await m.chat("m", "hi")


async def test_fields_of_the_future_are_kept(make: Make) -> None:
    lines = [
        chat_line("a", brand_new={"x": 1}),
        chat_line("b", done=True, done_reason="a new reason", score=0.5),
    ]
    with Hostile(streams(*lines), says(lines[1])) as server:
        async with using(make, server) as m:
            final = await (await m.chat("m", "hi", stream=True)).final()
            assert final.message.content == "ab"
            assert final.additional_properties == {"brand_new": {"x": 1}, "score": 0.5}
            assert final.done_reason == "a new reason"
            assert (await m.chat("m", "hi")).additional_properties == {"score": 0.5}


# Streams


async def test_one_byte_at_a_time(make: Make) -> None:
    body = chat_line("é\u2028") + chat_line("x\x85y𝄞") + LAST
    with Hostile(streams(*(bytes([byte]) for byte in body))) as server:
        async with using(make, server) as m:
            assert await texts(await m.chat("m", "hi", stream=True)) == ["é\u2028", "x\x85y𝄞"]


async def test_all_lines_in_one_piece(make: Make) -> None:
    body = chat_line("a") + b"\n\r\n" + chat_line("b\x85c") + LAST.rstrip(b"\n")
    with Hostile(streams(body)) as server:
        async with using(make, server) as m:
            assert await texts(await m.chat("m", "hi", stream=True)) == ["a", "b\x85c"]


@pytest.mark.parametrize("ends", [True, False])
async def test_no_last_line(make: Make, ends: bool) -> None:
    with Hostile(streams(chat_line("half "), chat_line("of"), ends=ends)) as server:
        async with using(make, server) as m:
            heard = Heard(m)
            stream = await m.chat("m", "hi", stream=True)
            with pytest.raises(StreamInterruptedError) as caught:
                await texts(stream)
            assert caught.value.partial.message.content == "half of"
            assert stream.partial == caught.value.partial
            assert caught.value.attempts == 1
            await heard.until("request.failed")
        assert len(server.requests) == 1, "tokens are never asked for twice"
        assert "request.finished" not in heard.names


async def test_cut_in_the_middle_of_a_line(make: Make) -> None:
    with Hostile(streams(chat_line("a"), chat_line("bcd")[:30], ends=False)) as server:
        async with using(make, server) as m:
            with pytest.raises((StreamInterruptedError, ResponseDecodeError)) as caught:
                await texts(await m.chat("m", "hi", stream=True))
            assert caught.value.partial.message.content == "a"


@pytest.mark.parametrize(
    "line",
    [
        b'{"error":"llama runner process has terminated: signal: killed"}\n',
        b'{"error":{"message":"llama runner process has terminated"}}\n',
    ],
)
async def test_an_error_line(make: Make, line: bytes) -> None:
    with Hostile(streams(chat_line("a"), line)) as server:
        async with using(make, server) as m:
            with pytest.raises(StreamInterruptedError, match="runner process") as caught:
                await texts(await m.chat("m", "hi", stream=True))
            assert "{" not in caught.value.message
            assert caught.value.partial.message.content == "a"


async def test_an_error_line_in_a_pull(make: Make) -> None:
    lines = b'{"status":"pulling manifest"}\n', b'{"error":"no space left on device"}\n'
    with Hostile(streams(*lines)) as server:
        async with using(make, server) as m:
            with pytest.raises(APIError, match="no space left"):
                await m.pull_model("m")


async def test_a_pull_without_success(make: Make) -> None:
    with Hostile(streams(b'{"status":"pulling manifest"}\n')) as server:
        async with using(make, server) as m:
            with pytest.raises(StreamInterruptedError):
                await m.pull_model("m")


async def test_garbage_in_the_middle(make: Make) -> None:
    with Hostile(streams(chat_line("a"), b"not json\n", LAST)) as server:
        async with using(make, server) as m:
            stream = await m.chat("m", "hi", stream=True)
            with pytest.raises(ResponseDecodeError) as caught:
                await texts(stream)
            assert caught.value.partial.message.content == "a"
            assert "not json" in caught.value.text


async def test_nothing_after_the_last_line_matters(make: Make) -> None:
    with Hostile(streams(chat_line("a"), LAST, b"garbage\n", ends=False)) as server:
        async with using(make, server) as m:
            final = await (await m.chat("m", "hi", stream=True)).final()
            assert final.message.content == "a"


async def test_a_body_that_does_not_end_after_its_last_line(make: Make) -> None:
    with Hostile(silent_after(chat_line("a"), LAST)) as server:
        async with using(make, server) as m:
            final = await (await m.chat("m", "hi", stream=True)).final()
            assert (final.message.content, final.done) == ("a", True)


# Timeouts


@pytest.mark.parametrize("stream", [False, True])
async def test_no_first_token(make: Make, stream: bool) -> None:
    with Hostile(silent_after()) as server:
        async with using(make, server) as m:
            heard = Heard(m)
            with pytest.raises(RequestTimeoutError) as caught:
                await m.chat("m", "hi", stream=stream, timeout=0.2)
            # of a plain call a number is the whole wait
            which = "first_token" if stream else "total"
            assert (caught.value.timeout, caught.value.seconds) == (which, 0.2)
            assert isinstance(caught.value, TimeoutError)
            await heard.until("request.failed")
        assert len(server.requests) == 1


async def test_silence_between_chunks(make: Make) -> None:
    with Hostile(silent_after(chat_line("a"))) as server:
        async with using(make, server, chunk_timeout=0.2) as m:
            stream = await m.chat("m", "hi", stream=True)
            with pytest.raises(RequestTimeoutError) as caught:
                await texts(stream)
            assert (caught.value.timeout, caught.value.seconds) == ("chunk", 0.2)
            assert caught.value.partial.message.content == "a"


@pytest.mark.parametrize("stream", [False, True])
async def test_the_total_limit_without_an_answer(make: Make, stream: bool) -> None:
    with Hostile(silent_after()) as server:
        async with using(make, server) as m:
            with pytest.raises(RequestTimeoutError) as caught:
                await m.chat("m", "hi", stream=stream, timeout=Timeouts(total=0.3))
            assert (caught.value.timeout, caught.value.seconds) == ("total", 0.3)


def drips_its_head(exchange: Exchange) -> None:
    exchange.write(b"HTTP/1.1 200 X\r\nX-Long: ")
    while True:
        exchange.write(b"x")
        exchange.wait(0.02)


def puts_off(exchange: Exchange) -> None:
    while True:
        exchange.write(b"HTTP/1.1 102 Processing\r\n\r\n")
        exchange.wait(0.05)


def puts_off_at_once(exchange: Exchange) -> None:
    while True:
        exchange.write(b"HTTP/1.1 102 Processing\r\n\r\n" * 1000)


@pytest.mark.parametrize("act", [drips_its_head, puts_off])
@pytest.mark.parametrize("limit", ["total", "first_token"])
@pytest.mark.parametrize("stream", [False, True])
async def test_the_limits_of_an_answer_that_never_quite_begins(
    make: Make, act: Any, limit: str, stream: bool
) -> None:
    with Hostile(act) as server:
        async with using(make, server) as m:
            with pytest.raises(RequestTimeoutError) as caught:
                await m.chat("m", "hi", stream=stream, timeout=Timeouts(**{limit: 0.3}))
            assert (caught.value.timeout, caught.value.seconds) == (limit, 0.3)
            assert f"Timeouts({limit}=...)" in str(caught.value.hint)
        assert len(server.requests) <= 1, "it is not sent again"


async def test_an_answer_that_is_announced_for_ever(make: Make) -> None:
    with Hostile(puts_off_at_once) as server:
        async with using(make, server) as m:
            with pytest.raises((ServerUnavailableError, RequestTimeoutError)):
                await m.chat("m", "hi", timeout=Timeouts(first_token=2), retry=False)


@pytest.mark.engine
@pytest.mark.parametrize(
    ("timeout", "limit"),
    [(Timeouts(connect=0.3), "connect"), (Timeouts(connect=60, total=0.3), "total")],
)
async def test_the_limits_hold_for_a_name_that_is_not_found_out(
    make: Make, timeout: Timeouts, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, over = threading.Event(), threading.Event()
    really = socket.getaddrinfo

    def hangs(host: Any, *arguments: Any, **keywords: Any) -> Any:
        if host not in ("ollama.example", b"ollama.example"):
            return really(host, *arguments, **keywords)
        asked.set()
        over.wait(30)
        raise socket.gaierror("too late")

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    async with make(host="http://ollama.example/x", retry=QUICK) as m:
        try:
            with pytest.raises(RequestTimeoutError) as caught:
                await m.chat("m", "hi", timeout=timeout, retry=False)
        finally:
            over.set()
    assert asked.is_set()
    assert (caught.value.timeout, caught.value.seconds) == (limit, 0.3)


async def test_a_host_by_name(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    really = socket.getaddrinfo

    def finds(host: Any, *arguments: Any, **keywords: Any) -> Any:
        if host in ("ollama.example", b"ollama.example"):
            host = "127.0.0.1"
        return really(host, *arguments, **keywords)

    monkeypatch.setattr(socket, "getaddrinfo", finds)
    with Hostile(fine) as server:
        named = server.host.replace("127.0.0.1", "ollama.example")
        async with using(make, server, host=named) as m:
            assert (await m.chat("m", "hi")).message.content == "fine"
    async with make(host=f"http://ollama.example:{free_port()}/x", retry=QUICK) as m:
        with pytest.raises(ServerUnavailableError) as caught:
            await m.chat("m", "hi", retry=False)
        assert caught.value.code == "connection_refused"


async def test_the_total_limit_of_an_error_that_drips(make: Make) -> None:
    def act(exchange: Exchange) -> None:
        exchange.start(400, "Content-Length: 1000")
        while True:
            exchange.write(b"x")
            exchange.wait(0.02)

    with Hostile(act) as server:
        async with using(make, server) as m:
            for stream in (False, True):
                with pytest.raises(RequestTimeoutError) as caught:
                    await m.chat("m", "hi", stream=stream, timeout=Timeouts(total=0.4))
                assert caught.value.timeout == "total"


async def test_the_total_limit_of_a_request_that_is_read_slowly(make: Make) -> None:
    with Hostile(fine, reading_pause=0.02) as server:
        async with using(make, server) as m:
            with pytest.raises(RequestTimeoutError) as caught:
                await m.chat("m", "x" * 30_000_000, timeout=Timeouts(total=0.7))
            assert caught.value.timeout == "total"
        assert server.requests == []


async def test_an_answer_that_begins_late_is_read_to_its_end(make: Make) -> None:
    """The limit for the head of an answer is none for its body."""

    def act(exchange: Exchange) -> None:
        exchange.wait(0.2)
        streams(*([chat_line("a")] * 24), LAST, pause=0.1)(exchange)

    with Hostile(act) as server:
        async with using(make, server) as m:
            stream = await m.chat("m", "hi", stream=True, timeout=Timeouts(first_token=2))
            assert await texts(stream) == ["a"] * 24


async def test_the_total_limit_of_a_stream_that_drips(make: Make) -> None:
    drip = streams(*([chat_line("a")] * 400), pause=0.05)
    with Hostile(drip) as server:
        async with using(make, server) as m:
            stream = await m.chat("m", "hi", stream=True, timeout=Timeouts(total=2))
            before = time.monotonic()
            with pytest.raises(RequestTimeoutError) as caught:
                await texts(stream)
            assert time.monotonic() - before < 12
            assert caught.value.timeout == "total"
            assert caught.value.partial.message.content.startswith("aa")


async def test_the_total_limit_of_a_stream_that_falls_silent(make: Make) -> None:
    with Hostile(silent_after(chat_line("a"))) as server:
        async with using(make, server) as m:
            stream = await m.chat("m", "hi", stream=True, timeout=Timeouts(total=2, chunk=30))
            with pytest.raises(RequestTimeoutError) as caught:
                await texts(stream)
            assert caught.value.timeout == "total"


@pytest.mark.parametrize("limit", [0.4, Timeouts(total=0.4)])
async def test_the_total_limit_of_a_plain_answer_that_drips(
    make: Make, limit: float | Timeouts
) -> None:
    drip = streams(*(bytes([byte]) for byte in ANSWER * 20), pause=0.02)
    with Hostile(drip) as server:
        async with using(make, server) as m:
            with pytest.raises(RequestTimeoutError) as caught:
                await m.chat("m", "hi", timeout=limit)
            assert caught.value.timeout == "total"


async def test_retries_stay_within_the_total_limit(make: Make) -> None:
    with Hostile(cut) as server:
        retry = {"max_attempts": 100, "initial_delay": 0.2, "jitter": False}
        async with using(make, server, retry=retry) as m:
            with pytest.raises(ServerUnavailableError):
                await m.chat("m", "hi", timeout=Timeouts(total=3))


async def test_the_budget_of_retries(make: Make) -> None:
    retry = {"max_attempts": 100, "initial_delay": 0.05, "max_delay": 0.05, "budget": 0.4}
    with Hostile(cut) as server:
        async with using(make, server, retry=retry) as m:
            with pytest.raises(ServerUnavailableError):
                await m.chat("m", "hi")
        assert 2 < len(server.requests) < 100


@pytest.mark.parametrize("stream", [True, False])
async def test_a_limit_that_passes_late_ends_no_other_call(
    make: Make, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once a call is over, its connection is another's."""
    late: list[Any] = []

    def never_called_off(_: float, function: Any) -> Any:
        late.append(function)
        return lambda: None

    for shell in ("async", "sync"):
        monkeypatch.setattr(f"manager._{shell}.lines.later_{shell}", never_called_off)
    fired = threading.Event()

    def after_that(exchange: Exchange) -> None:
        fired.wait(30)
        exchange.answer(ANSWER)

    first = chat_line("a") + LAST if stream else ANSWER
    with Hostile(lambda exchange: exchange.answer_and_stay(first), after_that) as server:
        async with using(make, server) as m:
            answer = await m.chat("m", "hi", stream=stream, timeout=Timeouts(total=60))
            if stream:
                await answer.final()
            other = asyncio.ensure_future(m.chat("m", "hi"))
            await until(lambda: len(server.requests) == 2, "the other call")
            for function in late:
                function()
            fired.set()
            assert (await other).message.content == "fine"
        assert (len(server.requests), server.accepted) == (2, 1)


async def test_closing_ends_a_stream_of_a_silent_server(make: Make) -> None:
    with Hostile(silent_after(chat_line("a"))) as server:
        async with using(make, server) as m:
            stream = await m.chat("m", "hi", stream=True)
            seen = asyncio.Event()

            async def read() -> list[str]:
                found: list[str] = []
                async for piece in stream.text:
                    found.append(piece)
                    seen.set()
                return found

            reader = asyncio.ensure_future(read())
            await seen.wait()
            await stream.close()
            assert await reader == ["a"]


@pytest.mark.parametrize("_again", range(8))
async def test_closing_ends_a_call_to_a_silent_server(make: Make, _again: int) -> None:
    """Whether it is still being connected, which is a matter of luck, or waits for the answer."""
    with Hostile(silent_after()) as server:
        m = make(host=server.host, retry=QUICK)
        heard = Heard(m)
        call = asyncio.ensure_future(m.chat("m", "hi"))
        await heard.until("request.started")
        await m.aclose()
        with pytest.raises(ServerUnavailableError):
            await asyncio.wait_for(call, 8)
