"""Connections that this side ends: from elsewhere, too late, or because they were forgotten."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from manager.transport._async.engine import AsyncEngine
from manager.transport.exceptions import ConnectionLost

from .both import Shell, acquired, arrived, begun, deadlines, over, over_both, run, until
from .peers import CHUNKED, LAST_CHUNK, OK, Peer, chunk, serves

if TYPE_CHECKING:
    from collections.abc import Callable

    from .peers import Wire

LARGE = bytes(50_000_000)


# Where a request may be when it is aborted


def hears_nothing(wire: Wire) -> None:
    wire.peer.reached.set()  # type: ignore[attr-defined]
    wire.wait()


def in_sending(wire: Wire) -> None:
    wire.head()
    hears_nothing(wire)


def in_head(wire: Wire) -> None:
    wire.request()
    wire.send(b"HTTP/1.1 200 OK\r\n")
    wire.peer.reached.set()  # type: ignore[attr-defined]
    wire.until_end()


def in_body(wire: Wire) -> None:
    wire.answer(CHUNKED + chunk(b"x"))
    wire.peer.reached.set()  # type: ignore[attr-defined]
    wire.until_end()


def peer_of(script: Callable[[Wire], None], **settings: Any) -> Any:
    peer = Peer(script, **settings)
    peer.reached = threading.Event()  # type: ignore[attr-defined]
    return peer


async def whole(exchange: Any, body: bytes) -> bytes:
    try:
        await exchange.open(body, deadlines())
        return await exchange.read_all(deadlines().reading())
    finally:
        await exchange.release()


@pytest.mark.parametrize("by", ["thread", "task", "all"])
@pytest.mark.parametrize("script", [in_sending, in_head, in_body])
@over_both
async def test_an_abort_from_elsewhere(
    shell: Shell, script: Callable[[Wire], None], by: str
) -> None:
    with peer_of(script) as peer:
        engine = shell.engine(peer.origin)
        exchange = engine.exchange("POST", "/x", None)
        async with begun(whole(exchange, LARGE if script is in_sending else b"")) as reader:
            await arrived(peer.reached)
            abort = engine.abort_all if by == "all" else exchange.abort
            if by == "thread":
                threading.Thread(target=abort).start()
            else:
                abort()
            with pytest.raises(ConnectionLost, match="by this program"):
                await reader
        if script is not in_sending:
            await acquired(peer.ended)
        assert engine.pool.idle_count == 0


@pytest.mark.parametrize("by", ["thread", "task", "all"])
@over_both
async def test_an_abort_during_the_handshake(shell: Shell, by: str) -> None:
    with peer_of(in_head) as peer, peer_of(lambda wire: hears_nothing(wire)) as silent:
        engine = shell.engine(f"https://127.0.0.1:{silent.port}", verify=False)
        exchange = engine.exchange("POST", "/x", None)
        async with begun(whole(exchange, b"")) as reader:
            await arrived(silent.reached)
            abort = engine.abort_all if by == "all" else exchange.abort
            if by == "thread":
                threading.Thread(target=abort).start()
            else:
                abort()
            with pytest.raises(ConnectionLost, match="by this program"):
                await reader
        assert peer.accepted == 0


@over_both
async def test_an_abort_before_the_beginning(shell: Shell) -> None:
    with Peer(serves(OK)) as peer:
        engine = shell.engine(peer.origin)
        for _ in range(2):
            exchange = engine.exchange("POST", "/x", None)
            exchange.abort()
            with pytest.raises(ConnectionLost):
                await whole(exchange, b"")
            assert await shell.get(engine) == (200, b"ok")  # now there is an idle connection
        engine.abort_all()
        with pytest.raises(ConnectionLost):
            await shell.get(engine)


@over_both
async def test_abort_all_ends_idle_connections(shell: Shell) -> None:
    def script(wire: Wire) -> None:
        wire.answer()
        wire.until_end()

    with Peer(script) as peer:
        engine = shell.engine(peer.origin)
        await shell.get(engine)
        engine.abort_all()
        await acquired(peer.ended)


@over_both
async def test_an_abort_twice_and_of_what_has_ended(shell: Shell) -> None:
    with peer_of(in_body) as peer:
        engine = shell.engine(peer.origin)
        exchange = await shell.ask(engine)
        exchange.abort()
        exchange.abort()
        with pytest.raises(ConnectionLost):
            await exchange.read_all(deadlines().reading())
        await exchange.release()
        await exchange.release()
        exchange.abort()
        assert exchange.abort_unanswered() is False


# Too late


@over_both
async def test_an_abort_after_the_release_does_not_hit_the_next_request(shell: Shell) -> None:
    """Each exchange is aborted about when its answer has been read; the next one must be whole."""
    with Peer(serves(OK)) as peer:
        engine = shell.engine(peer.origin)
        aborted = 0
        for round_ in range(150):
            exchange = await shell.ask(engine)
            ready = threading.Barrier(2)

            def abort(exchange: Any = exchange, ready: Any = ready, steps: int = round_) -> None:
                ready.wait(30)
                for _ in range(steps * 20 % 700):
                    pass
                exchange.abort()

            thread = threading.Thread(target=abort)
            thread.start()
            await asyncio.to_thread(ready.wait, 30)
            try:
                assert await exchange.read_all(deadlines().reading()) == b"ok"
            except ConnectionLost:
                aborted += 1
            await exchange.release()
            assert await shell.get(engine) == (200, b"ok")
            thread.join()
            assert await shell.get(engine) == (200, b"ok")
        assert aborted < 150


def test_a_race_of_aborts_and_ends() -> None:
    """Threads that abort what another one is closing raise nothing, and hit nothing else."""
    with Peer(serves(OK)) as peer:
        engine = Shell("sync").engine(peer.origin).target
        failures: list[BaseException] = []
        current: list[Any] = []
        done = threading.Event()

        def abort() -> None:
            try:
                while not done.is_set():
                    for exchange in current[-1:]:
                        exchange.has_unread()
                        exchange.abort()
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=abort) for _ in range(2)]
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            for thread in threads:
                thread.start()
            for _ in range(300):
                exchange = engine.exchange("POST", "/x", None)
                with contextlib.suppress(ConnectionLost):
                    exchange.open(b"", deadlines())
                    current.append(exchange)
                    exchange.read_all(deadlines().reading())
                exchange.release()
        finally:
            done.set()
            for thread in threads:
                thread.join()
            sys.setswitchinterval(interval)
        assert failures == []


# Much that is not read


def floods(wire: Wire) -> None:
    wire.request()
    wire.send(CHUNKED)
    data = chunk(bytes(60_000)) * 16
    with contextlib.suppress(OSError):
        for _ in range(105):
            wire.send(data)
            wire.peer.sent += 960_000  # type: ignore[attr-defined]
        wire.send(LAST_CHUNK)
    wire.peer.ended.release()


def flood() -> Any:
    peer = Peer(floods)
    peer.sent = 0  # type: ignore[attr-defined]
    return peer


async def until_held_back(peer: Any) -> None:
    """Wait until the server has not been able to send for a while."""
    sent = -1
    while sent != peer.sent or not peer.sent:
        sent = peer.sent
        await asyncio.sleep(0.1)


@over_both
async def test_a_reader_that_is_slow_holds_the_server_back(shell: Shell) -> None:
    with flood() as peer:
        engine = shell.engine(peer.origin)
        connection = await shell.connection(engine)
        exchange = await shell.ask(engine)
        connection.close()
        await until_held_back(peer)
        assert peer.sent < 50_000_000  # the buffers of the system
        first = await exchange.read(deadlines().streaming())
        assert 0 < len(first) < 1_000_000
        size = len(first)
        while (data := await exchange.read(deadlines().streaming())) is not None:
            assert len(data) < 1_000_000
            size += len(data)
        assert size == 105 * 16 * 60_000
        await exchange.release()
        assert engine.pool.idle_count == 1


@pytest.mark.parametrize("by", ["release", "abort", "thread"])
@over_both
async def test_a_held_back_answer_that_is_given_up(shell: Shell, by: str) -> None:
    with flood() as peer:
        engine = shell.engine(peer.origin)
        exchange = await shell.ask(engine)
        await until_held_back(peer)
        if by == "release":
            await exchange.release()
        elif by == "abort":
            exchange.abort()
        else:
            await asyncio.to_thread(exchange.abort)
        await acquired(peer.ended)
        if by != "release":
            with pytest.raises(ConnectionLost):
                await exchange.read_all(deadlines().reading())
            await exchange.release()
        assert engine.pool.idle_count == 0


# Cancelled, forgotten, and event loops that are over


@pytest.mark.parametrize("script", [in_sending, in_head, in_body])
@over("asyncio", "uvloop")
async def test_a_task_that_is_cancelled(shell: Shell, script: Callable[[Wire], None]) -> None:
    with peer_of(script) as peer:
        engine = shell.engine(peer.origin)
        exchange = engine.exchange("POST", "/x", None)
        async with begun(whole(exchange, LARGE if script is in_sending else b"")) as reader:
            await arrived(peer.reached)
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader
        if script is not in_sending:
            await acquired(peer.ended)
        assert engine.pool.idle_count == 0


@over("asyncio", "uvloop")
async def test_tasks_that_are_cancelled_at_any_step(shell: Shell) -> None:
    """Step by step through connecting, TLS not included, sending and reading; twice in a row."""
    with Peer(serves(OK)) as peer:
        engine = shell.engine(peer.origin)
        for steps in range(12):
            for again in (False, True):
                task = asyncio.ensure_future(whole(engine.exchange("POST", "/x", None), b""))
                for _ in range(steps):
                    await asyncio.sleep(0)
                task.cancel()
                if again:
                    await asyncio.sleep(0)
                    task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    assert await task == b"ok"
                assert await shell.get(engine) == (200, b"ok")
        gc.collect()
        await until(lambda: engine.pool.open_count == engine.pool.idle_count)


def test_a_connection_that_is_forgotten_is_closed() -> None:
    with peer_of(in_body) as peer:
        engine: Any = Shell("sync").engine(peer.origin).target
        exchange = engine.exchange("POST", "/x", None)
        exchange.open(b"", deadlines())
        del exchange
        gc.collect()
        assert peer.ended.acquire(timeout=30)


@pytest.mark.parametrize("state", ["idle", "body", "paused"])
@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_an_event_loop_that_ends_first(kind: str, state: str) -> None:
    """Connections that nobody closed end with their event loop, without a warning."""
    scripts = {"idle": idle_until_end, "body": in_body, "paused": floods}
    peer = peer_of(scripts[state])
    peer.sent = 0
    left: list[Any] = []

    async def main() -> None:
        shell = Shell(kind)
        engine = AsyncEngine(shell.settings(peer.origin))
        left.append(engine)
        if state == "idle":
            await shell.get(engine)
            return
        exchange = await shell.ask(engine)
        left.append(exchange)
        if state == "paused":
            await until_held_back(peer)

    with peer, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(main, kind)
        assert peer.ended.acquire(timeout=30)
        for exchange in left[1:]:
            exchange.abort()
            exchange.abort_unanswered()
            exchange.has_unread()
        left.clear()
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


def idle_until_end(wire: Wire) -> None:
    wire.answer()
    wire.until_end()
