"""Runners that are stuck are replaced, and nothing else is: the supervisor and both managers."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from manager import ServerUnavailableError, StreamInterruptedError
from manager.supervisor.runners import has_slow_reader

from ..managers.either import SIMULATOR, Heard, children, make_async, make_sync, until
from ..ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="runners are watched through /proc")

TIMEOUT = 1.0
LONG = "write 200000 words"


@pytest.fixture(params=["sync", "async"])
def make(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Makes managers of one simulated server of two models."""
    for name in [name for name in os.environ if name.startswith("OLLAMA_")]:
        monkeypatch.delenv(name)
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    host = f"127.0.0.1:{free_port()}"
    make_one = make_sync if request.param == "sync" else make_async

    def make(timeout: float = TIMEOUT, slots: int = 0, **simulator: object) -> Any:
        env = {"MODELS": "a,b", "TOKEN_SECONDS": "0.005"} | simulator
        return make_one(
            host=host,
            binary=SIMULATOR,
            runner_timeout=timeout,
            num_parallel=slots,
            env={f"OLLAMA_SIMULATOR_{name}": str(value) for name, value in env.items()},
        )

    return make


async def begin(m: Any, model: str) -> tuple[Any, int]:
    """Begin a long answer; return it and the runner that was started for it."""
    before = children(m.status().pid) if m.status().pid else []
    stream = await m.chat(model, LONG, stream=True)
    await first(stream)
    (runner,) = set(children(m.status().pid)) - set(before)
    return stream, runner


async def first(stream: Any) -> None:
    async for _ in stream:
        return


async def first_bytes(stream: Any) -> None:
    await until(lambda: stream.partial is not None, "the answer to begin")


async def count(stream: Any, seen: list[Any]) -> None:
    async for chunk in stream:
        seen.append(chunk)  # noqa: PERF401  one by one, as they come


def reports(heard: Heard) -> list[str]:
    return [event.cause for event in heard.events if event.name == "server.unresponsive"]


