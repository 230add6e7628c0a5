"""A configuration file that changes under managers that run."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from manager import (
    AsyncOllamaManager,
    ConfigError,
    ManagerConfig,
    OllamaManager,
    ServerNotFoundError,
    ServerStartError,
    ServerUnavailableError,
    StreamInterruptedError,
)
from manager.supervisor.client import inspect

from ..ports import free_port
from .either import SIMULATOR, Heard, is_alive, until

if TYPE_CHECKING:
    from manager.simulator.process import SimulatedServer

    from .either import Make

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

CONFIG = ("config.reloaded", "config.rejected", "config.rolled_back")
BROKEN = 'env = { PYTHONHOME = "/nonexistent" }\n'
"""With this the simulator, a Python program, does not start."""


class File:
    """A configuration file for a server of the test's own."""

    def __init__(self, folder: Path, name: str = "own.toml") -> None:
        self.path = folder / name
        self.port = free_port()

    def text(self, server: str = "", rest: str = "") -> str:
        head = f'[server]\nhost = "127.0.0.1:{self.port}"\nbinary = {json.dumps(SIMULATOR)}\n'
        return f"{head}{server}\n{rest}"

    def save(self, server: str = "", rest: str = "") -> None:
        """Save as most editors do: by a rename."""
        new = self.path.with_name(f".{self.path.name}.swp")
        new.write_text(self.text(server, rest))
        new.replace(self.path)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> File:
    monkeypatch.setenv("OLLAMA_SIMULATOR_TOKEN_SECONDS", "0.02")
    file = File(tmp_path)
    file.save("num_parallel = 1")
    return file


def environ(pid: int) -> dict[str, str]:
    """What a process was started with."""
    words = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(word.split("=", 1) for word in words if "=" in word)


def parallel(m: Any) -> str | None:
    return environ(m.status().pid).get("OLLAMA_NUM_PARALLEL")


async def test_a_save_is_applied_without_a_call(make: Make, file: File) -> None:
    async with make(config_file=file.path) as m:
        heard = Heard(m, *CONFIG)
        file.save("num_parallel = 1", "[client]\nchunk_timeout = 7\napi_key = 'old-secret'\n")
        event = await heard.until("config.reloaded")
        assert {c.key: (c.old, c.new, c.effect) for c in event.changes} == {
            "client.chunk_timeout": (60.0, 7, "at once"),
            "client.api_key": (None, "***", "at once"),
        }
        assert m.config.client.chunk_timeout == 7
        assert "secret" not in repr(event)
        assert m.status().state == "stopped", "nothing was started for that"


async def test_a_setting_of_the_server_restarts_it(make: Make, file: File) -> None:
    async with make(config_file=file.path) as m:
        heard = Heard(m)
        await m.start_server()
        before = m.status().pid
        file.save("num_parallel = 4")
        event = await heard.until("config.reloaded")
        assert [(c.key, c.old, c.new, c.effect) for c in event.changes] == [
            ("server.num_parallel", 1, 4, "restart")
        ]
        assert not event.awaits_restart
        assert m.status().state == "ready"
        assert m.status().pid != before
        assert parallel(m) == "4"
        assert heard.names.count("server.restarting") == 1
        file.save()
        await heard.until("config.reloaded", 2)
        assert parallel(m) is None, "left to Ollama again"


async def test_a_bad_save_changes_nothing(
    make: Make, file: File, caplog: pytest.LogCaptureFixture
) -> None:
    async with make(config_file=file.path) as m:
        heard = Heard(m)
        await m.start_server()
        before = m.status()
        file.save("num_paralel = 4\nlinger = 'x'", "[retry]\nmax_attempts = 9\n")
        event = await heard.until("config.rejected")
        assert [problem["key"] for problem in event.error.errors] == [
            "server.num_paralel",
            "server.linger",
        ]
        assert f"{file.path}, line 4" in event.error.message
        assert "did you mean num_parallel?" in event.error.message
        assert m.status().pid == before.pid
        assert m.config.retry.max_attempts == 4
        assert await m.list_models()
        assert not {"server.restarting", "config.reloaded"} & {*heard.names}
        said = [r for r in caplog.records if r.name == "ollama_manager.config"]
        assert [r.levelname for r in said] == ["WARNING"]
        assert "num_paralel" in said[0].getMessage()
        assert said[0].exc_info is None
        file.save("num_parallel = 2")
        await heard.until("config.reloaded")
        assert parallel(m) == "2"


