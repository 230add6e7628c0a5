"""The program: how it starts, says so, stops, and fails to start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from typing import Any

import httpx
import pytest

from manager.errors import ServerStartError
from manager.simulator import SimulatedServer

from .simulator_testing import children, eventually, is_running

PROGRAM = [sys.executable, "-m", "manager.simulator"]


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_leaves_with_0_at_once_and_cuts_streams(start: Any, number: signal.Signals) -> None:
    server, client = start(token_seconds=0.02)
    messages = [{"role": "user", "content": "write 5000 words"}]
    body = {"model": "simulated", "messages": messages}
    with client.stream("POST", "/api/chat", json=body) as response:
        pieces = response.iter_raw()
        next(pieces)
        (runner,) = children(server.pid)
        started = time.monotonic()
        os.kill(server.pid, number)
        with pytest.raises(httpx.RemoteProtocolError):
            deque(pieces)
    assert server.wait(20) == 0
    assert time.monotonic() - started < 2
    eventually(lambda: not is_running(runner))


def test_a_signal_right_after_an_answer_is_not_lost(start: Any) -> None:
    server, client = start()
    for _ in range(8):
        client.get("/").raise_for_status()
        os.kill(server.pid, signal.SIGTERM)
        assert server.wait(20) == 0
        server.stop()
        server.start()


def test_a_taken_port_is_an_error_in_ollamas_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        result = run("serve", OLLAMA_HOST=host)
    assert result.returncode == 1
    assert result.stderr == f"Error: listen tcp {host}: bind: address already in use\n"


def test_the_log_says_where_it_listens_and_that_it_is_a_simulation(start: Any) -> None:
    server, client = start()
    client.get("/api/tags")
    text = "\n".join(server.log)
    assert f'msg="Listening on {server.host} (version 0.33.0-simulated)"' in text
    assert "simulated Ollama" in text
    eventually(lambda: any('"/api/tags"' in line and "| 200 |" in line for line in server.log))


@pytest.mark.parametrize("flag", ["--version", "-v"])
def test_version_is_that_of_the_running_server(start: Any, flag: str) -> None:
    server, _ = start()
    assert run(flag, OLLAMA_HOST=server.host).stdout == "ollama version is 0.33.0-simulated\n"


def test_version_without_a_server_warns() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        host = f"127.0.0.1:{taken.getsockname()[1]}"
    result = run("--version", OLLAMA_HOST=host)
    assert result.returncode == 0
    assert "could not connect to a running Ollama instance" in result.stdout
    assert "client version is 0.33.0-simulated" in result.stdout


def test_help_names_the_environment_and_nonsense_fails() -> None:
    assert "OLLAMA_SIMULATOR_MODELS" in run("--help").stdout
    result = run("nonsense")
    assert result.returncode == 1
    assert result.stderr.startswith("Error: ")


def test_it_is_ready_soon(start: Any) -> None:
    started = time.monotonic()
    server, client = start()
    client.get("/").raise_for_status()
    assert time.monotonic() - started < 5
    assert server.is_running


def test_the_models_of_the_start_can_be_chosen(start: Any) -> None:
    _, client = start(models=["a:1b", "me/b"])
    names = {model["name"] for model in client.get("/api/tags").json()["models"]}
    assert names == {"a:1b", "me/b:latest"}
    _, client = start(models=[])
    assert client.get("/api/tags").json() == {"models": []}


def test_started_again_it_listens_at_the_same_address(start: Any) -> None:
    server, client = start()
    before = server.base_url
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    assert not server.is_running
    with pytest.raises(httpx.ConnectError):
        client.get("/")
    server.start()
    assert server.base_url == before
    assert client.get("/").status_code == 200


def test_it_cannot_be_asked_for_its_process_before_the_start() -> None:
    with pytest.raises(RuntimeError):
        _ = SimulatedServer().pid
    SimulatedServer().stop()


def test_a_start_that_fails_raises_with_the_log() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = SimulatedServer(port=taken.getsockname()[1])
        with pytest.raises(ServerStartError) as caught:
            server.start()
    assert "address already in use" in caught.value.log
    assert not server.is_running


def test_it_ends_with_the_process_that_started_it() -> None:
    code = (
        "import os\n"
        "from manager.simulator import SimulatedServer\n"
        "server = SimulatedServer().start()\n"
        "print(server.pid, flush=True)\n"
        "os._exit(0)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, timeout=60, check=True
    )
    pid = int(result.stdout)
    eventually(lambda: not is_running(pid))


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this platform cannot stop processes")
def test_a_runner_outlives_a_killed_server_for_a_while(start: Any) -> None:
    server, client = start(env={"OLLAMA_SIMULATOR_ORPHAN_SECONDS": "0.5"})
    client.post("/api/chat", json={"model": "simulated"}).raise_for_status()
    (runner,) = children(server.pid)
    assert os.getpgid(runner) == os.getpgid(server.pid)
    os.kill(server.pid, signal.SIGKILL)
    eventually(lambda: not is_running(server.pid))
    assert is_running(runner)
    eventually(lambda: not is_running(runner))


def test_the_environment_reaches_the_runners(start: Any) -> None:
    server, client = start(env={"MARK_OF_THE_TEST": "here"})
    client.post("/api/chat", json={"model": "simulated"}).raise_for_status()
    (runner,) = children(server.pid)
    with open(f"/proc/{runner}/environ", "rb") as file:
        assert b"MARK_OF_THE_TEST=here" in file.read().split(b"\0")
