"""Peers that are slow on purpose: each phase has an end, however they drip."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from manager.transport.exceptions import ConnectTimedOut, TransferTimedOut
from manager.transport.proxies import Proxy

from .both import deadlines, over_both
from .peers import CHUNKED, OK, Peer, chunk

if TYPE_CHECKING:
    from collections.abc import Callable

    from .both import Shell
    from .peers import Wire

LARGE = bytes(50_000_000)
SHORT = 0.25
NEVER_ENDING = b"x" * 100_000


def after_one(script: Callable[[Wire], None]) -> Callable[[Wire], None]:
    """Answer a request first, so that no limit passes before there is a connection."""

    def act(wire: Wire) -> None:
        wire.answer()
        script(wire)

    return act


@contextlib.contextmanager
def in_time(error: type[Exception]) -> Any:
    """The error comes, and not before its time."""
    began = time.monotonic()
    with pytest.raises(error):
        yield
    assert SHORT * 0.9 < time.monotonic() - began < 20


def is_silent(wire: Wire) -> None:
    wire.wait()


@pytest.mark.parametrize("which", ["first_token", "total"])
@over_both
async def test_a_server_that_does_not_read(shell: Shell, which: str) -> None:
    with Peer(after_one(is_silent)) as peer:
        engine = shell.engine(peer.origin)
        await shell.get(engine)
        with in_time(TransferTimedOut):
            await shell.ask(engine, LARGE, **{which: SHORT})


@over_both
async def test_a_server_that_reads_a_little_now_and_then(shell: Shell) -> None:
    def sips(wire: Wire) -> None:
        while not wire.peer.closing.wait(0.02):
            wire.socket.recv(50_000)

    with Peer(after_one(sips)) as peer:
        engine = shell.engine(peer.origin)
        await shell.get(engine)
        with in_time(TransferTimedOut):
            await shell.ask(engine, LARGE, total=SHORT)


def drips_head(wire: Wire) -> None:
    wire.request()
    wire.drip(b"HTTP/1.1 200 OK\r\nA: " + NEVER_ENDING)


def drips_informational(wire: Wire) -> None:
    wire.request()
    for _ in range(12):
        wire.drip(b"HTTP/1.1 100 Continue\r\n\r\n")


@pytest.mark.parametrize("script", [drips_head, drips_informational])
@pytest.mark.parametrize("which", ["first_token", "total"])
@over_both
async def test_a_head_that_drips(shell: Shell, script: Callable[[Wire], None], which: str) -> None:
    with Peer(after_one(script)) as peer:
        engine = shell.engine(peer.origin)
        await shell.get(engine)
        with in_time(TransferTimedOut):
            await shell.ask(engine, **{which: SHORT})


def drips_body(wire: Wire) -> None:
    wire.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    wire.drip(NEVER_ENDING)


def drips_chunks(wire: Wire) -> None:
    wire.answer(CHUNKED)
    while not wire.peer.closing.is_set():
        wire.drip(chunk(b"x"))


def drips_a_chunk_size(wire: Wire) -> None:
    wire.answer(CHUNKED)
    wire.drip(b"2;" + NEVER_ENDING)


def pours(wire: Wire) -> None:
    wire.answer(CHUNKED)
    while not wire.peer.closing.is_set():
        wire.send(chunk(bytes(1000)))


@pytest.mark.parametrize("script", [drips_body, drips_chunks, drips_a_chunk_size, pours])
@pytest.mark.parametrize("how", ["stream", "plain"])
@over_both
async def test_a_body_that_does_not_end(
    shell: Shell, script: Callable[[Wire], None], how: str
) -> None:
    with Peer(after_one(script)) as peer:
        engine = shell.engine(peer.origin)
        await shell.get(engine)
        exchange = engine.exchange("POST", "/x", None)
        limits = deadlines(total=SHORT)
        try:
            with in_time(TransferTimedOut):
                await exchange.open(b"", limits)
                if how == "plain":
                    await exchange.read_all(limits.reading())
                while how == "stream":
                    await exchange.read(limits.streaming())
        finally:
            await exchange.release()
        assert engine.pool.idle_count == 0


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\n", CHUNKED, CHUNKED + b"5\r\nx"])
@over_both
async def test_a_server_that_falls_silent(shell: Shell, sent: bytes) -> None:
    def script(wire: Wire) -> None:
        wire.answer(sent)
        wire.wait()

    with Peer(after_one(script)) as peer:
        engine = shell.engine(peer.origin)
        await shell.get(engine)
        exchange = engine.exchange("POST", "/x", None)
        limits = deadlines(first_token=SHORT, chunk=SHORT)
        try:
            with in_time(TransferTimedOut):
                await exchange.open(b"", limits)
                while True:
                    await exchange.read(limits.streaming())
        finally:
            await exchange.release()


@over_both
async def test_a_limit_that_did_not_pass_leaves_the_connection_alone(shell: Shell) -> None:
    """The timer of one wait goes on, and must not end a later one."""

    def script(wire: Wire) -> None:
        while True:
            wire.request()
            assert not wire.peer.closing.wait(SHORT / 2)
            wire.send(OK)

    with Peer(script) as peer:
        engine = shell.engine(peer.origin)
        for limits in ({"first_token": SHORT * 40}, {"first_token": None}, {}):
            for _ in range(2):
                exchange = await shell.ask(engine, **limits)
                assert await exchange.read_all(deadlines().reading()) == b"ok"
                await exchange.release()
        assert peer.accepted == 1


# While connecting


@pytest.fixture
def full() -> Any:
    """A port whose backlog is full: the system drops what asks for a connection."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("which", ["connect", "total"])
