"""One request and its answer on a real connection; docs/architecture.md has the states."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

from manager.transport.exceptions import ConnectionLost, InvalidAnswer, NeverSent

from .both import Shell, acquired, arrived, deadlines, over_both, until
from .certified import CA, secure
from .peers import CHUNKED, LAST_CHUNK, OK, Peer, chunk, serves

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .peers import Script, Wire

LARGE = bytes(50_000_000)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"

# What the server sends, what that is, and whether the connection takes another request.
ANSWERS: dict[str, tuple[str, bytes, int, bytes, bool]] = {
    "content-length": ("POST", OK, 200, b"ok", True),
    "empty": ("POST", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b"", True),
    "chunked": ("POST", CHUNKED + chunk(b"o") + chunk(b"k") + LAST_CHUNK, 200, b"ok", True),
    "extensions": ("POST", CHUNKED + b"2;a=b\r\nok\r\n" + LAST_CHUNK, 200, b"ok", True),
    "trailers": ("POST", CHUNKED + chunk(b"ok") + b"0\r\nA: b\r\nC: d\r\n\r\n", 200, b"ok", True),
    "204": ("POST", b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
    "304": ("POST", b"HTTP/1.1 304 X\r\nContent-Length: 9\r\n\r\n", 304, b"", True),
    "head": ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 200, b"", True),
    "head-chunked": ("HEAD", CHUNKED, 200, b"", True),
    "head-unknown": ("HEAD", b"HTTP/1.1 404 X\r\n\r\n", 404, b"", True),
    "informational": ("POST", CONTINUE + HINTS + OK, 200, b"ok", True),
    "close": (
        "POST",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        200,
        b"ok",
        False,
    ),
    "http/1.0": ("POST", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", False),
    "http/1.0-kept": (
        "POST",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
        200,
        b"ok",
        True,
    ),
    "surplus": ("POST", OK + b"more", 200, b"ok", False),
    "second answer": ("POST", OK + OK, 200, b"ok", False),
}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("pieces", ["whole", "bytes"])
@over_both
async def test_answers(shell: Shell, name: str, pieces: str) -> None:
    method, sent, status, body, is_kept = ANSWERS[name]

    def first(wire: Wire) -> None:
        wire.request()
        if pieces == "whole":
            wire.send(sent)
        else:
            wire.drip(sent, 0)
        serves(OK)(wire)

    with Peer(first, serves(OK)) as peer:
        engine = shell.engine(peer.origin)
        assert await shell.get(engine, method=method) == (status, body)
        if is_kept or pieces == "whole":
            assert engine.pool.idle_count == is_kept
        assert await shell.get(engine) == (200, b"ok")
        assert peer.accepted == (1 if is_kept else 2)
        assert engine.pool.idle_count == 1


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
@over_both
async def test_an_answer_that_ends_with_the_connection(shell: Shell, version: bytes) -> None:
    def until_close(wire: Wire) -> None:
        wire.answer(b"HTTP/%b 200 OK\r\n\r\none " % version)
        wire.send(b"two")

    with Peer(until_close, serves(OK)) as peer:
        engine = shell.engine(peer.origin)
        assert await shell.get(engine) == (200, b"one two")
        assert engine.pool.idle_count == 0
        assert await shell.get(engine) == (200, b"ok")


@over_both
async def test_a_body_of_many_pieces_arrives_in_order(shell: Shell) -> None:
    pieces = [b"%d," % number for number in range(20_000)]

    def many(wire: Wire) -> None:
        wire.request()
        wire.send(CHUNKED + b"".join(map(chunk, pieces)) + LAST_CHUNK)
        serves(OK)(wire)

    with Peer(many) as peer:
        engine = shell.engine(peer.origin)
        exchange = await shell.ask(engine)
        read = b""
        while (piece := await exchange.read(deadlines().streaming())) is not None:
            read += piece
        await exchange.release()
        assert read == b"".join(pieces)
        assert await shell.get(engine) == (200, b"ok")
        assert peer.accepted == 1


@pytest.mark.parametrize("size", [0, 1000, 100_000, 5_000_000])
@over_both
async def test_requests_of_all_sizes(shell: Shell, size: int) -> None:
    bodies: list[bytes] = []

    def script(wire: Wire) -> None:
        while True:
            bodies.append(wire.request())
            wire.send(OK)

    body = bytes(range(250)) * (size // 250)
    with Peer(script) as peer:
        engine = shell.engine(peer.origin)
        for _ in range(2):
            assert await shell.get(engine, body) == (200, b"ok")
        assert peer.accepted == 1
    assert bodies == [body, body]


# A server that answers before it has read everything


def stays(wire: Wire) -> None:
    wire.wait()


def closes(wire: Wire) -> None:
    """The system sends an RST: the request has not been read."""


def finishes(wire: Wire) -> None:
    wire.finish()
    wire.wait()


def resets(wire: Wire) -> None:
    wire.reset()


@pytest.mark.parametrize("then", [stays, closes, finishes, resets])
@pytest.mark.parametrize("size", [100_000, len(LARGE)])
@pytest.mark.parametrize(
    "answer", [OK, CHUNKED + chunk(b"o") + chunk(b"k") + LAST_CHUNK], ids=["length", "chunked"]
)
@over_both
async def test_an_answer_to_half_a_request(
    shell: Shell, then: Script, size: int, answer: bytes
) -> None:
    def hasty(wire: Wire) -> None:
        wire.head()
        wire.send(answer)
        if then is resets:  # what has not arrived is lost with the connection, by design of TCP
            assert answered.wait(30)
        then(wire)

    answered = threading.Event()
    with Peer(hasty, serves(OK)) as peer:
        engine = shell.engine(peer.origin)
        exchange = await shell.ask(engine, LARGE[:size])
        answered.set()
        assert exchange.status == 200
        assert await exchange.read_all(deadlines().reading()) == b"ok"
        await exchange.release()
        if size == len(LARGE):  # a small one may have been sent all the same
            assert engine.pool.idle_count == 0
            assert await shell.get(engine) == (200, b"ok")
            assert peer.accepted == 2


@over_both
async def test_an_answer_that_begins_before_the_request_is_sent_and_goes_on(shell: Shell) -> None:
    def hasty(wire: Wire) -> None:
        wire.head()
        wire.send(CHUNKED)
        for _ in range(50):
            wire.send(chunk(b"x" * 10_000))
        wire.send(LAST_CHUNK)
        wire.wait()

    with Peer(hasty) as peer:
        engine = shell.engine(peer.origin)
        exchange = await shell.ask(engine, LARGE)
        assert len(await exchange.read_all(deadlines().reading())) == 500_000
        await exchange.release()
        assert engine.pool.idle_count == 0


@over_both
async def test_an_informational_answer_does_not_end_the_request(shell: Shell) -> None:
    def script(wire: Wire) -> None:
        wire.head()
        wire.send(CONTINUE)
        size = len(wire.rest)
        while size < len(LARGE):
            size += len(wire.socket.recv(1 << 20))
        wire.rest = b""
        wire.send(OK)
        serves(OK)(wire)

    with Peer(script) as peer:
        engine = shell.engine(peer.origin)
        assert await shell.get(engine, LARGE) == (200, b"ok")
        assert await shell.get(engine) == (200, b"ok")
        assert peer.accepted == 1


# Connections that end


def nothing(wire: Wire) -> None:
    wire.request()


def half_a_head(wire: Wire) -> None:
    wire.answer(b"HTTP/1.1 200 OK\r\nConte")


def half_a_body(wire: Wire) -> None:
    wire.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok")


def half_a_chunk(wire: Wire) -> None:
    wire.answer(CHUNKED + b"5\r\nok")


def no_last_chunk(wire: Wire) -> None:
    wire.answer(CHUNKED + chunk(b"ok"))


@pytest.mark.parametrize("then", [closes, finishes, resets])
@pytest.mark.parametrize("script", [nothing, half_a_head, half_a_body, half_a_chunk, no_last_chunk])
@over_both
async def test_an_answer_that_is_cut(shell: Shell, script: Script, then: Script) -> None:
    def cut(wire: Wire) -> None:
        script(wire)
        then(wire)

    with Peer(cut, serves(OK)) as peer:
        engine = shell.engine(peer.origin)
        with pytest.raises(ConnectionLost):
            await shell.get(engine)
        assert engine.pool.idle_count == 0
        assert await shell.get(engine) == (200, b"ok")


async def read_until_lost(exchange: Any) -> bytes:
    read = b""
    try:
        while True:
            read += await exchange.read(deadlines().streaming())
    except ConnectionLost:
        return read


@over_both
async def test_what_came_before_the_cut_is_read(shell: Shell) -> None:
    def cut(wire: Wire) -> None:
        wire.answer(CHUNKED)
        assert asked.wait(30)
        wire.send(chunk(b"one") + chunk(b"two") + b"5\r\nthr")

    asked = threading.Event()
    with Peer(cut) as peer:
        exchange = await shell.ask(shell.engine(peer.origin))
        asked.set()
        if shell.is_sync:
            await until(exchange.has_unread)
        else:
            await until(lambda: exchange._connection._has_ended)
        assert await read_until_lost(exchange) == b"onetwothr"
        await exchange.release()


@over_both
async def test_what_came_with_the_end_is_read(shell: Shell) -> None:
    """The last piece and the end of the connection, both between two looks of the event loop."""

    def cut(wire: Wire) -> None:
        wire.answer(CHUNKED + chunk(b"zero"))
        for text in (b"one", b"two"):
            wire.send(chunk(text))

    with Peer(cut) as peer:
        for _ in range(20):
            exchange = await shell.ask(shell.engine(peer.origin))
            assert await read_until_lost(exchange) == b"zeroonetwo"
            await exchange.release()


@over_both
async def test_a_server_that_finishes_after_the_answer(shell: Shell) -> None:
    def once(wire: Wire) -> None:
        wire.answer()
        wire.finish()
        wire.until_end()

    with Peer(once, serves(OK)) as peer:
        engine = shell.engine(peer.origin)
        exchange = await shell.ask(engine)
        await until(exchange.has_unread)
        assert await exchange.read_all(deadlines().reading()) == b"ok"
        await exchange.release()
        await until(lambda: not engine.pool.idle_count or not _idle(engine).is_usable())
        assert await shell.get(engine) == (200, b"ok")
        assert peer.accepted == 2
        await acquired(peer.ended)


# Idle connections


def _idle(engine: Any) -> Any:
    return engine.pool._idle[-1]


def speaks(wire: Wire) -> None:
    wire.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
    wire.until_end()


def ends(wire: Wire) -> None:
    wire.finish()
    wire.until_end()


@pytest.mark.parametrize("then", [speaks, ends, resets])
@over_both
async def test_an_idle_connection_that_is_not_idle(shell: Shell, then: Script) -> None:
    def once(wire: Wire) -> None:
        wire.answer()
        assert is_idle.wait(30)
        then(wire)

    is_idle = threading.Event()
    with Peer(once, serves(OK)) as peer:
        engine = shell.engine(peer.origin)
        assert await shell.get(engine) == (200, b"ok")
        connection = _idle(engine)
        assert connection.is_usable()
        is_idle.set()
        await until(lambda: not connection.is_usable())
        assert await shell.get(engine) == (200, b"ok")
        assert peer.accepted == 2
        if then is not resets:
            await acquired(peer.ended)


@over_both
async def test_more_idle_connections_than_allowed(shell: Shell) -> None:
    def script(wire: Wire) -> None:
        wire.answer(CHUNKED)
        barrier.wait(30)
        wire.send(LAST_CHUNK)
        wire.until_end()

    barrier = threading.Barrier(3)
    with Peer(script) as peer:
        engine = shell.engine(peer.origin, max_keepalive=1)
        exchanges = [await shell.ask(engine) for _ in range(3)]
        for exchange in exchanges:
            await exchange.read_all(deadlines().reading())
        for exchange in exchanges:
            await exchange.release()
        assert engine.pool.idle_count == 1
        await acquired(peer.ended)
        await acquired(peer.ended)
        assert _idle(engine).is_usable()


@over_both
async def test_a_pool_that_is_closed(shell: Shell) -> None:
    def script(wire: Wire) -> None:
        wire.answer()
        wire.until_end()

    with Peer(script) as peer:
        engine = shell.engine(peer.origin)
        one, other = await shell.ask(engine), await shell.ask(engine)
        await one.read_all(deadlines().reading())
        await one.release()
        await shell.end()
        await acquired(peer.ended)
        await other.read_all(deadlines().reading())
        await other.release()
        await acquired(peer.ended)
        assert engine.pool.idle_count == 0


# Errors inside the event loop's callbacks


@over_both
async def test_what_is_not_http(shell: Shell) -> None:
    with Peer(serves(b"220 mail.example ESMTP\r\n"), serves(CHUNKED + b"zz\r\n")) as peer:
        engine = shell.engine(peer.origin)
        with pytest.raises(InvalidAnswer):
            await shell.get(engine)
        with pytest.raises(InvalidAnswer):
            await shell.get(engine)
        assert engine.pool.idle_count == 0


class Raises:
    """A parser into which a signal handler breaks."""

    has_head = is_complete = False

    def __init__(self, error: BaseException) -> None:
        self.body: list[bytes] = []
        self._error = error

    def feed(self, data: object) -> None:
        raise self._error


@pytest.mark.parametrize("error", [KeyboardInterrupt("now"), MemoryError(), OSError(5, "x")])
@over_both
async def test_what_the_parser_raises_comes_out_of_receive(
    shell: Shell, error: BaseException
) -> None:
    def script(wire: Wire) -> None:
        assert asked.wait(30)
        wire.send(b"x")
        wire.until_end()

    asked = threading.Event()
    with Peer(script) as peer:
        connection = await shell.connection(shell.engine(peer.origin))
        connection.begin(Raises(error))
        asked.set()
        caught: BaseException | None = None
        try:
            await connection.receive(deadlines().answering())
        except BaseException as raised:
            caught = raised
        assert caught is error
        connection.close()
        await acquired(peer.ended)


@over_both
async def test_who_asks_from_many_threads_whether_something_is_unread(shell: Shell) -> None:
    def script(wire: Wire) -> None:
        wire.answer(CHUNKED)
        assert asked.wait(30)
        wire.send(LAST_CHUNK)

    def ask() -> None:
        wrong.extend(unread for _ in range(2000) if (unread := exchange.has_unread()))

    asked, wrong = threading.Event(), list[bool]()
    with Peer(script) as peer:
        exchange = await shell.ask(shell.engine(peer.origin))
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(2000):
            exchange.has_unread()
        for thread in threads:
            await arrived_thread(thread)
        assert not wrong
        asked.set()
        assert await exchange.read_all(deadlines().reading()) == b""
        await exchange.release()


async def arrived_thread(thread: threading.Thread) -> None:
    done = threading.Event()
    threading.Thread(target=lambda: (thread.join(), done.set())).start()
    await arrived(done)


# Bodies that are sent in pieces


async def _each(pieces: Any) -> Any:
    for piece in pieces:
        yield piece


def pieces_for(shell: Shell, pieces: Any) -> Any:
    return iter(pieces) if shell.is_sync else _each(pieces)


@pytest.mark.parametrize("then", [stays, finishes, resets])
@over_both
async def test_an_answer_to_half_a_body_in_pieces(shell: Shell, then: Script) -> None:
    def hasty(wire: Wire) -> None:
        wire.head()
        wire.send(OK)
        if then is resets:
            assert answered.wait(30)
        then(wire)

    answered = threading.Event()
    with Peer(hasty, serves(OK)) as peer:
        engine = shell.engine(peer.origin)
        exchange = engine.exchange("POST", "/x", None)
        many = (bytes(60_000) for _ in range(1000))
        await exchange.open(pieces_for(shell, many), deadlines())
        answered.set()
        assert await exchange.read_all(deadlines().reading()) == b"ok"
        await exchange.release()
        assert next(many, None) is not None
        assert engine.pool.idle_count == 0
        assert await shell.get(engine) == (200, b"ok")


@pytest.mark.parametrize(
    ("error", "becomes"),
    [
        (OSError(5, "I/O error"), NeverSent),
        (TimeoutError("of a signal handler"), TimeoutError),
        (ZeroDivisionError(), ZeroDivisionError),
    ],
)
@over_both
async def test_a_body_that_cannot_be_read(
    shell: Shell, error: Exception, becomes: type[Exception]
) -> None:
    def breaks() -> Iterator[bytes]:
        yield b"one"
        raise error

    def script(wire: Wire) -> None:
        wire.head()
        wire.until_end()

    with Peer(script) as peer:
        engine = shell.engine(peer.origin)
        exchange = engine.exchange("POST", "/x", None)
        with pytest.raises(becomes):
            await exchange.open(pieces_for(shell, breaks()), deadlines())
        await exchange.release()
        await acquired(peer.ended)
        assert engine.pool.idle_count == 0


# Signal handlers


def _in_sending(wire: Wire) -> None:
    wire.head()
    wire.peer.reached.set()  # type: ignore[attr-defined]
    wire.wait()


def _in_head(wire: Wire) -> None:
    wire.request()
    wire.peer.reached.set()  # type: ignore[attr-defined]
    wire.until_end()


@pytest.mark.parametrize("script", [_in_sending, _in_head])
@pytest.mark.parametrize("is_secure", [False, True])
@pytest.mark.parametrize("error", [TimeoutError("mine"), ConnectionError("mine")])
def test_what_a_signal_handler_raises_is_not_taken_for_the_servers(
    script: Script, is_secure: bool, error: Exception
) -> None:
    """Programs limit their own time so: ``signal.alarm`` and a handler that raises TimeoutError."""

    def handle(*_: object) -> None:
        raise error

    def interrupt() -> None:
        assert peer.reached.wait(30)  # type: ignore[attr-defined]
        while not over.wait(0.05):  # the first may come before it waits
            signal.pthread_kill(main, signal.SIGUSR1)

    main, over = threading.get_ident(), threading.Event()
    peer = secure(script) if is_secure else Peer(script)
    peer.reached = threading.Event()  # type: ignore[attr-defined]
    before = signal.signal(signal.SIGUSR1, handle)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with peer:
            engine = Shell("sync").engine(peer.origin, verify=CA).target
            exchange = engine.exchange("POST", "/x", None)
            caught: BaseException | None = None
            try:
                exchange.open(LARGE if script is _in_sending else b"", deadlines())
            except Exception as raised:
                over.set()
                caught = raised
            assert caught is error
            exchange.release()
    finally:
        over.set()
        thread.join()
        signal.signal(signal.SIGUSR1, before)