async def test_settings_that_do_not_start_are_rolled_back(make: Make, file: File) -> None:
    async with make(config_file=file.path) as m, make(config_file=file.path) as other:
        heard, also = Heard(m), Heard(other, *CONFIG)
        await m.start_server()
        await other.start_server()
        good = m.config.server
        file.save(f"num_parallel = 8\n{BROKEN}", "[client]\nchunk_timeout = 7\n")
        event = await heard.until("config.rolled_back")
        await also.until("config.rolled_back")
        assert isinstance(event.error, ServerStartError)
        assert {change.key for change in event.changes} == {"server.num_parallel", "server.env"}
        assert m.config.server == other.config.server == good
        assert m.status().state == "ready"
        assert parallel(m) == "1"
        assert await m.list_models()
        assert await other.list_models()
        assert m.status().pid == other.status().pid
        assert "server.failed" not in heard.names
        with pytest.raises(ServerStartError):
            await m.reload_config()
        assert parallel(m) == "1"
        file.save("num_parallel = 3", "[client]\nchunk_timeout = 7\n")
        await heard.until("config.reloaded")
        assert parallel(m) == "3"


async def test_a_program_that_is_not_there_costs_no_restart(make: Make, file: File) -> None:
    async with make(config_file=file.path) as m:
        heard = Heard(m)
        await m.start_server()
        before = m.status().pid
        rest = "[client]\nchunk_timeout = 7\n"
        text = file.text("num_parallel = 1", rest)
        file.path.write_text(text.replace(SIMULATOR[0], "/nonexistent/ollama"))
        event = await heard.until("config.rolled_back")
        assert [change.key for change in event.changes] == ["server.binary"]
        assert m.config.server.binary == tuple(SIMULATOR)
        assert m.config.client.chunk_timeout == 7, "other tables hold all the same"
        assert m.status().pid == before
        assert await m.list_models()


async def test_a_hundred_saves_in_a_second(make: Make, file: File) -> None:
    async with make(config_file=file.path) as m:
        heard = Heard(m, *CONFIG, "server.restarting")
        await m.start_server()

        def save_often() -> None:
            for number in range(2, 102):
                file.save(f"num_parallel = {number}")
                time.sleep(0.01)

        await asyncio.to_thread(save_often)
        await until(lambda: m.config.server.num_parallel == 101, "the last content")
        await until(
            lambda: any(
                change.new == 101
                for event in heard.events
                if event.name == "config.reloaded"
                for change in event.changes
            ),
            "a server with it",
        )
        assert parallel(m) == "101"
        assert heard.names.count("server.restarting") <= 2


async def test_calls_in_flight_go_on_with_what_they_began_with(make: Make, file: File) -> None:
    async with make(config_file=file.path) as m:
        heard = Heard(m)
        await m.start_server()
        before = m.status().pid
        async with await m.chat("simulated", "write 20000 words", stream=True) as stream:
            chunks = aiter(stream)
            await anext(chunks)
            file.save(
                "num_parallel = 1", "[retry]\nmax_attempts = 1\n[client]\nheaders = {x = 'y'}\n"
            )
            await heard.until("config.reloaded")
            for _ in range(20):
                await anext(chunks)
            assert m.config.retry.max_attempts == 1
            assert m.status().pid == before
            assert await m.list_models(), "a later call, with the new headers"
        assert "server.restarting" not in heard.names


