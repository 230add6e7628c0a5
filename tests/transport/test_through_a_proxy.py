"""Through a forward proxy that was not written for these tests: proxy.py, a program of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from manager.config.proxy_url import parse_proxy
from manager.transport.exceptions import ConnectFailed, ConnectionLost, ProxyFailed
from manager.transport.http1 import MAX_HEAD

from .both import acquired, deadlines, over_both
from .certified import CA, context, secure
from .peers import CHUNKED, LAST_CHUNK, OK, PATIENCE, Peer, chunk, serves

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from manager.transport.proxies import Proxy

    from .both import Shell
    from .peers import Wire

REFUSED = "refused.invalid"


@pytest.fixture(scope="module")
def proxy_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder: Path = tmp_path_factory.mktemp("proxy")
    port_file = folder / "port"
    command = [sys.executable, "-m", "proxy", "--hostname=127.0.0.1", "--port=0"]
    command += [f"--port-file={port_file}", f"--data-dir={folder}", "--basic-auth=me:s3cret"]
    command += ["--num-workers=1", "--num-acceptors=1", "--log-level=ERROR"]
    command += ["--plugins=proxy.plugin.FilterByUpstreamHostPlugin"]
    command += [f"--filtered-upstream-hosts={REFUSED}"]
    with subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            deadline = time.monotonic() + PATIENCE
            while not port_file.exists() or not port_file.read_text().endswith("\n"):
                assert time.monotonic() < deadline, "the proxy did not start"
                assert process.poll() is None
                time.sleep(0.02)
            yield int(port_file.read_text().split()[0])
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def proxy_at(port: int, credentials: str = "me:s3cret@") -> Proxy:
    return parse_proxy(f"http://{credentials}127.0.0.1:{port}", "the test")


def fields(head: bytes) -> dict[bytes, bytes]:
    lines = [line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:]]
    return dict(lines)  # type: ignore[arg-type]


@over_both
async def test_a_server_without_tls(shell: Shell, proxy_port: int) -> None:
    with Peer(serves(OK, CHUNKED + chunk(b"two") + LAST_CHUNK)) as peer:
        engine = shell.engine(f"{peer.origin}/prefix", proxy=proxy_at(proxy_port))
        assert await shell.get(engine) == (200, b"ok")
        assert await shell.get(engine, bytes(300_000)) == (200, b"two")
        for head in peer.heads:
            assert b"/prefix/x HTTP/1.1" in head
            assert fields(head)[b"host"] == f"127.0.0.1:{peer.port}".encode()
            assert fields(head)[b"user-agent"] == b"tests"


@over_both
async def test_a_server_with_tls(shell: Shell, proxy_port: int) -> None:
    with secure(serves(OK, CHUNKED + chunk(b"two") + LAST_CHUNK)) as peer:
        engine = shell.engine(f"{peer.origin}/prefix", proxy=proxy_at(proxy_port), verify=CA)
        assert await shell.get(engine) == (200, b"ok")
        assert await shell.get(engine, bytes(300_000)) == (200, b"two")
        assert peer.accepted == 1
        for head in peer.heads:
            assert head.startswith(b"POST /prefix/x HTTP/1.1\r\n")
            assert b"proxy-authorization" not in head.lower()


@over_both
async def test_a_stream_that_is_aborted(shell: Shell, proxy_port: int) -> None:
    """The end gets through to the server."""

    def script(wire: Wire) -> None:
        wire.answer(CHUNKED + chunk(b"x"))
        wire.until_end()

    for peer in (Peer(script), secure(script)):
        with peer:
            engine = shell.engine(peer.origin, proxy=proxy_at(proxy_port), verify=CA)
            exchange = await shell.ask(engine)
            assert await exchange.read(deadlines().streaming()) == b"x"
            exchange.abort()
            with pytest.raises(ConnectionLost):
                await exchange.read(deadlines().streaming())
            await exchange.release()
            await acquired(peer.ended)


@pytest.mark.parametrize("credentials", ["", "me:wrong@"])
@over_both
async def test_credentials_that_are_wrong(shell: Shell, proxy_port: int, credentials: str) -> None:
    proxy = proxy_at(proxy_port, credentials)
    with Peer(serves(OK)) as peer:
        assert (await shell.get(shell.engine(peer.origin, proxy=proxy)))[0] == 407
        with pytest.raises(ProxyFailed, match="credentials") as caught:
            await shell.get(shell.engine("https://127.0.0.1:1", proxy=proxy))
        assert caught.value.status == 407
        assert peer.heads == []


@over_both
async def test_a_server_that_the_proxy_refuses(shell: Shell, proxy_port: int) -> None:
    engine = shell.engine(f"https://{REFUSED}", proxy=proxy_at(proxy_port))
    with pytest.raises(ProxyFailed, match="refused") as caught:
        await shell.get(engine)
    assert caught.value.status == 418  # this proxy's sense of humour


# Proxies as bad as can be


def tunnel(shell: Shell, peer: Peer) -> Any:
    return shell.engine("https://far.invalid", proxy=proxy_at(peer.port, ""), verify=CA)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nnever", 403),
        (b"HTTP/1.1 407 X\r\nProxy-Authenticate: Basic\r\nTransfer-Encoding: chunked\r\n\r\n", 407),
        (b"HTTP/1.0 502 Bad Gateway\r\n\r\n<html>", 502),
        (b"HTTP/1.1 301 X\r\nLocation: /\r\n\r\n", 301),
    ],
)
@over_both
async def test_a_refusal(shell: Shell, answer: bytes, status: int) -> None:
    with Peer(serves(answer)) as peer:
        engine = tunnel(shell, peer)
        with pytest.raises(ProxyFailed) as caught:
            await shell.get(engine)
        assert caught.value.status == status
        assert peer.heads[0].startswith(b"CONNECT far.invalid:443 HTTP/1.1\r\n")
        assert engine.pool.idle_count == 0


def silent(wire: Wire) -> None:
    wire.request()


def not_http(wire: Wire) -> None:
    wire.answer(b"220 mail.example\r\n")


def endless(wire: Wire) -> None:
    wire.answer(b"HTTP/1.1 200 OK\r\nA: " + b"x" * (2 * MAX_HEAD))


def dug_and_gone(wire: Wire) -> None:
    wire.answer(b"HTTP/1.1 200 OK\r\n\r\n")


def speaks_first(wire: Wire) -> None:
    wire.answer(b"HTTP/1.1 200 OK\r\n\r\nI am a teapot\r\n\r\n")
    wire.until_end()


@pytest.mark.parametrize("script", [silent, not_http, endless, dug_and_gone, speaks_first])
@over_both
async def test_a_tunnel_that_fails(shell: Shell, script: Callable[[Wire], None]) -> None:
    with Peer(script) as peer:
        engine = tunnel(shell, peer)
        with pytest.raises(ConnectFailed) as caught:
            await shell.get(engine)
        assert str(caught.value)
        assert engine.pool.idle_count == 0


@pytest.mark.parametrize("length", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"])
@over_both
async def test_a_body_that_a_tunnel_does_not_have(shell: Shell, length: bytes) -> None:
    """RFC 9110 section 9.3.6: whatever the head says of one is to be ignored."""

    def script(wire: Wire) -> None:
        wire.answer(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n")
        wire.start_tls(context())
        serves(OK)(wire)

    with Peer(script) as peer:
        engine = shell.engine("https://localhost", proxy=proxy_at(peer.port, ""), verify=CA)
        assert await shell.get(engine) == (200, b"ok")
        assert await shell.get(engine) == (200, b"ok")
        assert peer.accepted == 1


@over_both
async def test_a_proxy_that_is_gone(shell: Shell) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        for origin in ("http://far.invalid", "https://far.invalid"):
            engine = shell.engine(origin, proxy=proxy_at(port, ""))
            with pytest.raises(ConnectFailed, match=f"127.0.0.1:{port}.*refused"):
                await shell.get(engine)
