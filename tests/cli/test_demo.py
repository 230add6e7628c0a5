"""The demonstration from end to end, on the simulator."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from manager.simulator import SimulatedServer
from manager.simulator.command import simulator_command

from ..ports import free_port

if TYPE_CHECKING:
    from .cli_testing import Shell

STEPS = [
    "start", "list", "pull", "show", "chat", "stream", "typed output", "embed", "missing model",
    "kill -9", "stop",
]  # fmt: skip


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_all_of_it(cold: Shell) -> None:
    done = cold.run_program("demo", "--json")
    assert done.code == 0
    report = done.json
    assert report["ok"] is True
    assert report["simulated"] is True
    assert report["host"] != cold.host
    assert [step["name"] for step in report["steps"]] == STEPS
    assert {step["outcome"] for step in report["steps"]} == {"ok"}
    facts = {step["name"]: step["facts"] for step in report["steps"]}
    assert facts["kill -9"]["pid"] != facts["kill -9"]["killed_pid"] == facts["start"]["pid"]
    assert facts["missing model"]["error"]["code"] == "model_not_found"
    assert facts["embed"]["near"] > facts["embed"]["far"]
    assert facts["stop"]["runners"]
    pids = [facts["kill -9"]["pid"], facts["start"]["pid"], *facts["stop"]["runners"]]
    assert not [pid for pid in pids if is_running(pid)]
    home = Path(cold.env["HOME"])
    assert not list(home.rglob("*.log"))


def test_without_an_ollama_it_says_that_it_simulates(cold: Shell) -> None:
    del cold.env["OLLAMA_MANAGER_BINARY"]
    text = cold.ok("demo", "--binary", "/no/such/ollama")
    assert "A SIMULATED OLLAMA" in text
    assert "/no/such/ollama" in text
    assert "All of it worked" in text
    assert "\x1b" not in text
    for name in STEPS:
        assert f" {name} " in text


def test_the_simulator_may_be_named_by_its_file(cold: Shell) -> None:
    report = cold.json("demo", "--binary", json.dumps(simulator_command()))
    assert report["ok"] is True
    assert report["simulated"] is True
    assert "names the simulator" in report["reason"]


def test_without_any_model_it_fails_and_says_so(cold: Shell) -> None:
    """Neither the server that was found nor the simulator in its place has one to talk to."""
    cold.env["OLLAMA_SIMULATOR_MODELS"] = "mine-embed"
    done = cold.run("demo", "--json")
    assert done.code == 1
    report = done.json
    assert report["ok"] is False
    assert "no local model to talk to" in report["reason"]
    outcomes = [(step["name"], step["outcome"]) for step in report["steps"]]
    assert outcomes == [("start", "ok"), ("list", "failed"), ("stop", "ok")]
    shown = cold.run("demo")
    assert shown.code == 1
    assert "failed: list" in shown.out


def test_a_server_that_is_there_is_not_touched(cold: Shell) -> None:
    with SimulatedServer(port=free_port(), models=["mine"]) as server:
        report = json.loads(cold.ok("demo", "--json", OLLAMA_HOST=server.host))
        assert report["ok"] is True
        assert not [line for line in server.log if "/api/" in line]
        assert server.is_running