async def test_requests_in_flight_end_before_a_restart(make: Make, file: File) -> None:
    async with make(config_file=file.path) as m:
        heard = Heard(m)
        await m.start_server()
        stream = await m.chat("simulated", "Hello", stream=True, num_predict=40)
        chunks = aiter(stream)
        await anext(chunks)
        file.save("num_parallel = 2", "[retry]\nmax_attempts = 2\n")
        await heard.until("server.restarting")
        await until(lambda: m.config.retry.max_attempts == 2, "what holds at once")
        later = asyncio.ensure_future(m.list_models())
        rest = [chunk async for chunk in chunks]
        assert rest[-1].done
        assert await later, "it waited for the new server"
        await heard.until("config.reloaded")
        assert parallel(m) == "2"


async def test_a_change_during_a_drain(make: Make, file: File) -> None:
    async with make(config_file=file.path) as m:
        heard = Heard(m)
        await m.start_server()
        stream = await m.chat("simulated", "Hello", stream=True, num_predict=150)
        chunks = aiter(stream)
        await anext(chunks)
        file.save("num_parallel = 2")
        await heard.until("server.restarting")
        file.save("num_parallel = 3", "[retry]\nmax_attempts = 3\n")
        await until(lambda: m.config.retry.max_attempts == 3, "what needs no restart")
        assert [chunk async for chunk in chunks][-1].done
        await heard.until("config.reloaded", 2)
        assert parallel(m) == "3"
        assert heard.names.count("server.restarting") == 1


async def test_a_server_that_is_stopped_during_a_drain(make: Make, file: File) -> None:
    async with make(config_file=file.path) as m:
        heard = Heard(m)
        await m.start_server()
        async with await m.chat("simulated", "Hello", stream=True, num_predict=100) as stream:
            await anext(aiter(stream))
            file.save("num_parallel = 2")
            await heard.until("server.restarting")
            await until(lambda: m.config.server.num_parallel == 2, "the change to be accepted")
            stop = asyncio.ensure_future(m.stop_server())
            await until(lambda: m.status().state == "stopping")
        await stop
        await m.start_server()
        assert parallel(m) == "2"


async def test_a_manager_that_is_closed_during_a_drain(make: Make, file: File) -> None:
    m = make(config_file=file.path)
    heard = Heard(m)
    await m.start_server()
    stream = await m.chat("simulated", "write 20000 words", stream=True)
    await anext(aiter(stream))
    file.save("num_parallel = 2")
    reload = asyncio.ensure_future(m.reload_config())
    await heard.until("server.restarting")
    await m.aclose()
    with pytest.raises(ServerUnavailableError, match="closed"):
        await reload
    assert "config.reloaded" not in heard.names


async def test_on_change_now_does_not_wait(make: Make, file: File) -> None:
    file.save("on_change = 'now'")
    async with make(config_file=file.path) as m:
        heard = Heard(m)
        await m.start_server()
        stream = await m.chat("simulated", "write 20000 words", stream=True)
        chunks = aiter(stream)
        await anext(chunks)
        file.save("on_change = 'now'\nnum_parallel = 2")
        with pytest.raises(StreamInterruptedError):
            async for _ in chunks:
                pass
        await heard.until("config.reloaded")
        assert parallel(m) == "2"


async def test_on_change_manual_waits_for_restart_server(make: Make, file: File) -> None:
    file.save("on_change = 'manual'\nnum_parallel = 1")
    async with make(config_file=file.path) as m:
        heard = Heard(m)
        await m.start_server()
        before = m.status().pid
        file.save("on_change = 'manual'\nnum_parallel = 2", "[retry]\nmax_attempts = 2\n")
        event = await heard.until("config.reloaded")
        assert event.awaits_restart
        assert m.config.retry.max_attempts == 2
        assert await m.list_models()
        assert (m.status().pid, parallel(m)) == (before, "1")
        assert (await m.restart_server()).state == "ready"
        assert parallel(m) == "2"
        file.save(
            f"on_change = 'manual'\nnum_parallel = 2\n{BROKEN}", "[retry]\nmax_attempts = 2\n"
        )
        await heard.until("config.reloaded", 2)
        with pytest.raises(ServerStartError):
            await m.restart_server()
        event = await heard.until("config.rolled_back")
        assert [change.key for change in event.changes] == ["server.env"]
        assert (m.status().state, parallel(m), m.config.server.env) == ("ready", "2", {})


