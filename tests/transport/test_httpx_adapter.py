"""The engine as the transport of httpx clients."""

from __future__ import annotations

import asyncio
import gzip
import threading
from typing import TYPE_CHECKING, Any

import httpx
import ollama
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.transport._async.httpx_transport import AsyncEngineTransport
from manager.transport._sync.httpx_transport import EngineTransport

from ..managers.hostile_server import (
    Hostile,
    chat_line,
    cut,
    fine,
    says,
    silent_after,
    stays,
    streams,
)
from ..ports import free_port
from .httpx_testing import Stream, Threaded, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..managers.hostile_server import Exchange
    from .httpx_testing import Make

SOON = httpx.Timeout(30, read=0.2)


def url_of(server: Hostile, path: str = "/a") -> str:
    return server.host + path


async def begin(client: Any, server: Hostile, method: str = "GET", **settings: Any) -> Any:
    """Send a request and return its answer, the body unread."""
    request = client.build_request(method, url_of(server), **settings)
    return await client.send(request, stream=True)


def streamed(server: Hostile, *pieces: Any, length: int | None = None) -> httpx.Request:
    fields = {"Host": "h"}
    if length is None:
        fields["Transfer-Encoding"] = "chunked"
    else:
        fields["Content-Length"] = str(length)
    return httpx.Request("POST", url_of(server), headers=fields, stream=Stream(*pieces))


# What is sent, and what comes back


async def test_a_request_is_sent_as_the_client_made_it(make_client: Make) -> None:
    with Hostile(fine) as server:
        client = make_client(headers={"X-Team": "blue"}, cookies={"own": "1"})
        response = await client.post(url_of(server, "/a%20b?c=%2F"), json={"a": 1})
        await client.aclose()
        assert server.requests == ["POST /x/a%20b?c=%2F HTTP/1.1"]
        assert server.bodies == [b'{"a":1}']
        names = [line.partition(":")[0].lower() for line in server.heads[0].split("\r\n")[1:]]
        own = {"accept", "accept-encoding", "connection", "user-agent"}
        expected = own | {"host", "x-team", "cookie", "content-type", "content-length"}
        assert sorted(names) == sorted(expected)
        assert (response.status_code, response.http_version) == (200, "HTTP/1.1")
        assert response.json()["message"]["content"] == "fine"
        assert response.url == url_of(server, "/a%20b?c=%2F")


async def test_a_request_that_no_client_made_has_a_host() -> None:
    with Hostile(fine) as server, EngineTransport() as transport:
        request = httpx.Request("GET", url_of(server), stream=httpx.ByteStream(b""))
        response = await asyncio.to_thread(transport.handle_request, request)
        response.read()
        assert f"Host: {server.host.split('/')[2]}" in server.heads[0]


async def test_the_client_keeps_the_cookies(make_client: Make) -> None:
    two = says(b"", 200, "Set-Cookie: a=1; Path=/", "Set-Cookie: b=2; Path=/")
    with Hostile(two) as server:
        client = make_client()
        response = await client.get(url_of(server))
        assert response.headers.get_list("set-cookie") == ["a=1; Path=/", "b=2; Path=/"]
        await client.get(url_of(server))
        await client.aclose()
        assert server.heads[1].lower().count("cookie:") == 1
        assert "cookie: a=1; b=2" in server.heads[1].lower()


async def test_the_client_follows_redirects(make_client: Make) -> None:
    with Hostile(says(b"", 307, "Location: /x/b"), fine) as server:
        client = make_client(follow_redirects=True)
        response = await client.post(url_of(server), content=b"abc")
        await client.aclose()
        assert response.status_code == 200
        assert server.requests == ["POST /x/a HTTP/1.1", "POST /x/b HTTP/1.1"]
        assert server.bodies == [b"abc", b"abc"]


@pytest.mark.parametrize("coding", ["gzip", "br9"])
async def test_the_body_is_left_as_it_arrives(make_client: Make, coding: str) -> None:
    sent = gzip.compress(b"fine")
    with Hostile(says(sent, 200, f"Content-Encoding: {coding}")) as server:
        client = make_client()
        response = await client.get(url_of(server))
        await client.aclose()
        assert response.headers["content-encoding"] == coding
        assert response.content == (b"fine" if coding == "gzip" else sent)


async def test_an_answer_is_read_piece_by_piece(make_client: Make) -> None:
    with Hostile(streams(b"one", b"two", pause=0.05)) as server:
        client = make_client()
        response = await begin(client, server)
        assert [piece async for piece in response.aiter_bytes()] == [b"one", b"two"]
        await response.aclose()
        await client.aclose()


async def test_connections_are_used_again(make_client: Make) -> None:
    with Hostile(stays) as server:
        client = make_client()
        for _ in range(3):
            await client.get(url_of(server))
        assert (server.accepted, server.ended) == (1, 0)
        await client.aclose()
        await until(server.is_left, "the idle connection to be closed")


