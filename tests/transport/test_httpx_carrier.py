"""httpx transports as what carries calls: the stock one, and what users may hand in."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import itertools
import socket
import ssl
import subprocess
import sys
import threading
import time
import zlib
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.errors import ConfigError
from manager.transport import exceptions as ours

from ..managers.hostile_server import Hostile, cut, fine, says, silent_after, stays, streams
from ..ports import free_port
from .httpx_testing import (
    Pieces,
    Stream,
    answer,
    ask,
    carrier_async,
    carrier_sync,
    deadlines,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..managers.hostile_server import Exchange
    from .httpx_testing import Make

QUICK = 0.2


def mock(act: Callable[[httpx.Request], Any]) -> httpx.MockTransport:
    return httpx.MockTransport(act)


def raising(error: BaseException) -> httpx.MockTransport:
    def act(request: httpx.Request) -> httpx.Response:
        raise error

    return mock(act)


def streaming(*pieces: Any, **headers: str) -> httpx.MockTransport:
    fields = {name.replace("_", "-"): text for name, text in headers.items()}
    return mock(lambda request: httpx.Response(200, headers=fields, stream=Stream(*pieces)))


# What is sent, and what comes back


async def test_a_request_says_all_that_it_should(make: Make) -> None:
    with Hostile(fine) as server:
        carrier = make(server.host)
        exchange = await ask(carrier, "POST", "/api/chat?a=%20b", b'{"a":1}')
        await exchange.read_all(deadlines().reading())
        await exchange.release()
        await carrier.close()
        assert server.requests == ["POST /x/api/chat?a=%20b HTTP/1.1"]
        assert server.bodies == [b'{"a":1}']
        fields = [line.lower() for line in server.heads[0].split("\r\n")[1:]]
        assert sorted(fields) == sorted(
            [
                f"host: {server.host.split('/')[2]}",
                "user-agent: test",
                "x-team: blue",
                "content-type: application/json",
                "content-length: 7",
            ]
        )
        assert exchange.sent_headers["X-Team"] == "blue"


async def test_headers_may_have_what_latin_1_has(make: Make) -> None:
    with Hostile(fine) as server:
        carrier = make(server.host, headers={"X-Name": "Jürgen"})
        await answer(carrier)
        await carrier.close()
        assert "X-Name: Jürgen" in server.heads[0]


async def test_an_answer_is_read_piece_by_piece(make: Make) -> None:
    with Hostile(streams(b"one", b"two", pause=0.05)) as server:
        carrier = make(server.host)
        exchange = await ask(carrier)
        assert (exchange.status, exchange.is_read) == (200, False)
        assert exchange.headers["content-type"] == "application/x-ndjson"
        limit = deadlines().streaming()
        assert [await exchange.read(limit) for _ in range(4)] == [b"one", b"two", None, None]
        assert exchange.is_read
        await exchange.release()
        await carrier.close()


async def test_a_body_may_come_in_pieces(make: Make) -> None:
    with Hostile(fine) as server:
        carrier = make(server.host)
        exchange = await ask(carrier, body=Pieces(b"ab", b"", b"c" * 100_000))
        await exchange.release()
        await carrier.close()
        assert server.bodies[0].startswith(b"2\r\nab\r\n")
        assert server.bodies[0].endswith(b"\r\n0\r\n\r\n")


async def test_a_body_that_cannot_be_read_is_never_sent(make: Make) -> None:
    class Broken(Pieces):
        @property
        def pieces(self) -> Iterator[bytes]:  # type: ignore[override]
            yield b"a"
            raise OSError("no such disk")

        @pieces.setter
        def pieces(self, value: object) -> None:
            pass

    with Hostile(fine) as server:
        carrier = make(server.host)
        with pytest.raises(ours.NeverSent, match="no such disk"):
            await ask(carrier, body=Broken())
        await carrier.close()
        await until(server.is_left, "the connection to end")


async def test_when_the_request_had_been_sent_is_known(make: Make) -> None:
    with Hostile(silent_after()) as server:
        carrier = make(server.host)
        exchange = carrier.exchange("POST", "/", None)
        opening = asyncio.ensure_future(exchange.open(b"{}", deadlines(first_token=1.0)))
        await until(lambda: exchange.asked_at, "the request to be sent")
        assert exchange.asked_at <= time.monotonic()
        with pytest.raises(ours.TransferTimedOut):
            await opening
        assert exchange.asked_at is None
        await carrier.close()


async def test_cookies_are_given_back(make: Make) -> None:
    two = says(b"", 200, "Set-Cookie: route=a; Path=/, x", "Set-Cookie: b=c")
    with Hostile(two) as server:
        carrier = make(server.host)
        for _ in range(2):
            await answer(carrier)
        await carrier.close()
    assert "cookie" not in server.heads[0].lower()
    assert "cookie: route=a; b=c" in server.heads[1].lower()


async def test_connections_are_used_again(make: Make) -> None:
    with Hostile(stays) as server:
        carrier = make(server.host)
        for _ in range(3):
            await answer(carrier)
        assert (server.accepted, server.ended) == (1, 0)
        await carrier.close()
        await until(server.is_left, "the idle connection to be closed")


async def test_an_answer_that_is_left_ends_its_connection(make: Make) -> None:
    with Hostile(silent_after(b"one"), fine) as server:
        carrier = make(server.host)
        exchange = await ask(carrier)
        assert await exchange.read(deadlines().streaming()) == b"one"
        await exchange.release()
        await until(server.is_left, "the connection to end")
        assert await answer(carrier)
        await carrier.close()


async def test_whether_more_has_arrived_is_known(make: Make) -> None:
    go_on = threading.Event()

    def act(exchange: Exchange) -> None:
        exchange.start_chunked()
        exchange.chunk(b"one")
        go_on.wait(30)
        exchange.chunk(b"two")
        exchange.wait(30)

    with Hostile(act) as server:
        carrier = make(server.host)
        exchange = await ask(carrier)
        await exchange.read(deadlines().streaming())
        assert not exchange.has_unread()
        go_on.set()
        await exchange.read(deadlines().streaming())
        assert not exchange.has_unread()
        await exchange.release()
        assert exchange.has_unread(), "there is nothing to wait for"
        await carrier.close()


# What users hand in


async def test_a_mock_sees_the_request_and_makes_the_answer(make: Make) -> None:
    seen: list[httpx.Request] = []

    def act(request: httpx.Request) -> httpx.Response:
        request.read()
        seen.append(request)
        return httpx.Response(201, json={"a": 1}, headers={"X-Y": "z"})

    carrier = make("http://ollama.example:1234/x", mock(act))
    exchange = await ask(carrier, body=b'{"model":"m"}')
    assert (exchange.status, exchange.headers["x-y"]) == (201, "z")
    assert await exchange.read_all(deadlines().reading()) == b'{"a":1}'
    await exchange.release()
    assert str(seen[0].url) == "http://ollama.example:1234/x/api/chat"
    assert seen[0].content == b'{"model":"m"}'
    assert seen[0].extensions["timeout"]["connect"] == pytest.approx(30)
    await carrier.close()


@given(data=st.data(), body=st.binary(), coding=st.sampled_from(["identity", "gzip", "deflate"]))
def test_any_body_in_any_pieces_comes_back(data: st.DataObject, body: bytes, coding: str) -> None:
    pack = {"identity": bytes, "gzip": gzip.compress, "deflate": zlib.compress}[coding]
    sent = pack(body)
    cuts = data.draw(st.lists(st.integers(0, len(sent)), max_size=5).map(sorted))
    bounds = [0, *cuts, len(sent)]
    pieces = [sent[a:b] for a, b in itertools.pairwise(bounds)]

    async def run() -> None:
        for make in (carrier_async, carrier_sync):
            carrier = make("http://a.example", streaming(*pieces, content_encoding=coding))
            assert await answer(carrier) == body
            exchange = await ask(carrier)
            got = b""
            while (piece := await exchange.read(deadlines().streaming())) is not None:
                assert piece
                got += piece
            assert got == body
            await exchange.release()

    asyncio.run(run())


async def test_an_answer_that_the_transport_has_read_is_not_decoded_again(make: Make) -> None:
    def act(request: httpx.Request) -> httpx.Response:
        packed = gzip.compress(b"fine")
        return httpx.Response(200, content=packed, headers={"Content-Encoding": "gzip"})

    assert await answer(make("http://a.example", mock(act))) == b"fine"


@pytest.mark.parametrize(
    ("pieces", "coding"),
    [
        ([gzip.compress(b"fine" * 100)[:-10]], "gzip"),
        ([b"nonsense"], "gzip"),
        ([b"fine"], "zip9"),
    ],
)
async def test_a_damaged_coding_is_an_error(make: Make, pieces: list[bytes], coding: str) -> None:
    stream = Stream(*pieces)
    headers = {"Content-Encoding": coding}
    transport = mock(lambda request: httpx.Response(200, headers=headers, stream=stream))
    with pytest.raises(ours.InvalidEncoding):
        await answer(make("http://a.example", transport))
    assert stream.closed == 1


async def test_a_transport_of_the_user_is_neither_replaced_nor_closed(make: Make) -> None:
    class Own(httpx.MockTransport):
        closed = False

        def close(self) -> None:
            self.closed = True

        async def aclose(self) -> None:
            self.closed = True

    transport = Own(lambda request: httpx.Response(200, stream=Stream(b"a", b"b")))
    carrier = make("http://a.example", transport)
    exchange = await ask(carrier)
    exchange.abort()
    await exchange.release()
    assert await answer(carrier) == b"ab"
    await carrier.close()
    assert not transport.closed


def test_what_is_no_transport_is_refused() -> None:
    for make, name in (
        (carrier_sync, "httpx.BaseTransport"),
        (carrier_async, "AsyncBaseTransport"),
    ):
        with pytest.raises(ConfigError, match=name):
            make("http://a.example", httpx.Client)
    with pytest.raises(ConfigError, match="AsyncBaseTransport"):
        carrier_async("http://a.example", httpx.HTTPTransport())


# Failures


class Interrupted(BaseException):
    """What a signal handler may raise."""


REQUEST = httpx.Request("GET", "http://a.example")
BEFORE = [
    (httpx.ConnectError(""), ours.ConnectFailed),
    (httpx.ConnectTimeout(""), ours.ConnectTimedOut),
    (httpx.ReadTimeout(""), ours.TransferTimedOut),
    (httpx.WriteTimeout(""), ours.TransferTimedOut),
    (httpx.PoolTimeout(""), ours.ConnectionsInUse),
    (httpx.TimeoutException(""), ours.TransferTimedOut),
    (httpx.DecodingError(""), ours.InvalidEncoding),
    (httpx.ProxyError(""), ours.ProxyFailed),
    (httpx.UnsupportedProtocol(""), ours.NeverSent),
    (httpx.LocalProtocolError(""), ours.NeverSent),
    (httpx.RemoteProtocolError(""), ours.ConnectionLost),
    (httpx.ReadError(""), ours.ConnectionLost),
    (httpx.WriteError(""), ours.ConnectionLost),
    (httpx.CloseError(""), ours.ConnectionLost),
    (httpx.TransportError(""), ours.ConnectionLost),
    (httpx.InvalidURL(""), ours.NeverSent),
    (httpx.CookieConflict(""), ours.NeverSent),
    (httpx.StreamConsumed(), ours.InvalidAnswer),
    (httpx.TooManyRedirects(""), ours.NeverSent),
    (httpx.HTTPStatusError("", request=REQUEST, response=httpx.Response(500)), ours.NeverSent),
    (ConnectionRefusedError(111, "refused"), ours.ConnectFailed),
    (ConnectionResetError(), ours.ConnectionLost),
    (socket.gaierror(-2, "no such name"), ours.ConnectFailed),
    (ssl.SSLError("handshake"), ours.ConnectFailed),
    (TimeoutError(), ours.TransferTimedOut),
    (anyio.ClosedResourceError(), ours.ConnectionLost),
    (anyio.BrokenResourceError(), ours.ConnectionLost),
    (anyio.EndOfStream(), ours.ConnectionLost),
    (KeyError("a"), ours.NeverSent),
    (AssertionError(), ours.NeverSent),
    (RuntimeError("defect"), ours.NeverSent),
]


@pytest.mark.parametrize(("error", "kind"), BEFORE, ids=lambda value: repr(value)[:40])
async def test_whatever_a_transport_raises_is_an_error_of_ours(
    make: Make, error: Exception, kind: type[ours.TransportError]
) -> None:
    with pytest.raises(ours.TransportError) as caught:
        await ask(make("http://a.example", raising(error)))
    assert type(caught.value) is kind
    assert str(caught.value).strip()
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ReadError(""), ours.ConnectionLost),
        (httpx.ReadTimeout(""), ours.TransferTimedOut),
        (httpx.StreamClosed(), ours.InvalidAnswer),
        (ConnectionResetError(), ours.ConnectionLost),
        (OSError(5, "input/output error"), ours.ConnectionLost),
        (ssl.SSLError("bad record"), ours.ConnectionLost),
        (ValueError("defect"), ours.InvalidAnswer),
    ],
    ids=repr,
)
async def test_whatever_a_body_raises_is_an_error_of_ours(
    make: Make, error: Exception, kind: type[ours.TransportError]
) -> None:
    exchange = await ask(make("http://a.example", streaming(b"one", error)))
    limit = deadlines().streaming()
    assert await exchange.read(limit) == b"one"
    with pytest.raises(ours.TransportError) as caught:
        await exchange.read(limit)
    assert type(caught.value) is kind
    assert str(caught.value).strip()
    await exchange.release()


async def test_an_interrupt_is_not_swallowed(make: Make) -> None:
    with pytest.raises(Interrupted):
        await ask(make("http://a.example", raising(Interrupted())))
    exchange = await ask(make("http://a.example", streaming(Interrupted())))
    with pytest.raises(Interrupted):
        await exchange.read(deadlines().streaming())
    await exchange.release()


@pytest.mark.parametrize(
    "made",
    [
        None,
        httpx.Response(200, stream=type("Odd", (), {})()),
        httpx.Response(200, stream=Stream("text")),
        httpx.Response(200, stream=Stream(5.0)),
    ],
    ids=["none", "odd body", "text", "number"],
)
async def test_an_answer_that_is_none_is_an_error(make: Make, made: Any) -> None:
    class Odd(httpx.MockTransport):
        def handle_request(self, request: httpx.Request) -> Any:
            return made

        async def handle_async_request(self, request: httpx.Request) -> Any:
            return made

    with pytest.raises((ours.NeverSent, ours.InvalidAnswer)):
        await answer(make("http://a.example", Odd(fine)))  # type: ignore[arg-type]


async def test_an_address_that_cannot_be_is_never_sent(make: Make) -> None:
    for path in ("/" + "a" * 70_000, "/\n"):
        with pytest.raises(ours.NeverSent):
            await ask(make("http://a.example", streaming()), path=path)
    with pytest.raises(ours.NeverSent):
        await ask(make("ftp://a.example"))


async def test_no_connection_is_an_error_with_the_words_of_the_system(make: Make) -> None:
    with pytest.raises(ours.ConnectFailed, match=r"(?i)refused|connect call failed"):
        await ask(make(f"http://127.0.0.1:{free_port()}"))


async def test_a_connection_that_ends_is_lost(make: Make) -> None:
    with Hostile(
        cut, streams(b"one", ends=False), says(b""), lambda e: e.write(b"SSH-2\r\n")
    ) as server:
        carrier = make(server.host)
        with pytest.raises(ours.ConnectionLost):
            await answer(carrier)
        with pytest.raises(ours.ConnectionLost):
            await answer(carrier)
        assert await answer(carrier) == b""
        with pytest.raises(ours.ConnectionLost):
            await answer(carrier)
        await carrier.close()
        await until(server.is_left, "all connections to end")


async def test_silence_has_its_limits(make: Make) -> None:
    with Hostile(silent_after(), silent_after(b"one")) as server:
        carrier = make(server.host)
        with pytest.raises(ours.TransferTimedOut):
            await ask(carrier, first_token=QUICK)
        exchange = await ask(carrier)
        limit = deadlines(chunk=QUICK).streaming()
        assert await exchange.read(limit) == b"one"
        with pytest.raises(ours.TransferTimedOut):
            await exchange.read(limit)
        await exchange.release()
        await carrier.close()
        await until(server.is_left, "all connections to end")


async def test_a_stream_that_drips_does_not_outlast_the_total_limit(
    make: Make,
) -> None:
    with Hostile(streams(*[b"x"] * 3000, pause=0.01)) as server:
        carrier = make(server.host)
        with pytest.raises(ours.TransferTimedOut):
            await answer(carrier, total=0.5)
        await carrier.close()


def drips(exchange: Exchange) -> None:
    for byte in b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 1000:
        exchange.write(bytes([byte]))
        time.sleep(0.01)


def puts_off(exchange: Exchange) -> None:
    while True:
        exchange.write(b"HTTP/1.1 103 Early\r\n\r\n")
        time.sleep(0.01)


@pytest.mark.parametrize("limit", ["first_token", "total"])
@pytest.mark.parametrize("act", [drips, puts_off])
async def test_a_head_that_drips_does_not_outlast_its_limit(
    make: Make, act: Callable[[Exchange], None], limit: str
) -> None:
    with Hostile(stays, act, fine) as server:
        carrier = make(server.host)
        await answer(carrier)  # so that it comes by a connection that is used again
        with pytest.raises(ours.TransferTimedOut):
            await ask(carrier, **{limit: 0.5})
        await until(server.is_left, "the connection to end")
        assert await answer(carrier)
        await carrier.close()


# Ends from elsewhere


async def test_an_abort_wakes_the_reader_and_ends_the_connection(make: Make) -> None:
    with Hostile(silent_after(b"one"), stays) as server:
        carrier = make(server.host)
        exchange = await ask(carrier)
        limit = deadlines().streaming()
        await exchange.read(limit)
        reading = asyncio.ensure_future(exchange.read(limit))
        await asyncio.sleep(0.05)
        threading.Thread(target=exchange.abort).start()
        with pytest.raises(ours.ConnectionLost, match="by this program"):
            await reading
        await exchange.release()
        await until(server.is_left, "the connection to end")
        assert await answer(carrier)
        await carrier.close()


async def test_an_abort_ends_a_connection_that_nobody_reads(make: Make) -> None:
    with Hostile(silent_after(b"one")) as server:
        carrier = make(server.host)
        exchange = await ask(carrier)
        exchange.abort()
        await until(server.is_left, "the connection to end")
        with pytest.raises(ours.ConnectionLost, match="by this program"):
            await exchange.read(deadlines().streaming())
        await exchange.release()
        await carrier.close()


async def test_an_abort_after_the_release_ends_nothing(make: Make) -> None:
    with Hostile(stays) as server:
        carrier = make(server.host)
        for _ in range(3):
            exchange = await ask(carrier)
            await exchange.read_all(deadlines().reading())
            await exchange.release()
            exchange.abort()
        assert server.accepted == 1
        await carrier.close()


async def begin(carrier: Any) -> tuple[Any, asyncio.Future[None]]:
    """Send a request to which there is no answer."""
    exchange = carrier.exchange("POST", "/", None)
    opening = asyncio.ensure_future(exchange.open(b"{}", deadlines()))
    await until(lambda: exchange.asked_at, "the request to be sent")
    return exchange, opening


@pytest.mark.parametrize("is_new", [True, False])
async def test_an_abort_before_the_head_ends_an_exchange_at_once(make: Make, is_new: bool) -> None:
    with Hostile(*[stays] * (not is_new), silent_after(), fine) as server:
        carrier = make(server.host)
        if not is_new:
            await answer(carrier)
        exchange, opening = await begin(carrier)
        threading.Thread(target=exchange.abort).start()
        with pytest.raises(ours.ConnectionLost, match="by this program"):
            await opening
        await until(server.is_left, "the connection to end")
        assert await answer(carrier)
        await carrier.close()


async def test_an_exchange_without_an_answer_is_ended_and_no_other(make: Make) -> None:
    with Hostile(silent_after(), streams(b"one")) as server:
        carrier = make(server.host)
        assert not carrier.exchange("POST", "/", None).abort_unanswered(), "it has not begun"
        exchange, opening = await begin(carrier)
        assert exchange.abort_unanswered()
        assert not exchange.abort_unanswered()
        with pytest.raises(ours.ConnectionLost):
            await opening
        exchange = await ask(carrier)
        assert not exchange.abort_unanswered()
        assert await exchange.read_all(deadlines().reading()) == b"one"
        await exchange.release()
        await carrier.close()


class Blocking(httpx.BaseTransport):
    """A transport that says nothing of its connection."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.stream = Stream(b"one")

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.go_on.wait(30)
        return httpx.Response(200, stream=self.stream)