async def test_on_change_manual_waits_on_where_the_restart_is_refused(
    make: Make, file: File
) -> None:
    file.save("on_change = 'manual'\nnum_parallel = 1")
    async with make(config_file=file.path) as m:
        async with make(config_file=file.path, num_parallel=1, watch=False) as strict:
            heard = Heard(m, *CONFIG)
            await m.start_server()
            await strict.start_server()
            file.save("on_change = 'manual'\nnum_parallel = 2")
            assert (await heard.until("config.reloaded")).awaits_restart
            for _ in range(2):
                with pytest.raises(ConfigError, match="OLLAMA_NUM_PARALLEL"):
                    await m.restart_server()
                assert parallel(m) == "1"
                assert await m.list_models()
        assert (await m.restart_server()).state == "ready"
        assert parallel(m) == "2"


async def test_on_change_manual_and_a_program_that_is_not_there(make: Make, file: File) -> None:
    file.save("on_change = 'manual'")
    async with make(config_file=file.path) as m:
        heard = Heard(m, *CONFIG)
        await m.start_server()
        text = file.text("on_change = 'manual'")
        file.path.write_text(text.replace(SIMULATOR[0], "/nonexistent/ollama"))
        assert (await heard.until("config.reloaded")).awaits_restart
        with pytest.raises(ServerNotFoundError):
            await m.restart_server()
        event = await heard.until("config.rolled_back")
        assert [change.key for change in event.changes] == ["server.binary"]
        assert m.config.server.binary == tuple(SIMULATOR)
        assert (await m.restart_server()).state == "ready"


async def test_on_change_manual_holds_for_the_next_start(make: Make, file: File) -> None:
    file.save("on_change = 'manual'\nnum_parallel = 1")
    async with make(config_file=file.path) as m:
        heard = Heard(m, *CONFIG)
        await m.start_server()
        file.save("on_change = 'manual'\nnum_parallel = 2")
        assert (await heard.until("config.reloaded")).awaits_restart
        await m.stop_server()
        assert (await m.restart_server()).state == "ready"
        assert parallel(m) == "2"
        file.save("on_change = 'manual'\nnum_parallel = 3")
        await heard.until("config.reloaded", 2)
        await m.stop_server()
        await m.start_server()
        assert parallel(m) == "3"


async def test_a_foreign_server_is_left_alone(
    make: Make, server: SimulatedServer, tmp_path: Path
) -> None:
    path = tmp_path / "own.toml"
    path.write_text("[server]\nnum_parallel = 1\n")
    async with make(config_file=path, host=server.host) as m:
        heard = Heard(m, *CONFIG, "server.restarting", "server.stopped")
        await m.list_models()
        path.write_text("[server]\nnum_parallel = 2\n[retry]\nmax_attempts = 2\n")
        await heard.until("config.reloaded")
        assert heard.names == ["config.reloaded"]
        assert m.status().ownership == "foreign"
        assert await m.list_models()


async def test_one_restart_however_many_managers(make: Make, file: File) -> None:
    managers = [make(config_file=file.path) for _ in range(4)]
    heard = [Heard(m) for m in managers]
    try:
        for m in managers:
            await m.start_server()
        file.save("num_parallel = 2", "[retry]\nmax_attempts = 2\n")
        for listener in heard:
            await listener.until("config.reloaded")
        assert {m.status().pid for m in managers} == {managers[0].status().pid}
        assert parallel(managers[0]) == "2"
        assert [listener.names.count("server.restarting") for listener in heard] == [1] * 4
        for m in managers:
            assert await m.list_models()
    finally:
        for m in managers:
            await m.aclose()