async def test_each_server_has_connections_of_its_own(make_client: Make) -> None:
    with Hostile(stays) as one, Hostile(stays) as two:
        client = make_client()
        for server in (one, two, one, two):
            await client.get(url_of(server))
        assert (one.accepted, two.accepted) == (1, 1)
        await client.aclose()
        await until(one.is_left, "the first server to be left")
        await until(two.is_left, "the second server to be left")


# Bodies of requests


async def test_a_body_of_unknown_length_is_sent_in_chunks(make_client: Make) -> None:
    with Hostile(fine) as server:
        client = make_client()
        response = await client.send(streamed(server, b"ab", b"", b"cde"))
        await client.aclose()
        assert response.status_code == 200
        assert server.bodies == [b"2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"]


async def test_a_body_of_known_length_is_not(make_client: Make) -> None:
    with Hostile(fine) as server:
        client = make_client()
        await client.send(streamed(server, b"ab", b"", b"cde", length=5))
        await client.aclose()
        assert server.bodies == [b"abcde"]
        assert "transfer-encoding" not in server.heads[0].lower()


@pytest.mark.parametrize("length", [4, 6])
async def test_a_body_of_another_length_is_an_error(make_client: Make, length: int) -> None:
    with Hostile(fine) as server:
        client = make_client()
        with pytest.raises(httpx.LocalProtocolError, match="Content-Length"):
            await client.send(streamed(server, b"ab", b"cde", length=length))
        await until(server.is_left, "the connection to end")
        await client.aclose()


async def test_what_a_body_raises_is_left_as_it_is(make_client: Make) -> None:
    for error in (OSError("no such disk"), KeyError("a")):
        with Hostile(fine) as server:
            client = make_client()
            with pytest.raises(type(error)) as caught:
                await client.send(streamed(server, b"ab", error))
            assert caught.value is error
            await until(server.is_left, "the connection to end")
            await client.aclose()


async def test_a_connection_that_has_not_taken_the_request_is_not_used_again(
    make_client: Make,
) -> None:
    """The rest of the body would be the beginning of the next request."""
    large = b"x" * 20_000_000

    def early(exchange: Exchange) -> None:
        exchange.answer_and_stay(b"no")

    class EarlyServer(Hostile):
        """Answers once it has seen the head."""

        def _serve_one(self, connection: Any) -> bool:
            head = connection.recv(65536).decode("latin-1")
            if not head:
                return False
            self.requests.append(head.partition("\r\n")[0])
            connection.sendall(b"HTTP/1.1 413 X\r\nContent-Length: 2\r\n\r\nno")
            self.closing.wait(5)
            return False

    with EarlyServer(early) as server:
        client = make_client()
        for body in (large, Stream(*[large[:65536]] * 300)):
            request = (
                client.build_request("POST", url_of(server), content=body)
                if isinstance(body, bytes)
                else streamed(server, *body.pieces)
            )
            response = await client.send(request)
            assert (response.status_code, response.content) == (413, b"no")
        assert server.accepted == 2
        await client.aclose()


@given(body=st.binary(max_size=300), pieces=st.lists(st.binary(max_size=50), max_size=6))
def test_any_body_arrives(body: bytes, pieces: list[bytes]) -> None:
    async def run() -> None:
        with Hostile(stays) as server:
            async with httpx.AsyncClient(transport=AsyncEngineTransport()) as client:
                await client.post(url_of(server), content=body)
                await client.send(streamed(server, *pieces, length=sum(map(len, pieces))))
            assert server.bodies == [body, b"".join(pieces)]
            with httpx.Client(transport=EngineTransport()) as client:
                await asyncio.to_thread(client.post, url_of(server), content=body)
            assert server.bodies[2] == body
            assert server.accepted == 2

    asyncio.run(run())


# Failures


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (cut, httpx.RemoteProtocolError),
        (streams(b"one", ends=False), httpx.RemoteProtocolError),
        (lambda exchange: exchange.write(b"SSH-2.0\r\n\r\n"), httpx.RemoteProtocolError),
        (lambda exchange: exchange.write(b"HTTP/1.1 101 X\r\n\r\n"), httpx.RemoteProtocolError),
        (silent_after(), httpx.ReadTimeout),
        (silent_after(b"one"), httpx.ReadTimeout),
    ],
    ids=["cut", "cut in the middle", "nonsense", "upgrade", "silent", "silent in the middle"],
)
async def test_failures_are_those_of_httpx(
    make_client: Make, act: Callable[[Exchange], None], kind: type[httpx.RequestError]
) -> None:
    with Hostile(act) as server:
        client = make_client(timeout=SOON)
        with pytest.raises(httpx.RequestError) as caught:
            await client.get(url_of(server))
        assert type(caught.value) is kind
        assert str(caught.value)
        assert caught.value.request.url == url_of(server)
        await until(server.is_left, "the connection to end")
        await client.aclose()


async def test_no_connection_is_an_error_of_httpx(make_client: Make) -> None:
    client = make_client()
    with pytest.raises(httpx.ConnectError, match=r"(?i)refused"):
        await client.get(f"http://127.0.0.1:{free_port()}")
    await client.aclose()