async def test_what_nothing_is_known_of_is_ended_when_its_head_comes() -> None:
    transport = Blocking()
    exchange, opening = await begin(carrier_sync("http://a.example", transport))
    assert not exchange.abort_unanswered(), "it cannot"
    exchange.abort()
    transport.go_on.set()
    with pytest.raises(ours.ConnectionLost, match="by this program"):
        await opening
    assert transport.stream.closed == 1


async def test_any_transport_of_an_async_manager_is_ended_at_once() -> None:
    class Waiting(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await request.aread()
            await asyncio.sleep(60)
            raise AssertionError

    carrier = carrier_async("http://a.example", Waiting())
    exchange, opening = await begin(carrier)
    exchange.abort()
    with pytest.raises(ours.ConnectionLost, match="by this program"):
        await opening
    for limit in ("first_token", "total"):
        with pytest.raises(ours.TransferTimedOut):
            await ask(carrier, **{limit: QUICK})


async def test_all_exchanges_may_be_aborted(make: Make) -> None:
    with Hostile(silent_after(b"one")) as server:
        carrier = make(server.host)
        exchanges = [await ask(carrier) for _ in range(3)]
        limit = deadlines().streaming()
        for exchange in exchanges:
            await exchange.read(limit)
        reads = [asyncio.ensure_future(exchange.read(limit)) for exchange in exchanges]
        await asyncio.sleep(0.05)
        threading.Thread(target=carrier.abort_all).start()
        for read, exchange in zip(reads, exchanges, strict=True):
            with pytest.raises(ours.ConnectionLost, match="by this program"):
                await read
            await exchange.release()
        await until(server.is_left, "all connections to end")
        with pytest.raises(ours.ConnectionLost, match="by this program"):
            await ask(carrier)
        await carrier.close()


async def test_aborting_all_ends_the_idle_connections_too(make: Make) -> None:
    with Hostile(stays) as server:
        carrier = make(server.host)
        await answer(carrier)
        assert server.ended == 0
        await asyncio.to_thread(carrier.abort_all)
        await until(server.is_left, "the idle connection to end")
        await carrier.close()


async def test_closing_leaves_what_is_in_use_until_it_is_released(make: Make) -> None:
    with Hostile(streams(b"one", b"two", pause=0.2)) as server:
        carrier = make(server.host)
        exchange = await ask(carrier)
        await carrier.close()
        assert await exchange.read_all(deadlines().reading()) == b"onetwo"
        await exchange.release()
        await until(server.is_left, "the connection to end")
        with pytest.raises(ours.ConnectionLost):
            await ask(carrier)


async def test_a_forgotten_exchange_ends_its_connection(make: Make) -> None:
    with Hostile(silent_after(b"one"), stays) as server:
        carrier = make(server.host)
        exchange = await ask(carrier)
        await exchange.read(deadlines().streaming())
        del exchange
        await until(server.is_left, "the connection to end")
        assert await answer(carrier)
        await carrier.close()
        await until(server.is_left, "the last connection to end")


FORKED = """
import os, sys
from tests.managers.hostile_server import Hostile, silent_after, streams
from tests.transport.httpx_testing import HttpxCarrier, deadlines, settings_for
from manager.transport.exceptions import ConnectionLost

with Hostile(streams(b"one", b"two", pause=0.3)) as server:
    carrier = HttpxCarrier(settings_for(server.host), None)
    exchange = carrier.exchange("POST", "/", None)
    exchange.open(b"{}", deadlines())
    if os.fork() == 0:
        carrier.keep_for_parent()
        try:
            exchange.read(deadlines().reading())
        except ConnectionLost:
            exchange.abort()
            exchange.release()
            del exchange
            os._exit(7)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 7
    assert exchange.read_all(deadlines().reading()) == b"onetwo"
    exchange.release()
    carrier.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_child_leaves_the_exchange_to_its_parent(pytestconfig: pytest.Config) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKED],
        cwd=pytestconfig.rootpath,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


# Proxies


def test_a_socks_proxy_needs_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)
    for make in (carrier_sync, carrier_async):
        with pytest.raises(ConfigError, match="socksio") as caught:
            make("http://a.example", proxy="socks5://127.0.0.1:1")
        assert caught.value.hint == "pip install 'httpx[socks]'"


def test_a_proxy_that_httpx_does_not_know_is_refused() -> None:
    for make in (carrier_sync, carrier_async):
        with pytest.raises(ConfigError) as caught:
            make("http://a.example", proxy="ftp://user:secret@127.0.0.1:1")
        assert "secret" not in str(caught.value)


async def test_a_proxy_is_asked(make: Make) -> None:
    with Hostile(fine) as proxy:
        carrier = make("http://ollama.example/x", proxy=proxy.host.removesuffix("/x"))
        assert await answer(carrier)
        await carrier.close()
        assert proxy.requests == ["POST http://ollama.example/x/api/chat HTTP/1.1"]


async def test_a_proxy_that_refuses_is_an_error(make: Make) -> None:
    with Hostile(says(b"", 407)) as proxy:
        carrier = make("https://ollama.example", proxy=proxy.host.removesuffix("/x"))
        with pytest.raises(ours.ProxyFailed, match="407") as caught:
            await ask(carrier)
        assert caught.value.status == 407
        await carrier.close()


class SocksProxy:
    """A SOCKS 5 proxy that lets everybody in and connects to one server, whatever it is asked."""

    def __init__(self, server: Hostile) -> None:
        self._port = int(server.host.split(":")[2].split("/")[0])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"socks5://127.0.0.1:{self._listener.getsockname()[1]}"
        self.asked: list[bytes] = []

    def __enter__(self) -> SocksProxy:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            client.recv(100)
            client.sendall(b"\x05\x00")
            self.asked.append(client.recv(300))
            with socket.create_connection(("127.0.0.1", self._port)) as server:
                client.sendall(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x01")
                there = threading.Thread(target=_relay, args=(client, server), daemon=True)
                there.start()
                _relay(server, client)
                there.join()


def _relay(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


async def test_a_socks_proxy_is_asked(make: Make) -> None:
    pytest.importorskip("socksio")
    with Hostile(streams(b"one", b"two")) as server, SocksProxy(server) as proxy:
        carrier = make("http://ollama.example:1234/x", proxy=proxy.url)
        assert await answer(carrier) == b"onetwo"
        await carrier.close()
        assert b"ollama.example" in proxy.asked[0]
        await until(server.is_left, "the connection to end")


async def test_an_abort_ends_a_connection_through_a_socks_proxy(make: Make) -> None:
    pytest.importorskip("socksio")
    with Hostile(silent_after(b"one")) as server, SocksProxy(server) as proxy:
        carrier = make("http://ollama.example:1234/x", proxy=proxy.url)
        exchange = await ask(carrier)
        limit = deadlines().streaming()
        await exchange.read(limit)
        reading = asyncio.ensure_future(exchange.read(limit))
        await asyncio.sleep(0.05)
        threading.Thread(target=exchange.abort).start()
        with pytest.raises(ours.ConnectionLost, match="by this program"):
            await reading
        await exchange.release()
        await until(server.is_left, "the connection to end")
        await carrier.close()