@over_both
async def test_a_server_that_accepts_nobody(shell: Shell, full: str, which: str) -> None:
    with in_time(ConnectTimedOut):
        await shell.ask(shell.engine(full), **{which: SHORT})


def drips_tls(wire: Wire) -> None:
    """A handshake record of 16 KiB, a byte at a time."""
    assert wire.socket.recv(1)  # servers do not speak first
    wire.drip(b"\x16\x03\x03\x40\x00" + bytes(16384))


@pytest.mark.parametrize("script", [is_silent, drips_tls])
@pytest.mark.parametrize("which", ["connect", "total"])
@over_both
async def test_a_handshake_that_does_not_end(
    shell: Shell, script: Callable[[Wire], None], which: str
) -> None:
    with Peer(script) as peer:
        engine = shell.engine(f"https://127.0.0.1:{peer.port}")
        with in_time(ConnectTimedOut):
            await shell.ask(engine, **{which: SHORT})


def proxy_at(peer: Peer) -> Proxy:
    url = f"http://127.0.0.1:{peer.port}"
    return Proxy(scheme="http", host="127.0.0.1", port=peer.port, url=url, source="the test")


def drips_connect(wire: Wire) -> None:
    wire.request()
    wire.drip(b"HTTP/1.1 200 Connected\r\nA: " + NEVER_ENDING)


def digs_and_is_silent(wire: Wire) -> None:
    wire.answer(b"HTTP/1.1 200 Connected\r\n\r\n")
    wire.wait()


@pytest.mark.parametrize("script", [is_silent, drips_connect, digs_and_is_silent])
@over_both
async def test_a_tunnel_that_is_not_dug(shell: Shell, script: Callable[[Wire], None]) -> None:
    with Peer(script) as peer:
        engine = shell.engine("https://far.invalid", proxy=proxy_at(peer))
        with in_time(ConnectTimedOut):
            await shell.ask(engine, connect=SHORT)


@over_both
async def test_a_limit_for_connecting_does_not_hold_for_the_answer(shell: Shell) -> None:
    """Nor for the next one: what the system was told of it for a socket is taken back."""

    def script(wire: Wire) -> None:
        while True:
            wire.request()
            assert not wire.peer.closing.wait(1.1)
            wire.send(OK)

    with Peer(script) as peer:
        engine = shell.engine(peer.origin)
        exchange = await shell.ask(engine, connect=1.0)
        assert await exchange.read_all(deadlines().reading()) == b"ok"
        await exchange.release()
