from __future__ import annotations

import json
import time

import pytest

from manager.errors import ModelNotFoundError
from manager.missing import explain_missing
from manager.status import Ownership, ServerState, ServerStatus, status_from_snapshot
from manager.supervisor.states import Snapshot


def test_states_are_strings() -> None:
    assert {str(state) for state in ServerState} == {
        "stopped",
        "starting",
        "ready",
        "unresponsive",
        "restarting",
        "stopping",
        "failed",
    }
    assert {str(owner) for owner in Ownership} == {"managed", "foreign", "remote", "none"}
    assert ServerState.READY == "ready"


@pytest.mark.parametrize("ownership", Ownership)
def test_owned_is_managed(ownership: Ownership) -> None:
    status = ServerStatus(state=ServerState.READY, host="http://h", ownership=ownership)
    assert status.owned is (ownership == "managed")


def test_from_a_snapshot() -> None:
    snapshot = Snapshot(
        ServerState.READY,
        Ownership.MANAGED,
        "http://127.0.0.1:1",
        pid=7,
        version="1.2",
        restarts=3,
        started_at=time.monotonic() - 5,
        last_error={"error": "ServerCrashedError", "message": "died"},
    )
    status = status_from_snapshot(snapshot)
    assert (status.state, status.ownership, status.pid) == ("ready", "managed", 7)
    assert (status.version, status.restarts, status.owned) == ("1.2", 3, True)
    assert status.uptime == pytest.approx(5, abs=2)
    data = status.to_dict()
    assert json.loads(json.dumps(data)) == data
    assert data["state"] == "ready"
    assert data["owned"] is True
    error = data["last_error"]
    assert (error["error"], error["message"]) == ("ServerCrashedError", "died")
    assert (error["code"], error["retryable"]) == ("server_crashed", False)


def test_a_start_in_the_future_is_no_negative_uptime() -> None:
    snapshot = Snapshot(
        ServerState.READY, Ownership.FOREIGN, "http://h", started_at=time.monotonic() + 9
    )
    assert status_from_snapshot(snapshot).uptime == 0.0


def test_nothing_known() -> None:
    status = status_from_snapshot(Snapshot(ServerState.STOPPED, Ownership.NONE, "http://h"))
    assert status.pid is status.version is status.uptime is status.last_error is None


def test_a_missing_model_is_explained() -> None:
    error = ModelNotFoundError("model 'lama3' not found", model="lama3")
    assert explain_missing(error, ["llama3:latest", "mistral:latest"]) is error
    assert error.suggestions == ["llama3:latest"]
    assert "did you mean 'llama3:latest'" in str(error)
    assert "pull_model('lama3')" in str(error)


def test_a_missing_model_without_anything_like_it() -> None:
    error = explain_missing(ModelNotFoundError("none", model="zzz"), ["llama3:latest"])
    assert error.suggestions == []
    assert "pull_model('zzz')" in str(error)
    nameless = ModelNotFoundError("none")
    assert explain_missing(nameless, ["a"]).hint is None
