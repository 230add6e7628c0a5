"""The life of a real Ollama server."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from manager import (
    ServerNotOwnedError,
    ServerStartError,
    ServerUnavailableError,
)

from .processes import children, is_alive, linux_only, until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


async def test_it_is_ready_within_two_seconds(
    new_manager: Callable[..., Any], settings_for: Callable[..., Any]
) -> None:
    async with new_manager(**settings_for()) as m:
        assert m.status().state == "stopped"
        started = time.perf_counter()
        status = await m.start_server()
        seconds = time.perf_counter() - started
        assert status.state == "ready"
        assert status.owned
        assert status.ownership == "managed"
        assert status.version == await m.version()
        assert is_alive(status.pid)
        assert seconds < 2.0
        assert (await m.start_server()).pid == status.pid, "it is not started twice"


async def test_the_first_call_starts_it_and_the_last_close_stops_it(
    new_manager: Callable[..., Any], settings_for: Callable[..., Any]
) -> None:
    settings = settings_for()
    async with new_manager(**settings) as m:
        assert re.fullmatch(r"\d+\.\d+\.\d+.*", await m.version())
        pid = m.status().pid
        async with new_manager(**settings) as second:
            assert (await second.start_server()).pid == pid, "managers share a server"
        assert is_alive(pid), "the other manager still uses it"
    assert not is_alive(pid)


@linux_only
async def test_stop_leaves_no_process(alone: Any) -> None:
    await alone.load_model("tiny")
    server = alone.status().pid
    runners = children(server)
    assert runners
    await alone.stop_server()
    assert [pid for pid in (server, *runners) if is_alive(pid)] == []
    assert alone.status().state == "stopped"
    with pytest.raises(ServerUnavailableError):
        await alone.list_models()
    assert (await alone.start_server()).pid != server
    assert await alone.has_model("tiny")


async def test_restart_makes_a_fresh_server(alone: Any) -> None:
    before = await alone.start_server()
    after = await alone.restart_server()
    assert after.state == "ready"
    assert after.pid != before.pid
    assert not is_alive(before.pid)
    assert (await alone.chat("tiny", "Hello", num_predict=2, num_thread=1)).eval_count == 2


@pytest.mark.skipif(sys.platform == "win32", reason="uses SIGKILL")
async def test_a_crash_is_noticed_and_repaired_without_a_call(alone: Any) -> None:
    happened: list[str] = []
    await alone.start_server()
    alone.events.subscribe(lambda event: happened.append(event.name))
    killed = alone.status().pid
    os.kill(killed, signal.SIGKILL)
    await until(lambda: alone.status().state == "ready" and alone.status().pid != killed)
    await until(lambda: "server.ready" in happened)
    assert happened[0] == "server.crashed"
    assert alone.status().restarts == 1
    assert await alone.list_models()


async def test_the_log(alone: Any) -> None:
    await alone.start_server()
    log = await alone.server_log(200)
    assert any("Listening on" in line for line in log)
    assert len(await alone.server_log(1)) == 1


async def test_a_foreign_server_is_adopted_and_left_alone(
    new_manager: Callable[..., Any], foreign_server: Mapping[str, Any]
) -> None:
    async with new_manager(**foreign_server, autostart=False) as m:

        async def answers() -> bool:
            try:
                return bool(await m.version())
            except ServerUnavailableError:
                return False

        await until(answers)
        status = m.status()
        assert (status.ownership, status.owned, status.state) == ("foreign", False, "ready")
        with pytest.raises(ServerNotOwnedError):
            await m.stop_server()
        with pytest.raises(ServerNotOwnedError):
            await m.restart_server()
        assert (await m.start_server()).ownership == "foreign"
    async with new_manager(**foreign_server, autostart=False) as m:
        assert await m.version(), "it still runs"


async def test_without_autostart_nothing_is_started(
    new_manager: Callable[..., Any], settings_for: Callable[..., Any]
) -> None:
    async with new_manager(**settings_for(autostart=False)) as m:
        with pytest.raises(ServerUnavailableError):
            await m.list_models()
        assert m.status().pid is None


async def test_a_port_that_something_else_has(
    new_manager: Callable[..., Any], settings_for: Callable[..., Any]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with new_manager(**settings_for(host=f"127.0.0.1:{port}")) as m:
            with pytest.raises(ServerStartError, match=str(port)):
                await m.start_server()


async def test_a_reload_changes_what_calls_send(
    new_manager: Callable[..., Any], shared: Mapping[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "ollama-manager.toml"
    file.write_text("[defaults.options]\nnum_predict = 2\nnum_thread = 1\n")
    async with new_manager(config_file=file, **shared) as m:
        assert (await m.chat("tiny", "Hello")).eval_count == 2
        file.write_text("[defaults.options]\nnum_predict = 3\nnum_thread = 1\n")
        assert await m.reload_config()
        assert (await m.chat("tiny", "Hello")).eval_count == 3


async def test_a_setting_of_ollama_reaches_the_server(
    new_manager: Callable[..., Any], settings_for: Callable[..., Any], shared: Mapping[str, Any]
) -> None:
    assert shared  # which has made the models
    async with new_manager(**settings_for(context_length=768)) as m:
        await m.load_model("tiny")
        assert [model.context_length for model in await m.list_running()] == [768]