async def test_what_another_manager_insists_on_is_not_changed(make: Make, file: File) -> None:
    async with (
        make(config_file=file.path) as m,
        make(config_file=file.path, num_parallel=1, watch=False) as strict,
    ):
        heard = Heard(m)
        await m.start_server()
        await strict.start_server()
        before = m.status().pid
        file.save("num_parallel = 2", "[retry]\nmax_attempts = 2\n[logging]\nlevel = 'calls'\n")
        event = await heard.until("config.rejected")
        assert event.error.code == "settings_conflict"
        assert "OLLAMA_NUM_PARALLEL" in event.error.message
        assert m.config.retry.max_attempts == 4, "all of it, or nothing"
        assert m.config.server.num_parallel == 1
        assert (m.status().pid, parallel(m)) == (before, "1")
        with pytest.raises(ConfigError):
            await m.reload_config()
        assert await m.list_models()
        file.save("num_parallel = 1\nmax_queue = 7")
        await heard.until("config.reloaded")
        assert environ(m.status().pid)["OLLAMA_MAX_QUEUE"] == "7"
        assert await strict.list_models()


async def test_a_manager_made_right_after_a_save(make: Make, file: File) -> None:
    """It knows what the others have not heard of yet."""
    async with make(config_file=file.path, watch=False) as m:
        await m.start_server()
        file.save("num_parallel = 2")
        async with make(config_file=file.path) as newcomer:
            await newcomer.start_server()
            assert parallel(newcomer) == "2"
            assert await m.list_models()
            assert await m.reload_config()
            assert m.status().pid == newcomer.status().pid


async def test_what_holds_for_managers_made_later(make: Make, file: File) -> None:
    async with make(config_file=file.path) as m:
        heard = Heard(m, *CONFIG)
        await m.start_server()
        before, host = m.status().pid, str(m.config.server.host)
        file.path.write_text(file.text("num_parallel = 1").replace(str(file.port), "1"))
        event = await heard.until("config.reloaded")
        assert [(c.key, c.old, c.new, c.effect) for c in event.changes] == [
            ("server.host", host, "http://127.0.0.1:1", "new managers only")
        ]
        assert (str(m.config.server.host), m.status().pid) == (host, before)
        assert await m.list_models()
        assert await m.reload_config() == (), "it is told once"


async def test_without_a_watcher_the_same_by_hand(make: Make, file: File) -> None:
    async with make(config_file=file.path, watch=False) as m:
        await m.start_server()
        file.save("num_parallel = 2", "[retry]\nmax_attempts = 2\n")
        assert await m.list_models()
        assert m.config.retry.max_attempts == 4
        changes = await m.reload_config()
        assert [change.key for change in changes] == ["server.num_parallel", "retry.max_attempts"]
        assert (m.status().state, parallel(m)) == ("ready", "2")
        file.path.unlink()
        with pytest.raises(ConfigError, match="no configuration file"):
            await m.reload_config()
        assert m.config.retry.max_attempts == 2


async def test_a_file_that_goes_and_comes_back(make: Make, file: File) -> None:
    async with make(config_file=file.path) as m:
        heard = Heard(m, *CONFIG)
        await m.start_server()
        before = m.status().pid
        file.path.unlink()
        file.save("num_parallel = 1", "[retry]\nmax_attempts = 2\n")
        await heard.until("config.reloaded")
        file.path.unlink()
        (file.path.parent / "marker").touch()
        file.save("num_parallel = 1", "[retry]\nmax_attempts = 3\n")
        await heard.until("config.reloaded", 2)
        assert heard.names == ["config.reloaded"] * 2
        assert m.config.retry.max_attempts == 3
        assert m.status().pid == before


