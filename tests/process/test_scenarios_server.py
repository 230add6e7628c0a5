"""What both managers withstand of the server: it dies, hangs, misbehaves, is replaced.

Played on the simulator here, and on a real Ollama by tests/live/test_live_faults.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from manager import (
    OllamaManagerError,
    ServerCrashedError,
    ServerStartError,
    StreamInterruptedError,
)

from ..managers.either import Heard, children, is_alive, until
from .stage import is_stopped, parent, send

if TYPE_CHECKING:
    from .stage import Stage

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="they look into /proc")

__all__ = [
    "test_crash_loop_ends_in_a_clear_error",
    "test_hung_server_is_replaced",
    "test_killed_server_with_streams_in_flight",
    "test_killed_supervisor",
    "test_killed_supervisor_takes_all_along",
    "test_log_that_nobody_reads",
    "test_poison_request_is_given_up",
    "test_port_stolen_between_crash_and_restart",
    "test_program_replaced_while_running",
    "test_server_that_cannot_be_used",
    "test_server_that_ignores_sigterm",
    "test_slow_start",
]


async def cut(stream: Any) -> None:
    """Read a stream whose server is lost: it says so, and keeps what came."""
    with pytest.raises(StreamInterruptedError) as caught:
        async for _ in stream:
            pass
    assert caught.value.partial.message.content
    assert not caught.value.partial.done
    assert caught.value.retryable


async def lose_the_server(stage: Stage, victim: signal.Signals, of: str) -> tuple[int, int]:
    """Kill with two streams in flight and three requests not yet answered."""
    async with stage.make() as m:
        heard = Heard(m, "request.started")
        streams = [await stage.stream(m), await stage.stream(m)]
        waiting = [asyncio.ensure_future(stage.answer(m)) for _ in range(3)]  # both slots are taken
        await heard.until("request.started", 5)
        server = m.status().pid
        before = stage.processes()
        assert {server, *children(server)} <= set(before)
        send(victim, parent(server) if of == "supervisor" else server)
        await asyncio.gather(*map(cut, streams))
        assert all(answer.done for answer in await asyncio.gather(*waiting))
        fresh = m.status()
        assert fresh.state == "ready"
        assert not [pid for pid in before if is_alive(pid)], "no orphan"
        assert stage.servers() == [fresh.pid]
        return server, fresh.restarts


async def test_killed_server_with_streams_in_flight(stage: Stage) -> None:
    _, restarts = await lose_the_server(stage, signal.SIGKILL, "server")
    assert restarts == 1


async def test_killed_supervisor(stage: Stage) -> None:
    most = 0

    async def count() -> None:
        nonlocal most
        while True:
            most = max(most, len(stage.servers()))
            await asyncio.sleep(0.005)

    counting = asyncio.ensure_future(count())
    await lose_the_server(stage, signal.SIGKILL, "supervisor")
    counting.cancel()
    assert most == 1, "never two servers"


async def test_killed_supervisor_takes_all_along(stage: Stage) -> None:
    async with stage.make() as m:
        assert await stage.answer(m)
        server = m.status().pid
        before = stage.processes()
        assert len(before) >= 2, "the server and a runner"
        send(signal.SIGKILL, parent(server))
        await until(lambda: not any(map(is_alive, before)), "all to be gone, without a call")
        await until(lambda: m.status().state == "stopped")
        assert await stage.answer(m), "the next call starts afresh"
        assert stage.servers() == [m.status().pid]


async def test_hung_server_is_replaced(stage: Stage) -> None:
    quick = {"liveness_interval": 0.2, "liveness_timeout": 0.3, "liveness_threshold": 2}
    async with stage.make(**quick) as m:
        heard = Heard(m)
        stream = await stage.stream(m)
        server = m.status().pid
        send(signal.SIGSTOP, server)
        await until(lambda: is_stopped(server))
        waiting = asyncio.ensure_future(m.list_models())
        await heard.until("server.unresponsive")
        assert await waiting
        await cut(stream)
        assert m.status().pid != server
        assert not is_alive(server)


async def test_crash_loop_ends_in_a_clear_error(stage: Stage) -> None:
    quick = {"restart_initial_delay": 0.01, "restart_max_delay": 0.05, "crash_loop_limit": 3}
    async with stage.make(binary=stage.faulty("crash=0.5"), **quick) as m:
        heard = Heard(m)
        with contextlib.suppress(ServerCrashedError):
            await m.start_server()  # it may be over already
        await heard.until("server.failed")
        with pytest.raises(ServerCrashedError) as caught:
            await m.list_models()
        assert caught.value.details["exit_code"] == 3
        assert m.status().state == "failed"


async def test_port_stolen_between_crash_and_restart(stage: Stage) -> None:
    async with stage.make(restart_initial_delay=1.0) as m:
        heard = Heard(m, "server.crashed", "server.failed")
        server = (await m.start_server()).pid
        send(signal.SIGKILL, server)  # so early that the restart waits
        await heard.until("server.crashed")
        with socket.create_server(("127.0.0.1", stage.port)) as thief:
            serving = asyncio.ensure_future(asyncio.to_thread(refuse, thief))
            with pytest.raises(ServerStartError) as caught:  # it is told apart from a crash
                await m.list_models()
            assert caught.value.code == "port_in_use"
            assert str(stage.port) in caught.value.message
            await heard.until("server.failed")
            thief.shutdown(socket.SHUT_RDWR)
            await serving
        assert (await m.start_server()).state == "ready", "a start asked for tries afresh"
        assert m.status().pid != server


def refuse(listener: socket.socket) -> None:
    """Answer as something that is not Ollama."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize("fault", ["exit", "mute", "other"])
