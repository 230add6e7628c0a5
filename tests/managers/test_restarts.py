"""Requests that meet a restart, and leases that nobody gave back."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from manager import RequestTimeoutError, ServerUnavailableError, StreamInterruptedError
from manager.transport._async.engine import AsyncEngine
from manager.transport._sync.engine import Engine

from ..process.stage import parent
from .either import PATIENCE, Heard, answers, is_alive, make_async, make_sync, until

if TYPE_CHECKING:
    from pathlib import Path

    from .either import Make

LONG = "write 20000 words"

SLOW_THE_SECOND_TIME = """
import pathlib, sys, time
from manager.simulator.__main__ import main
been_here = pathlib.Path(sys.argv.pop(1))
if been_here.exists():
    time.sleep({seconds})
been_here.touch()
sys.exit(main())
"""


def port_of(settings: dict[str, Any]) -> int:
    return int(settings["host"].rpartition(":")[2])


@pytest.fixture
def slow_restart(managed: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """A server whose second start takes longer than the budget of retries."""
    program = SLOW_THE_SECOND_TIME.format(seconds=1.0)
    managed["binary"] = [sys.executable, "-c", program, str(tmp_path / "been-here")]
    managed["retry"] = {"budget": 0.2, "max_attempts": 3}
    return managed


async def test_a_call_waits_for_the_restart_and_no_budget_ends_it(
    make: Make, slow_restart: dict[str, Any]
) -> None:
    async with make(**slow_restart) as m:
        heard = Heard(m, "request.retried", "server.ready")
        os.kill((await m.start_server()).pid, signal.SIGKILL)
        assert await m.list_models()
        assert m.status().restarts == 1
        await heard.until("server.ready", 2)
        assert len(heard.events) <= 3, "it waited to be told instead of trying again and again"


async def test_a_request_that_was_under_way_is_sent_again_once_the_server_is_back(
    make: Make, slow_restart: dict[str, Any]
) -> None:
    async with make(**slow_restart) as m:
        heard = Heard(m)
        await m.load_model("simulated")
        call = asyncio.ensure_future(m.chat("simulated", "write 60 words", think=False))
        await heard.until("request.started", 2)
        os.kill(m.status().pid, signal.SIGKILL)
        assert (await call).done
        assert heard.names.count("request.retried") == 1, "one loss, one retry"


async def test_a_call_does_not_wait_for_a_restart_beyond_its_own_timeout(
    make: Make, slow_restart: dict[str, Any]
) -> None:
    async with make(**slow_restart) as m:
        os.kill((await m.start_server()).pid, signal.SIGKILL)
        await until(lambda: m.status().state != "ready")
        with pytest.raises(RequestTimeoutError) as caught:
            await m.chat("simulated", "hello", timeout=0.1)
        assert "total" in str(caught.value)
        assert await m.list_models(), "giving up waiting harmed nothing"


async def test_calls_can_fail_at_once_instead(make: Make, slow_restart: dict[str, Any]) -> None:
    async with make(**slow_restart, while_restarting="fail") as m:
        await m.list_models()  # a first start is waited for all the same
        os.kill(m.status().pid, signal.SIGKILL)
        await until(lambda: m.status().state == "restarting")
        with pytest.raises(ServerUnavailableError) as caught:
            await m.list_models()
        assert caught.value.code == "server_restarting"
        assert "while_restarting" in str(caught.value)
        await until(lambda: m.status().state == "ready")
        assert await m.list_models()


async def test_who_waits_for_a_restart_does_not_hold_it_up(
    make: Make, managed: dict[str, Any]
) -> None:
    async with make(**managed, drain_timeout=60) as m, make(**managed, drain_timeout=60) as other:
        stream = await m.chat("simulated", LONG, stream=True, think=False)
        await anext(aiter(stream))
        before = m.status().pid
        restart = asyncio.ensure_future(other.restart_server())
        await until(lambda: m.status().state == "restarting")
        waiting = [asyncio.ensure_future(user.list_models()) for user in (m, other)]
        await asyncio.sleep(0)
        assert is_alive(before), "the stream goes on"
        await stream.close()
        after = await asyncio.wait_for(restart, 30)
        assert after.pid != before
        for call in waiting:
            assert await call


async def test_a_lost_stream_is_followed_by_a_call_that_works(
    make: Make, managed: dict[str, Any]
) -> None:
    async with make(**managed) as m:
        heard = Heard(m, "request.retried")
        for _ in range(3):
            stream = await m.chat("simulated", LONG, stream=True, think=False)
            await anext(aiter(stream))
            os.kill(m.status().pid, signal.SIGKILL)
            with pytest.raises(StreamInterruptedError):
                await stream.final()
            assert await m.version()
        assert heard.events == [], "nothing was sent to the dead server"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # its connections
@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_manager_that_is_dropped_gives_its_lease_back(
    kind: str, managed: dict[str, Any]
) -> None:
    m = make_sync(**managed).target if kind == "sync" else make_async(**managed)
    if kind == "sync":
        await asyncio.to_thread(m.start_server)
    else:
        await m.start_server()
    pid = m.status().pid
    del m
    gc.collect()
    await until(lambda: not is_alive(pid), "the end of the server")
    await until(lambda: not answers(port_of(managed)))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # its connections
def test_a_stream_keeps_the_server_of_a_manager_that_is_dropped(managed: dict[str, Any]) -> None:
    m = make_sync(**managed).target
    stream = m.chat("simulated", "write 200 words", stream=True, think=False)
    pid = m.status().pid
    assert pid is not None
    del m
    gc.collect()
    assert stream.final().done
    assert is_alive(pid)
    del stream
    deadline = time.monotonic() + PATIENCE
    while is_alive(pid):
        gc.collect()
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def test_a_cancelled_wait_is_not_complained_of(managed: dict[str, Any]) -> None:
    managed["binary"] = [sys.executable, "-c", "import time; time.sleep(60)"]
    said: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
    m = make_async(**managed)
    call = asyncio.ensure_future(m.list_models())
    await until(lambda: m.status().state == "starting")
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await m.aclose()
    del call
    m = None
    gc.collect()
    await asyncio.sleep(0)
    gc.collect()
    assert said == []


async def test_every_part_ends_though_another_one_fails(
    make: Make, managed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    m = make(**managed)
    await m.load_model("simulated")
    pid = m.status().pid
    kind: Any = AsyncEngine if make is make_async else Engine
    close = kind.close

    def fail(engine: Any) -> Any:
        if make is make_async:
            return fail_later(engine)
        close(engine)
        raise RuntimeError("this client does not close")

    async def fail_later(engine: Any) -> None:
        await close(engine)
        raise RuntimeError("this client does not close")

    monkeypatch.setattr(kind, "close", fail)
    with pytest.raises(RuntimeError, match="does not close"):
        await m.aclose()
    assert not is_alive(pid), "the lease ended all the same"


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
async def test_nothing_is_sent_to_a_suspected_server_until_it_has_been_asked(
    make: Make, managed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with make(**managed) as m:
        server = (await m.start_server()).pid
        supervisor = parent(server)
        heard = Heard(m, "request.retried")
        link = getattr(m, "target", m)._session.server._link
        reacquire, asked = link.reacquire, []

        def note() -> Any:
            asked.append(reacquire())
            return asked[-1]

        monkeypatch.setattr(link, "reacquire", note)
        os.kill(supervisor, signal.SIGSTOP)  # it does not answer what it is asked
        try:
            os.kill(server, signal.SIGKILL)
            first = asyncio.ensure_future(m.list_models())
            await heard.until("request.retried")
            await until(lambda: asked, "the first to ask")
            others = []
            for number in range(2, 7):
                others.append(asyncio.ensure_future(m.embed("simulated-embed", "x", retry=False)))
                await until(lambda number=number: len(asked) == number, "the next to ask")
            assert not any(answer.done() for answer in asked)
        finally:
            os.kill(supervisor, signal.SIGCONT)
        assert await first
        for other in others:
            assert await other
        assert len(heard.events) == 1