async def test_a_server_that_does_not_read_is_a_write_timeout(make_client: Make) -> None:
    with Hostile(fine, reading_pause=30) as server:
        client = make_client(timeout=httpx.Timeout(30, write=0.2))
        with pytest.raises(httpx.WriteTimeout):
            await client.post(url_of(server), content=b"x" * 50_000_000)
        await client.aclose()


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (httpx.Request("GET", "ftp://a.example"), httpx.UnsupportedProtocol),
        (httpx.Request("GET", "http://a_-.example-"), httpx.LocalProtocolError),
        (
            httpx.Request("GET", "http://a.example", headers={"A": "b\r\nc"}),
            httpx.LocalProtocolError,
        ),
        (httpx.Request("GET", "http://a.example", headers={"A b": "c"}), httpx.LocalProtocolError),
        (httpx.Request("G T", "http://a.example"), httpx.LocalProtocolError),
        (
            httpx.Request("GET", "http://a.example", extensions={"target": b"/ HTTP/1.1\r\n"}),
            httpx.LocalProtocolError,
        ),
    ],
    ids=["scheme", "host", "value", "name", "method", "target"],
)
async def test_what_cannot_be_sent_is_an_error(
    make_client: Make, request_: httpx.Request, kind: type[httpx.RequestError]
) -> None:
    client = make_client()
    with pytest.raises(kind):
        await client.send(request_)
    await client.aclose()


async def test_an_interim_answer_is_passed_over(make_client: Make) -> None:
    def act(exchange: Exchange) -> None:
        exchange.write(b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n")
        fine(exchange)

    with Hostile(act) as server:
        client = make_client()
        assert (await client.get(url_of(server))).status_code == 200
        await client.aclose()


# Ends


async def test_an_answer_that_is_left_ends_its_connection(make_client: Make) -> None:
    with Hostile(silent_after(b"one"), fine) as server:
        client = make_client()
        response = await begin(client, server)
        await response.aclose()
        await until(server.is_left, "the connection to end")
        assert (await client.get(url_of(server))).status_code == 200
        await client.aclose()


async def test_a_forgotten_answer_ends_its_connection(make_client: Make) -> None:
    with Hostile(silent_after(b"one")) as server:
        client = make_client()
        response = await begin(client, server)
        del response
        await until(server.is_left, "the connection to end")
        await client.aclose()


async def test_closing_leaves_what_is_in_use_until_it_is_read() -> None:
    with Hostile(streams(b"one", b"two", pause=0.2)) as server:
        transport = AsyncEngineTransport()
        request = httpx.Request("GET", url_of(server))
        response = await transport.handle_async_request(request)
        await transport.aclose()
        assert await response.aread() == b"onetwo"
        await response.aclose()
        await until(server.is_left, "the connection to end")


async def test_requests_that_are_cancelled_end_their_connections() -> None:
    with Hostile(silent_after()) as server:
        async with httpx.AsyncClient(transport=AsyncEngineTransport(), timeout=30) as client:
            tasks = [asyncio.create_task(client.get(url_of(server))) for _ in range(20)]
            await until(lambda: len(server.requests) == 20, "all requests to arrive")
            for _ in range(2):
                for task in tasks:
                    task.cancel()
                await asyncio.sleep(0)
            await asyncio.gather(*tasks, return_exceptions=True)
            await until(server.is_left, "all connections to end")


def test_a_transport_may_be_used_on_one_event_loop_after_another() -> None:
    with Hostile(stays) as server:
        transport = AsyncEngineTransport()

        async def get() -> int:
            request = httpx.Request("GET", url_of(server))
            response = await transport.handle_async_request(request)
            await response.aread()
            await transport.aclose()
            return response.status_code

        assert [asyncio.run(get()), asyncio.run(get())] == [200, 200]


async def test_many_threads_may_use_a_transport() -> None:
    with Hostile(stays) as server, httpx.Client(transport=EngineTransport()) as client:
        codes: list[int] = []

        def work() -> None:
            codes.extend(client.get(url_of(server)).status_code for _ in range(10))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        await asyncio.to_thread(lambda: [thread.join() for thread in threads])
        assert codes == [200] * 80
        assert server.accepted <= 8


# Other packages


async def test_ollama_python_may_send_by_the_engine(make_client: Make) -> None:
    last = chat_line(done=True, done_reason="stop")
    with Hostile(fine, streams(chat_line("a"), chat_line("b"), last)) as server:
        if isinstance(make_client(), Threaded):
            client = ollama.Client(server.host, transport=EngineTransport())
            plain = await asyncio.to_thread(client.chat, "m", [])
            stream = client.chat("m", [], stream=True)
            pieces = await asyncio.to_thread(lambda: [part.message.content for part in stream])
        else:
            other = ollama.AsyncClient(server.host, transport=AsyncEngineTransport())
            plain = await other.chat("m", [])
            pieces = [part.message.content async for part in await other.chat("m", [], stream=True)]
        assert plain.message.content == "fine"
        assert pieces == ["a", "b", ""]