async def test_a_folder_that_is_swapped_by_a_link(make: Make, tmp_path: Path) -> None:
    """As Kubernetes updates a ConfigMap."""
    for attempts in (1, 2):
        folder = tmp_path / f"version{attempts}"
        folder.mkdir()
        (folder / "own.toml").write_text(f"[retry]\nmax_attempts = {attempts}\n")
    (tmp_path / "..data").symlink_to("version1")
    (tmp_path / "own.toml").symlink_to("..data/own.toml")
    async with make(config_file=tmp_path / "own.toml") as m:
        heard = Heard(m, *CONFIG)
        assert m.config.retry.max_attempts == 1
        (tmp_path / "..new").symlink_to("version2")
        (tmp_path / "..new").replace(tmp_path / "..data")
        await heard.until("config.reloaded")
        assert m.config.retry.max_attempts == 2


async def test_a_file_that_appears_later(make: Make, tmp_path: Path) -> None:
    folder = Path(os.environ["XDG_CONFIG_HOME"]) / "ollama-manager"
    async with make() as m:
        heard = Heard(m, *CONFIG)
        folder.mkdir(parents=True)
        (folder / "ollama-manager.toml").write_text("[retry]\nmax_attempts = 2\n")
        await heard.until("config.reloaded")
        assert m.config.retry.max_attempts == 2


async def test_what_has_changed_before_the_first_call(
    make: Make, server: SimulatedServer, tmp_path: Path
) -> None:
    path = tmp_path / "own.toml"
    path.write_text("[retry]\nmax_attempts = 1\n")
    async with make(config_file=path, host=server.host) as m:
        path.write_text("[retry]\nmax_attempts = 2\n")
        await m.list_models()
        assert m.config.retry.max_attempts == 2


async def test_a_call_that_is_given_up_does_not_take_the_news_with_it(
    server: SimulatedServer, tmp_path: Path
) -> None:
    path = tmp_path / "own.toml"
    path.write_text("[retry]\nmax_attempts = 1\n")
    async with AsyncOllamaManager(config_file=path, host=server.host) as m:
        path.write_text("[retry]\nmax_attempts = 2\n")
        call = asyncio.ensure_future(m.list_models())
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await until(lambda: m.config.retry.max_attempts == 2, "what was saved")


async def test_a_configuration_that_is_given_is_not_read_again(
    make: Make, tmp_path: Path, server: SimulatedServer
) -> None:
    path = tmp_path / "own.toml"
    path.write_text("[retry]\nmax_attempts = 1\n")
    async with make(config=ManagerConfig.load(path), host=server.host) as m:
        path.write_text("[retry]\nmax_attempts = 2\n")
        await m.list_models()
        assert await m.reload_config() == ()
        assert m.config.retry.max_attempts == 1


async def test_where_a_program_has_gone_since_does_not_matter(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: SimulatedServer
) -> None:
    (tmp_path / "own.toml").write_text("[retry]\nmax_attempts = 1\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setenv("OLLAMA_MODELS", "models")
    async with make(config_file="own.toml", host=server.host, cert="client.pem") as m:
        before = m.config
        monkeypatch.chdir(elsewhere)
        assert await m.reload_config() == ()
        assert m.config == before


async def test_a_manager_that_is_dropped_gives_its_lease_back(file: File) -> None:
    file.save("num_parallel = 1\nlinger = 0")
    m = OllamaManager(config_file=file.path)
    pid = m.start_server().pid
    assert pid is not None
    heard = Heard(m, *CONFIG)
    file.save("num_parallel = 1\nlinger = 0", "[retry]\nmax_attempts = 2\n")
    await heard.until("config.reloaded")
    del m
    gc.collect()
    await until(lambda: not is_alive(pid), "the server to go")
    await until(lambda: inspect("127.0.0.1", file.port) is None, "its supervisor to go")