async def test_a_runner_that_stops_in_the_middle_is_replaced_and_no_other_is_touched(
    make: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with make() as m:
        heard = Heard(m)
        stuck, victim = await begin(m, "a")
        other, neighbour = await begin(m, "b")
        server, log = m.status().pid, await m.server_log(1000)
        seen: list[Any] = []
        reading = asyncio.create_task(count(other, seen))
        os.kill(victim, signal.SIGSTOP)
        with caplog.at_level(logging.WARNING), pytest.raises(StreamInterruptedError) as raised:
            await stuck.final()
        assert raised.value.partial.message.content, "what had come is not lost"
        event = await heard.until("server.unresponsive")
        assert f"runner of a (pid {victim})" in event.cause
        assert event.status.state == "ready"
        assert any("runner of a" in record.message for record in caplog.records)
        assert (await m.chat("a", "hello")).message.content
        assert m.status().pid == server, "the server is the same"
        assert neighbour in children(server), "so is the runner of the other model"
        told = len(seen)
        await until(lambda: len(seen) > told + 10, "the other stream to go on")
        assert not reading.done()
        assert victim not in children(server)
        assert not [line for line in await m.server_log(1000) if "runner of" in line], log
        await other.close()
        await reading
        assert len(reports(heard)) == 1


async def test_a_call_that_waited_for_a_runner_of_a_left_stream_is_sent_again(
    make: Callable[..., Any],
) -> None:
    async with make() as m:
        heard = Heard(m)
        left, victim = await begin(m, "a")
        await until(lambda: _age(victim) > 1, "the runner to be old enough")
        await left.close()
        os.kill(victim, signal.SIGSTOP)
        answer = await m.chat("a", "hello")
        assert answer.message.content
        assert victim not in children(m.status().pid)
        assert "was killed" in (await heard.until("server.unresponsive")).cause
        assert len(reports(heard)) == 1
        assert "request.failed" not in heard.names


async def test_only_requests_that_wait_for_this_model_are_sent_again(
    make: Callable[..., Any],
) -> None:
    async with make(LOAD_SECONDS=1.5) as m:
        await m.start_server()
        heard = Heard(m)
        calls = [asyncio.create_task(m.chat(model, "hello")) for model in ("a", "b")]
        in_flight = getattr(m, "target", m)._session._transport._in_flight
        await until(lambda: len(in_flight.report()["waiting"]) == 2, "both to wait")
        in_flight.resend("a")
        event = await heard.until("request.retried")
        assert isinstance(event.error, ServerUnavailableError)
        assert all([(await call).message.content for call in calls])
        assert [e.model for e in heard.events if e.name == "request.retried"] == ["a"]


async def test_a_call_that_waits_behind_a_stuck_answer_is_answered(
    make: Callable[..., Any],
) -> None:
    async with make(slots=1) as m:
        heard = Heard(m)
        stuck, victim = await begin(m, "a")
        call = asyncio.create_task(m.chat("a", "hello"))
        os.kill(victim, signal.SIGSTOP)
        with pytest.raises(StreamInterruptedError):
            await stuck.final()
        assert (await call).message.content
        assert "was killed" in (await heard.until("server.unresponsive")).cause
        assert len(reports(heard)) == 1


async def test_while_any_client_does_not_read_nothing_is_killed(make: Callable[..., Any]) -> None:
    async with make(TOKEN_SECONDS=0) as m:
        heard = Heard(m)
        await m.start_server()
        host, _, port = m.status().host.rpartition("//")[2].rpartition(":")
        body = json.dumps({"model": "b", "messages": [{"role": "user", "content": LONG}]})
        head = f"POST /api/chat HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n"
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((host, int(port)))
            client.sendall((head + body).encode())
            server = m.status().pid
            await until(lambda: has_slow_reader(server, int(port)), "the server to be held up")
            stuck, victim = await begin(m, "a")
            os.kill(victim, signal.SIGSTOP)
            reading = asyncio.create_task(stuck.final())
            await asyncio.wait([reading], timeout=TIMEOUT * 2.5)
            assert victim in children(server)
            assert not reports(heard)
        with pytest.raises(StreamInterruptedError):
            await reading
        await until(lambda: reports(heard), "the report")


async def test_without_a_left_stream_a_call_that_waits_is_reported_once_and_left_alone(
    make: Callable[..., Any],
) -> None:
    async with make() as m:
        heard = Heard(m)
        await m.chat("a", "hello")
        (runner,) = children(m.status().pid)
        await until(lambda: _age(runner) > TIMEOUT * 2, "the load to be long over")
        os.kill(runner, signal.SIGSTOP)
        call = asyncio.create_task(m.chat("a", "hello"))
        event = await heard.until("server.unresponsive")
        assert f"runner of a (pid {runner})" in event.cause
        assert "left alone" in event.cause
        await asyncio.wait([call], timeout=TIMEOUT * 2)  # in which it could be told again
        assert not call.done()
        assert children(m.status().pid) == [runner]
        os.kill(runner, signal.SIGCONT)
        assert (await call).message.content
        assert len(reports(heard)) == 1


async def test_a_slow_reader_is_no_hang(make: Callable[..., Any]) -> None:
    async with make(TOKEN_SECONDS=0) as m:
        heard = Heard(m)
        stream, runner = await begin(m, "a")
        await asyncio.sleep(TIMEOUT * 2.5)
        assert children(m.status().pid) == [runner]
        await first(stream)
        await stream.close()
        assert not reports(heard)


async def test_a_program_that_is_busy_itself_is_no_hang(make: Callable[..., Any]) -> None:
    async with make(TOKEN_SECONDS=0.05) as m:
        heard = Heard(m)
        stream = await m.chat("a", "write 10 words", stream=True)
        reading = asyncio.create_task(stream.final())
        await first_bytes(stream)
        time.sleep(TIMEOUT * 3)  # noqa: ASYNC251  the event loop does not get to what has come
        assert (await reading).message.content
        assert len(children(m.status().pid)) == 1
        assert not reports(heard)


async def test_a_load_that_takes_long_is_no_hang(make: Callable[..., Any]) -> None:
    async with make(LOAD_SECONDS=TIMEOUT * 3) as m:
        heard = Heard(m)
        stream = await m.chat("a", "hello", stream=True)
        assert (await stream.final()).message.content
        assert len(children(m.status().pid)) == 1
        assert not reports(heard)


async def test_a_runner_that_nobody_uses_is_left_alone(make: Callable[..., Any]) -> None:
    async with make() as m, make() as n:
        heard = Heard(m)
        await m.chat("a", "hello")
        await n.start_server()
        stream, busy = await begin(n, "b")
        (idle,) = set(children(m.status().pid)) - {busy}
        seen: list[Any] = []
        reading = asyncio.create_task(count(stream, seen))
        started = time.monotonic()
        await until(lambda: time.monotonic() > started + TIMEOUT * 2.5)
        assert {idle, busy} == set(children(m.status().pid))
        await stream.close()
        await reading
        assert not reports(heard)


async def test_it_can_be_turned_off(make: Callable[..., Any]) -> None:
    async with make(timeout=0) as m:
        stream, runner = await begin(m, "a")
        os.kill(runner, signal.SIGSTOP)
        reading = asyncio.create_task(count(stream, []))
        await asyncio.wait([reading], timeout=TIMEOUT * 2.5)
        assert children(m.status().pid) == [runner]
        os.kill(runner, signal.SIGCONT)
        await stream.close()
        await reading


def _age(pid: int) -> float:
    started = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK")