async def test_server_that_cannot_be_used(stage: Stage, fault: str) -> None:
    async with stage.make(binary=stage.faulty(fault), start_timeout=1.0) as m:
        with pytest.raises(ServerStartError) as caught:
            await m.list_models()
        assert m.status().state == "failed"
        if fault == "exit":
            assert caught.value.details["exit_code"] == 7
            assert "told to fail" in str(caught.value.to_dict())
        else:
            assert "within 1 s" in str(caught.value)


async def test_slow_start(stage: Stage) -> None:
    async with stage.make(binary=stage.faulty("slow=1.5")) as m:
        waiting = asyncio.ensure_future(m.list_models())
        await until(lambda: m.status().state == "starting")
        assert await waiting


async def test_server_that_ignores_sigterm(stage: Stage) -> None:
    m = stage.make(binary=stage.faulty("stubborn"), stop_timeout=0.5)
    await stage.answer(m)
    assert stage.processes()
    await m.aclose()
    assert not stage.processes()


async def test_program_replaced_while_running(stage: Stage) -> None:
    program = stage.folder / "program"
    words = shlex.join(stage.binary)

    def install(version: str) -> None:
        new = stage.folder / "program.new"
        new.write_text(f'#!/bin/sh\nexport PROGRAM_VERSION={version}\nexec {words} "$@"\n')
        new.chmod(0o755)
        new.rename(program)

    def version_of(pid: int) -> str:
        words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        return next(word.decode() for word in words if word.startswith(b"PROGRAM_VERSION="))

    install("1")
    async with stage.make(binary=str(program)) as m, stage.make(binary=str(program)) as other:
        server = (await m.start_server()).pid
        install("2")
        assert (await other.start_server()).pid == server
        assert await m.list_models()
        assert version_of(server) == "PROGRAM_VERSION=1"
        fresh = (await m.restart_server()).pid
        assert version_of(fresh) == "PROGRAM_VERSION=2"
        assert await other.list_models()
        assert stage.servers() == [fresh]


async def test_log_that_nobody_reads(stage: Stage) -> None:
    async with stage.make(env=stage.settings["env"] | {"OLLAMA_DEBUG": "1"}) as m:
        for _ in range(20):
            await asyncio.gather(*(m.version() for _ in range(25)))
        assert await stage.answer(m)
        assert await m.server_log(5)


async def test_poison_request_is_given_up(stage: Stage) -> None:
    quick = {"initial_delay": 0.01, "max_attempts": 3}
    async with stage.make(
        binary=stage.faulty("poison"), retry=quick, restart_initial_delay=0.05
    ) as m:
        heard = Heard(m, "server.crashed")
        assert await stage.answer(m)
        with pytest.raises(OllamaManagerError) as caught:
            await m.chat(stage.model, "POISON", timeout=60)
        assert caught.value.code in ("connection_lost", "server_crashed")
        assert caught.value.attempts == 3
        await heard.until("server.crashed", 3)
        assert await stage.answer(m), "the next one works"
