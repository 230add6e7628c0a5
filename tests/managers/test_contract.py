"""Promises of the public interface that only a user's eye sees."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest

from manager import (
    ConfigError,
    InvalidRequestError,
    ModelNotFoundError,
    OllamaManager,
    ServerStartError,
    ServerUnavailableError,
    StreamInterruptedError,
)

from ..ports import free_port
from .either import SIMULATOR, Heard
from .hostile_server import Hostile, says

if TYPE_CHECKING:
    from .either import Make


async def test_each_step_of_the_server_is_told_once(make: Make, managed: dict[str, Any]) -> None:
    async with make(**managed) as m:
        heard = Heard(m, "server.starting", "server.ready", "server.stopped", "request.started")
        await m.start_server()
        await m.stop_server()
        await m.start_server()
        await m.version()
        await heard.until("request.started")
    steps = ["server.starting", "server.ready"]
    assert heard.names == [*steps, "server.stopped", *steps, "request.started"]


async def test_a_start_that_fails_is_told_once_and_shown(make: Make) -> None:
    refuse = [sys.executable, "-c", "import sys; sys.exit(3)"]
    async with make(host=f"127.0.0.1:{free_port()}", binary=refuse) as m:
        heard = Heard(m)
        with pytest.raises(ServerStartError):
            await m.start_server()
        await heard.until("server.failed")
        status = m.status()
        assert (status.state, status.ownership, status.owned) == ("failed", "none", False)
        assert status.last_error["code"] == "server_start_failed"
        assert status.last_error["exit_code"] == 3
        m.events.subscribe(lambda _: None)
    assert heard.names.count("server.failed") == 1


async def test_a_taken_port_is_shown_as_failed(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        async with make(host=host, binary=SIMULATOR) as m:
            heard = Heard(m)
            with pytest.raises(ServerStartError) as caught:
                await m.version()
            assert caught.value.code == "port_in_use"
            status = m.status()
            assert (status.state, status.last_error["code"]) == ("failed", "port_in_use")
            assert host in status.last_error["message"]
            await heard.until("server.failed")


async def test_a_remote_server_is_ready_once_it_has_answered(make: Make) -> None:
    with Hostile(says(b'{"version": "1"}')) as server:
        async with make(host=server.host) as remote:
            assert (remote.status().state, remote.status().ownership) == ("stopped", "remote")
            await remote.version()
            assert remote.status().state == "ready"
    nowhere = f"http://127.0.0.1:{free_port()}/ollama"
    async with make(host=nowhere, retry={"max_attempts": 1}) as remote:
        with pytest.raises(ServerUnavailableError):
            await remote.version()
        assert (remote.status().state, remote.status().ownership) == ("stopped", "remote")


async def test_the_model_to_start_from_is_the_one_that_is_missing(m: Any) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        await m.create_model("mine", from_model="nosuchthing")
    assert caught.value.model == "nosuchthing"


async def test_progress_goes_to_a_function(m: Any) -> None:
    heard = Heard(m, "request.started", "request.finished")
    with pytest.raises(InvalidRequestError) as caught:
        await m.pull_model("gemma3:1b", on_progress=3)
    assert caught.value.argument == "on_progress"
    await m.version()  # events come in order: of one before it would have been heard
    await heard.until("request.finished")
    assert {event.endpoint for event in heard.events} == {"GET /api/version"}


@pytest.mark.parametrize("argument", [{"stream": True}, {"format": "json"}])
async def test_chat_parsed_has_its_own_format(m: Any, argument: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        await m.chat_parsed("simulated", "hello", int, **argument)
    assert caught.value.argument == next(iter(argument))


async def test_a_stream_that_its_user_closed_says_so(m: Any) -> None:
    stream = await m.chat("simulated", "hello", stream=True)
    await stream.close()
    with pytest.raises(StreamInterruptedError, match="was closed") as caught:
        await stream.final()
    assert not caught.value.retryable


@pytest.mark.parametrize(
    "wrong", [{"config_file": 3}, {"config": {"a": 1}}, {"proxy": 3}, {"nosuch": 1}]
)
def test_a_wrong_keyword_is_a_config_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        OllamaManager(**wrong)


async def test_a_proxy_that_needs_more_than_is_installed(make: Make) -> None:
    try:
        import socksio  # noqa: F401
    except ImportError:
        pass
    else:
        pytest.skip("socksio is installed")
    host = "https://ollama.example"  # one on this machine is asked past any proxy
    async with make(host=host, proxy="socks5://127.0.0.1:1") as m:
        with pytest.raises(ConfigError, match="socksio"):
            await m.version()
