"""Connections over TLS: who is trusted, where the end is, what an abort must not let through."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

import pytest

from manager.transport.exceptions import ConnectFailed, ConnectionLost, TransportError

from .both import acquired, deadlines, over, over_both, until
from .certified import CA, CLIENT, context, secure
from .peers import CHUNKED, LAST_CHUNK, OK, Peer, chunk, serves

if TYPE_CHECKING:
    from .both import Shell
    from .peers import Script, Wire

# Whom to trust


@over_both
async def test_a_server_that_the_ca_vouches_for(shell: Shell) -> None:
    with secure(serves(OK)) as peer:
        for origin in (peer.origin, f"https://localhost:{peer.port}"):
            engine = shell.engine(origin, verify=CA)
            for _ in range(2):
                assert await shell.get(engine) == (200, b"ok")
        assert peer.accepted == 2


@pytest.mark.parametrize(
    ("certificate", "host", "trusted", "reason"),
    [
        ("server.pem", "127.0.0.1", True, r"(?i)unable to get local issuer|self.signed"),
        ("server.pem", "127.0.0.2", CA, r"(?i)mismatch"),
        ("expired.pem", "127.0.0.1", CA, r"(?i)expired"),
    ],
)
@over_both
async def test_a_server_that_is_not_trusted(
    shell: Shell, certificate: str, host: str, trusted: bool | str, reason: str
) -> None:
    with Peer(serves(OK), context=context(certificate), host=host) as peer:
        with pytest.raises(ConnectFailed, match=reason) as caught:
            await shell.get(shell.engine(peer.origin, verify=trusted))
        assert f"TLS with {host}" in str(caught.value)
        assert peer.heads == []
        assert await shell.get(shell.engine(peer.origin, verify=False)) == (200, b"ok")


@over_both
async def test_a_server_that_wants_a_certificate(shell: Shell) -> None:
    with Peer(serves(OK), context=context(wants_certificate=True)) as peer:
        engine = shell.engine(peer.origin, verify=CA, cert=CLIENT)
        assert await shell.get(engine) == (200, b"ok")
        # with TLS 1.3 the refusal comes after the handshake, and perhaps an RST before its reason
        with pytest.raises(TransportError, match=r"(?i)certificate|reset by peer|broken pipe"):
            await shell.get(shell.engine(peer.origin, verify=CA))
        assert len(peer.heads) == 1


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
@over_both
async def test_a_server_that_does_not_speak_tls(shell: Shell, sent: bytes) -> None:
    def script(wire: Wire) -> None:
        wire.socket.recv(10_000)
        wire.send(sent)

    with Peer(script) as peer:
        engine = shell.engine(f"https://127.0.0.1:{peer.port}", verify=CA)
        with pytest.raises(ConnectFailed, match=r"TLS with 127\.0\.0\.1 failed: ."):
            await shell.get(engine)


@pytest.mark.parametrize(
    ("host", "asked"),
    [("localhost", "localhost"), ("localhost.", "localhost"), ("127.0.0.1", None)],
)
@over_both
async def test_the_name_that_is_asked_for(shell: Shell, host: str, asked: str | None) -> None:
    names: list[str | None] = []
    made = context()
    made.sni_callback = lambda _, name, __: names.append(name)
    with Peer(serves(OK), context=made) as peer:
        engine = shell.engine(f"https://{host}:{peer.port}", verify=CA)
        assert await shell.get(engine) == (200, b"ok")
        assert names == [asked]
        assert f"Host: {host}:{peer.port}".encode() in peer.heads[0].split(b"\r\n")


# Bodies


@over_both
async def test_large_requests_and_answers(shell: Shell) -> None:
    body = bytes(range(250)) * 8_000

    def script(wire: Wire) -> None:
        assert wire.request() == body
        wire.send(CHUNKED)
        for start in range(0, len(body), 100_000):
            wire.send(chunk(body[start : start + 100_000]))
        wire.send(LAST_CHUNK)
        serves(OK)(wire)

    with secure(script) as peer:
        engine = shell.engine(peer.origin, verify=CA)
        assert await shell.get(engine, body) == (200, body)
        assert await shell.get(engine) == (200, b"ok")
        assert peer.accepted == 1


def closes(wire: Wire) -> None:
    """Without the end of TLS, and perhaps with an RST."""


def stays(wire: Wire) -> None:
    wire.wait()


def says_goodbye(wire: Wire) -> None:
    """The end of TLS, and then that of the connection."""
    with contextlib.suppress(OSError):
        wire.socket.settimeout(0.01)
        wire.socket.unwrap()  # type: ignore[attr-defined]


def lingers(wire: Wire) -> None:
    """Send nothing more, but read what comes, as servers do so that their answer is read."""
    wire.finish()
    wire.until_end()


async def half_a_request(shell: Shell, then: Script) -> None:
    def hasty(wire: Wire) -> None:
        wire.head()
        wire.send(OK)
        then(wire)

    with secure(hasty, serves(OK)) as peer:
        engine = shell.engine(peer.origin, verify=CA)
        assert await shell.get(engine, bytes(50_000_000)) == (200, b"ok")
        assert engine.pool.idle_count == 0
        assert await shell.get(engine) == (200, b"ok")


@pytest.mark.parametrize("then", [stays, lingers])
@over_both
async def test_an_answer_to_half_a_request(shell: Shell, then: Script) -> None:
    await half_a_request(shell, then)


@over("sync")  # event loops may drop what came with an RST over TLS
async def test_an_answer_to_half_a_request_and_an_rst(shell: Shell) -> None:
    await half_a_request(shell, closes)


@pytest.mark.parametrize("then", [closes, says_goodbye])
@pytest.mark.parametrize(
    "sent",
    [b"", b"HTTP/1.1 200 OK\r\n", CHUNKED, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"],
)
@over_both
async def test_an_answer_that_is_cut(shell: Shell, sent: bytes, then: Script) -> None:
    def cut(wire: Wire) -> None:
        wire.answer(sent + (chunk(b"part") if sent == CHUNKED else b""))
        then(wire)

    with secure(cut) as peer:
        engine = shell.engine(peer.origin, verify=CA)
        with pytest.raises(ConnectionLost):
            await shell.get(engine)


@pytest.mark.parametrize("then", [closes, says_goodbye])
@over_both
async def test_what_came_with_the_end_is_read(shell: Shell, then: Script) -> None:
    def cut(wire: Wire) -> None:
        wire.answer(CHUNKED + chunk(b"zero"))
        for text in (b"one", b"two"):
            wire.send(chunk(text))
        then(wire)

    with secure(cut) as peer:
        engine = shell.engine(peer.origin, verify=CA)
        for _ in range(8):
            exchange = await shell.ask(engine)
            read = b""
            with contextlib.suppress(ConnectionLost):
                while True:
                    read += await exchange.read(deadlines().streaming())
            assert read == b"zeroonetwo"
            await exchange.release()


@over_both
async def test_an_answer_that_ends_with_tls(shell: Shell) -> None:
    def script(wire: Wire) -> None:
        wire.answer(b"HTTP/1.1 200 OK\r\n\r\none ")
        wire.send(b"two")
        says_goodbye(wire)

    with secure(script) as peer:
        for _ in range(5):
            engine = shell.engine(peer.origin, verify=CA)
            assert await shell.get(engine) == (200, b"one two")
            assert engine.pool.idle_count == 0


@over_both
async def test_a_reader_that_is_slow_holds_the_server_back(shell: Shell) -> None:
    sent = 0

    def floods(wire: Wire) -> None:
        nonlocal sent
        wire.request()
        wire.send(CHUNKED)
        for _ in range(30):
            wire.send(chunk(bytes(1_000_000)))
            sent += 1_000_000
        wire.send(LAST_CHUNK)
        serves(OK)(wire)

    with secure(floods) as peer:
        engine = shell.engine(peer.origin, verify=CA)
        exchange = await shell.ask(engine)
        before = -1
        while before != sent or not sent:
            before = sent
            await asyncio.sleep(0.1)
        assert sent < 25_000_000
        size = 0
        while (data := await exchange.read(deadlines().streaming())) is not None:
            assert len(data) < 1_000_000
            size += len(data)
        assert size == 30_000_000
        await exchange.release()
        assert await shell.get(engine) == (200, b"ok")


# Idle connections


@over_both
async def test_session_tickets_do_not_end_an_idle_connection(shell: Shell) -> None:
    """The server sends them after the handshake, when nothing has been asked yet."""
    with secure(serves(OK)) as peer:
        engine = shell.engine(peer.origin, verify=CA)
        connection = await shell.connection(engine)
        if shell.is_sync:
            await until(connection.has_unread)
            engine.pool.put(connection.target)
        else:
            await asyncio.sleep(0.05)  # the event loop reads them, and says so to nobody
            engine.pool.put(connection)
        for _ in range(2):
            assert await shell.get(engine) == (200, b"ok")
        assert peer.accepted == 1


def finishes(wire: Wire) -> None:
    wire.finish()
    wire.wait()


def speaks(wire: Wire) -> None:
    wire.send(OK)
    wire.wait()


@pytest.mark.parametrize("then", [closes, says_goodbye, finishes, speaks])
@over_both
async def test_an_idle_connection_that_is_not_idle(shell: Shell, then: Script) -> None:
    def once(wire: Wire) -> None:
        wire.answer()
        assert is_idle.wait(30)
        then(wire)

    is_idle = threading.Event()
    with secure(once, serves(OK)) as peer:
        engine = shell.engine(peer.origin, verify=CA)
        assert await shell.get(engine) == (200, b"ok")
        connection = engine.pool._idle[-1]
        assert connection.is_usable()
        is_idle.set()
        await until(lambda: not connection.is_usable())
        assert await shell.get(engine) == (200, b"ok")
        assert peer.accepted == 2


# Ends from elsewhere


@pytest.mark.parametrize("is_busy", [False, True])
@over_both
async def test_readers_that_are_aborted_get_nothing_but_body(shell: Shell, is_busy: bool) -> None:
    """Thirty of them, while records arrive or while nothing does."""

    def script(wire: Wire) -> None:
        wire.answer(CHUNKED + chunk(b"x" * 10))
        begun.release()
        with contextlib.suppress(OSError):
            while is_busy and not wire.peer.closing.wait(0.005):
                wire.send(chunk(b"x" * 1000))
        wire.until_end()

    async def read(exchange: Any) -> bytes:
        read = b""
        try:
            while (data := await exchange.read(deadlines().streaming())) is not None:
                read += data
                if len(read) > 1000:
                    started.release()
        except ConnectionLost as error:
            reasons.append(str(error))
        finally:
            await exchange.release()
        return read

    begun, started = threading.Semaphore(0), threading.Semaphore(0)
    reasons: list[str] = []
    with secure(script) as peer:
        engine = shell.engine(peer.origin, verify=CA)
        exchanges = [await shell.ask(engine) for _ in range(30)]
        readers = [asyncio.ensure_future(read(exchange)) for exchange in exchanges]
        for _ in exchanges:
            await acquired(started if is_busy else begun)

        def abort() -> None:
            for exchange in exchanges:
                exchange.abort()

        thread = threading.Thread(target=abort)
        thread.start()
        for reader in readers:
            assert set(await asyncio.wait_for(reader, 30)) <= {ord("x")}
        thread.join()
        for _ in exchanges:
            await acquired(peer.ended)
        assert set(reasons) == {"the connection was closed by this program"}
        assert len(reasons) == 30
        assert engine.pool.idle_count == 0
