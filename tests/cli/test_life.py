"""start, stop, restart, status, logs, simulate: who may start what, and what is left."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .cli_testing import Shell


def test_looking_and_stopping_start_nothing(cold: Shell) -> None:
    status = cold.run("status", "--json")
    assert status.code == 3
    seen = json.loads(status.out)
    assert (seen["state"], seen["ownership"], seen["pid"]) == ("stopped", "none", None)
    assert cold.json("stop") == {"stopped": False, "host": cold.host, "pid": None}
    assert cold.json("logs")["lines"] == []
    assert "no server to stop" in cold.ok("stop")
    assert cold.run("status").code == 3


def test_a_started_server_stays_until_it_is_stopped(cold: Shell) -> None:
    started = cold.json("start")
    assert (started["state"], started["owned"], started["host"]) == ("ready", True, cold.host)
    assert cold.json("start")["pid"] == started["pid"]
    # without any manager, the server is still wanted
    seen = cold.json("status")
    assert seen["pid"] == started["pid"]
    assert seen["leases"] == 1
    # a command with a short linger of its own does not end the endless one
    cold.ok("list", OLLAMA_MANAGER_SERVER_LINGER="0")
    assert cold.json("status")["pid"] == started["pid"]
    restarted = cold.json("restart")
    assert restarted["pid"] != started["pid"]
    assert cold.json("status")["leases"] == 1
    assert cold.json("stop") == {"stopped": True, "host": cold.host, "pid": restarted["pid"]}
    assert cold.run("status").code == 3


def test_a_command_leaves_a_warm_server_for_the_next(cold: Shell) -> None:
    assert cold.run_program("list").code == 0  # its end ends its lease, and not the server
    seen = cold.json("status")
    assert (seen["state"], seen["leases"]) == ("ready", 0)
    cold.ok("list")
    assert cold.json("status")["pid"] == seen["pid"]


def test_a_configured_linger_wins(cold: Shell) -> None:
    cold.ok("list", OLLAMA_MANAGER_SERVER_LINGER="0")
    assert cold.run("status").code == 3


def test_restart_starts_where_there_is_none(cold: Shell) -> None:
    assert cold.json("restart")["state"] == "ready"
    assert cold.json("status")["leases"] == 1


def test_the_log_is_there_when_the_server_is_not(cold: Shell) -> None:
    cold.ok("start")
    cold.ok("stop")
    lines = cold.json("logs", "-n", "500")["lines"]
    assert any("simulat" in line for line in lines)
    assert cold.ok("logs", "-n", "1").splitlines() == lines[-1:]


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_logs_follow_until_interrupted(warm: Shell) -> None:
    follower = warm.start_program(
        "logs", "-f", "-n", "1", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert follower.stdout is not None
    try:
        follower.stdout.readline()  # the one line: now it follows
        warm.ok("show", "simulated")
        assert any("/api/show" in line for line in follower.stdout)
        follower.send_signal(signal.SIGINT)
        _, errors = follower.communicate(timeout=30)
    finally:
        follower.kill()
        follower.wait()
    assert follower.returncode == 130
    assert "Traceback" not in errors


def test_status_for_people(warm: Shell) -> None:
    text = warm.ok("status")
    assert text.startswith(f"ready  {warm.host}\n")
    assert "started by ollama-manager" in text
    assert not [line for line in text.splitlines() if line != line.rstrip()]


def simulate(shell: Shell, *words: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    process = shell.start_program(
        "simulate", "--json", *words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    announced = json.loads(process.stdout.readline())
    for line in process.stdout:
        if "Listening" in line:
            break
    return process, announced


def test_a_foreign_server_is_used_but_left_alone(cold: Shell) -> None:
    process, announced = simulate(cold, "--model", "only-one")
    try:
        assert announced["simulated"] is True
        assert announced["host"] == cold.host  # OLLAMA_HOST is honoured
        assert cold.json("status")["ownership"] == "foreign"
        assert [model["name"] for model in cold.json("list")] == ["only-one:latest"]
        assert cold.json("start")["owned"] is False
        for word in ("stop", "restart", "logs"):
            refused = cold.run(word, "--json")
            assert refused.code == 1
            assert json.loads(refused.err)["code"] == "server_not_owned"
        assert process.poll() is None
        taken = cold.run("simulate")
        assert taken.code == 3
        assert "Address already in use" in taken.err
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_the_simulator_takes_a_free_port_and_says_what_it_is(cold: Shell) -> None:
    del cold.env["OLLAMA_HOST"]
    process = cold.start_program("simulate", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if "msg=" in line and "Listening" in line:
                break
        assert "SIMULATION" in said
        port = re.search(r"http://127\.0\.0\.1:(\d+)", said)
        assert port is not None
        assert port[1] != "11434"
        cold.env["OLLAMA_HOST"] = f"127.0.0.1:{port[1]}"
        assert cold.json("status")["version"].endswith("simulated")
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_a_remote_server_is_asked_but_never_touched(warm: Shell) -> None:
    remote = f"{warm.host}/"
    stopped = warm.run("--host", "https://localhost:1", "stop", "--json")
    assert stopped.code == 1
    assert json.loads(stopped.err)["code"] == "server_remote"
    gone = warm.run("--host", "http://127.0.0.1:1/prefix", "status", "--json")
    assert gone.code == 3
    assert json.loads(gone.err)["error"] == "ServerUnavailableError"
    assert warm.json("--host", remote, "status")["state"] == "ready"


def test_nothing_of_a_shell_is_held_open(cold: Shell) -> None:
    """A server that kept standard output open would block ``$(ollama-manager start)``."""
    assert cold.run_program("start").code == 0
    seen = cold.json("status")
    assert (seen["state"], seen["leases"]) == ("ready", 1)  # without the program that started it
    assert os.path.isfile(seen["log_path"])
