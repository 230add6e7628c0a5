"""Starting, adopting, stopping, restarting and losing the server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from manager import (
    AsyncOllamaManager,
    ConfigError,
    InvalidRequestError,
    ManagerConfig,
    ServerNotFoundError,
    ServerNotOwnedError,
    ServerStartError,
    ServerUnavailableError,
    StreamInterruptedError,
)

from ..ports import free_port
from .either import SIMULATOR, Heard, answers, children, is_alive

if TYPE_CHECKING:
    from pathlib import Path

    from manager.simulator.process import SimulatedServer

    from .either import Make

LONG = "write 20000 words"


def port_of(settings: dict[str, Any]) -> int:
    return int(settings["host"].rpartition(":")[2])


async def test_start_stop_start(make: Make, managed: dict[str, Any]) -> None:
    async with make(**managed) as m:
        assert m.status().state == "stopped"
        assert m.status().ownership == "none"
        started = await m.start_server()
        assert (started.state, started.ownership, started.owned) == ("ready", "managed", True)
        assert started.host == f"http://{managed['host']}"
        assert started.pid is not None
        assert is_alive(started.pid)
        assert started.version == await m.version()
        assert started.restarts == 0
        assert m.status().uptime >= 0
        again = await m.start_server()
        assert again.pid == started.pid
        await m.stop_server()
        assert m.status().state == "stopped"
        assert m.status().pid is None
        assert not is_alive(started.pid)
        with pytest.raises(ServerUnavailableError) as caught:
            await m.list_models()
        assert caught.value.code == "server_stopped"
        assert "start_server()" in str(caught.value)
        fresh = await m.start_server()
        assert fresh.pid != started.pid
        assert await m.list_models()


async def test_the_first_call_starts_the_server(make: Make, managed: dict[str, Any]) -> None:
    m = make(**managed)
    heard = Heard(m)
    answer = await m.chat("simulated", "hello", think=False)
    assert "You said: hello" in answer.message.content
    pid = m.status().pid
    runners = children(pid)
    assert runners, "a loaded model is a process"
    await m.aclose()
    assert not is_alive(pid), "the last lease has ended"
    assert not any(is_alive(runner) for runner in runners)
    assert not answers(port_of(managed))
    assert heard.names[:2] == ["server.starting", "server.ready"]
    assert heard.names.index("server.ready") < heard.names.index("request.started")


async def test_constructing_does_nothing(make: Make, managed: dict[str, Any]) -> None:
    m = make(**managed)
    m.status()
    assert not answers(port_of(managed))
    await m.aclose()


async def test_closed_is_closed(make: Make, managed: dict[str, Any]) -> None:
    m = make(**managed)
    await m.start_server()
    await m.aclose()
    await m.aclose()
    for call in (m.list_models, m.start_server, m.restart_server):
        with pytest.raises(ServerUnavailableError) as caught:
            await call()
        assert caught.value.code == "manager_closed"
    assert not answers(port_of(managed))


async def test_restart(make: Make, managed: dict[str, Any]) -> None:
    async with make(**managed) as m:
        before = await m.start_server()
        after = await m.restart_server()
        assert after.state == "ready"
        assert after.pid != before.pid
        assert not is_alive(before.pid)
        assert await m.list_models()


async def test_two_managers_share_a_server(make: Make, managed: dict[str, Any]) -> None:
    async with make(**managed) as one:
        first = await one.start_server()
        async with make(**managed) as other:
            assert (await other.start_server()).pid == first.pid
        assert is_alive(first.pid)
        assert await one.list_models()
    assert not is_alive(first.pid)


async def test_a_stop_is_for_everybody(make: Make, managed: dict[str, Any]) -> None:
    async with make(**managed) as one, make(**managed) as other:
        await one.start_server()
        await other.list_models()
        await one.stop_server()
        with pytest.raises(ServerUnavailableError):
            await other.list_models()
        async with make(**managed) as later:
            assert await later.list_models()


async def test_linger(make: Make, managed: dict[str, Any]) -> None:
    async with make(**managed, linger=60) as m:
        pid = (await m.start_server()).pid
    try:
        assert is_alive(pid)
        async with make(**managed) as again:
            assert (await again.start_server()).pid == pid
    finally:
        async with make(**managed) as last:
            await last.stop_server()
    assert not is_alive(pid)


async def test_a_foreign_server_is_adopted_and_left_alone(
    make: Make, server: SimulatedServer
) -> None:
    async with make(host=server.host) as m:
        heard = Heard(m, "server.adopted")
        status = await m.start_server()
        assert (status.state, status.ownership, status.owned) == ("ready", "foreign", False)
        for call in (m.stop_server, m.restart_server):
            with pytest.raises(ServerNotOwnedError):
                await call()
        assert await m.list_models()
        await heard.until("server.adopted")
    assert server.is_running


@pytest.mark.parametrize("host", ["http://127.0.0.1:9/prefix", "https://127.0.0.1:9"])
async def test_a_remote_server_is_never_started(make: Make, host: str) -> None:
    async with make(host=host) as m:
        assert m.status().ownership == "remote"
        for call in (m.start_server, m.stop_server, m.restart_server, m.server_log):
            with pytest.raises(ServerNotOwnedError, match="another machine"):
                await call()


async def test_without_autostart(make: Make, managed: dict[str, Any]) -> None:
    async with make(**managed, autostart=False) as m:
        with pytest.raises(ServerUnavailableError) as caught:
            await m.list_models()
        assert "autostart" in str(caught.value)
        assert not answers(port_of(managed))
        assert (await m.start_server()).state == "ready", "asked for, it starts"
        assert await m.list_models()


async def test_no_program(make: Make, tmp_path: Path) -> None:
    async with make(host=f"127.0.0.1:{free_port()}", binary=str(tmp_path / "ollama")) as m:
        with pytest.raises(ServerNotFoundError) as caught:
            await m.chat("simulated", "hello")
        assert str(tmp_path / "ollama") in str(caught.value)


async def test_no_program_anywhere(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    async with make(host=f"127.0.0.1:{free_port()}") as m:
        try:
            await m.start_server()
        except ServerNotFoundError as error:
            text = str(error)
        else:
            pytest.skip("there is an ollama program in one of the usual places")
    assert "ollama.com/download" in text
    assert "binary" in text


async def test_a_program_that_exits(make: Make) -> None:
    program = [sys.executable, "-c", "import sys; sys.exit('models folder is broken')"]
    async with make(host=f"127.0.0.1:{free_port()}", binary=program) as m:
        heard = Heard(m, "server.failed")
        with pytest.raises(ServerStartError) as caught:
            await m.start_server()
        assert "models folder is broken" in str(caught.value.to_dict())
        await heard.until("server.failed")
        assert m.status().state == "failed"
        assert m.status().last_error
        before = time.monotonic()
        await m.aclose()
        assert time.monotonic() - before < 8, "nothing is left to be waited for"


async def test_a_port_taken_by_something_else(make: Make) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", "5")
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *_: object) -> None:
            pass

    other = ThreadingHTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=other.serve_forever, daemon=True).start()
    try:
        async with make(host=f"127.0.0.1:{other.server_port}", binary=SIMULATOR) as m:
            before = time.monotonic()
            with pytest.raises(ServerStartError) as caught:
                await m.chat("simulated", "hello")
            assert time.monotonic() - before < 10, "at once, not after start_timeout"
            assert caught.value.code == "port_in_use"
            assert str(other.server_port) in caught.value.message
            assert "not Ollama" in caught.value.message
    finally:
        other.shutdown()
        other.server_close()


async def test_a_port_taken_by_something_silent(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        async with make(host=f"127.0.0.1:{port}", binary=SIMULATOR) as m:
            with pytest.raises(ServerStartError) as caught:
                await m.list_models()
            assert caught.value.code == "port_in_use"


async def test_the_log(make: Make, managed: dict[str, Any]) -> None:
    async with make(**managed) as m:
        await m.start_server()
        await m.list_models()
        lines = await m.server_log()
        assert any("Listening on" in line for line in lines)
        assert len(await m.server_log(lines=1)) == 1


async def test_killed_between_calls(make: Make, managed: dict[str, Any]) -> None:
    async with make(**managed) as m:
        heard = Heard(m)
        before = (await m.start_server()).pid
        os.kill(before, signal.SIGKILL)
        assert await m.list_models(), "the next call succeeds"
        await heard.until("server.crashed")
        status = m.status()
        assert status.pid != before
        assert status.restarts == 1


async def test_killed_while_streaming(make: Make, managed: dict[str, Any]) -> None:
    async with make(**managed) as m:
        stream = await m.chat("simulated", LONG, stream=True, think=False)
        pid = m.status().pid
        text = ""

        async def read_and_kill() -> None:
            nonlocal text
            async for chunk in stream:
                text += chunk.message.content
                if len(text) > 30:  # also for what had arrived before it was gone
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)

        with pytest.raises(StreamInterruptedError) as caught:
            await read_and_kill()
        assert caught.value.partial.message.content == stream.partial.message.content
        assert caught.value.partial.message.content.startswith(text[:30])
        assert not caught.value.partial.done
        assert caught.value.retryable
        assert caught.value.model == "simulated"
        assert (await m.chat("simulated", "hello")).done


async def test_killed_during_a_plain_call(make: Make, managed: dict[str, Any]) -> None:
    async with make(**managed) as m:
        heard = Heard(m)
        await m.load_model("simulated")
        pid = m.status().pid
        call = asyncio.ensure_future(m.chat("simulated", "write 60 words", think=False))
        await heard.until("request.started", 2)
        os.kill(pid, signal.SIGKILL)
        answer = await call
        assert answer.done
        retried = await heard.until("request.retried")
        assert retried.attempt == 1


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="finds runners by /proc")
async def test_a_runner_killed_while_streaming(make: Make, managed: dict[str, Any]) -> None:
    async with make(**managed) as m:
        stream = await m.chat("simulated", LONG, stream=True, think=False)

        async def read_and_kill() -> None:
            async for _ in stream:
                for runner in children(m.status().pid):
                    os.kill(runner, signal.SIGKILL)

        with pytest.raises(StreamInterruptedError) as caught:
            await read_and_kill()
        assert caught.value.partial.message.content
        assert (await m.chat("simulated", "hello")).done
        assert m.status().restarts == 0, "the server itself was not touched"


async def test_a_server_stopped_while_streaming(make: Make, managed: dict[str, Any]) -> None:
    async with make(**managed, drain_timeout=0) as m:
        stream = await m.chat("simulated", LONG, stream=True)
        async with stream:
            await m.stop_server()
            with pytest.raises(StreamInterruptedError):
                async for _ in stream:
                    pass


async def test_status_does_no_io(
    make: Make, managed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with make(**managed) as m:
        await m.start_server()

        def refuse(*_: object) -> None:
            raise AssertionError("status() does I/O")

        here = threading.get_ident()

        class Watched(socket.socket):
            def connect(self, *arguments: Any) -> None:
                if threading.get_ident() == here:
                    refuse()
                super().connect(*arguments)

        with monkeypatch.context() as patched:
            patched.setattr(socket, "socket", Watched)
            before = time.perf_counter()
            for _ in range(100):
                assert m.status().state == "ready"
            assert time.perf_counter() - before < 1


async def test_reload_config(make: Make, server: SimulatedServer, tmp_path: Path) -> None:
    path, new = tmp_path / "own.toml", tmp_path / "new.toml"

    def save(text: str) -> None:
        """As a whole: a file that is empty for a moment is a right one, without any settings."""
        new.write_text(text)
        new.replace(path)

    save("[client]\nchunk_timeout = 5\n")
    async with make(config_file=path, host=server.host) as m:
        heard = Heard(m, "config.reloaded", "config.rejected")
        assert m.config.client.chunk_timeout == 5
        await m.list_models()
        save("[client]\nchunk_timeout = 6\nheaders = {x-extra = 'yes'}\n")
        await m.reload_config()
        assert m.config.client.chunk_timeout == 6
        assert isinstance(m.config, ManagerConfig)
        assert await m.list_models()
        save("[client]\nchunk_timeout = 'soon'\n")
        with pytest.raises(ConfigError):
            await m.reload_config()
        assert m.config.client.chunk_timeout == 6, "the last good one stays"
        await heard.until("config.rejected")
        assert "config.reloaded" in heard.names


async def test_a_reload_that_is_refused_changes_nothing(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text("[server]\nhost = 'http://gpu-box:1'\n")
    async with make(config_file=path) as m:
        before = m.config
        path.write_text(
            "[server]\nhost = 'http://gpu-box:1'\n[client]\napi_key = 'k'\nchunk_timeout = 7\n"
        )
        with pytest.raises(ConfigError, match="unencrypted"):
            await m.reload_config()
        assert m.config == before


def test_an_async_manager_belongs_to_one_event_loop(server: SimulatedServer) -> None:
    m = AsyncOllamaManager(host=server.host)
    with asyncio.Runner() as home, asyncio.Runner() as elsewhere:
        home.run(m.list_models())
        with pytest.raises(InvalidRequestError, match="event loop"):
            elsewhere.run(m.list_models())
        home.run(m.list_models())
        home.run(m.aclose())


@pytest.mark.parametrize(
    "settings", [{"host": "127.0.0.1:0"}, {"nonsense": 1}, {"connect_timeout": "x"}]
)
def test_bad_settings(make: Make, settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        make(**settings)


async def test_repr_shows_where_and_how(make: Make, server: SimulatedServer) -> None:
    async with make(host=server.host) as m:
        await m.start_server()
        text = repr(getattr(m, "target", m))
        assert server.host in text
        assert "ready" in text
