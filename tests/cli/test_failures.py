"""Exit codes, and how errors are told."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

from manager import errors
from manager.cli.exit_codes import ExitCode, exit_code

if TYPE_CHECKING:
    from .cli_testing import Shell

WRONG_USAGE = [
    (["chat", "simulated", "hi", "-o", "temprature=1"], "temperature"),
    (["chat", "simulated", "hi", "-o", "temperature=NaN"], "finite"),
    (["chat", "simulated", "hi", "-o", "temperature"], "KEY=VALUE"),
    (["chat", "simulated", "hi", "-o", "num_ctx=1", "-o", "num_ctx=2"], "twice"),
    (["chat", "simulated", "hi", "--think-level", "much"], "much"),
    (["chat", "simulated", "hi", "--no-think", "--think-level", "low"], "contradict"),
    (["chat", "simulated", "hi", "--format", "/no/such/schema"], "schema"),
    (["chat", "simulated", "hi", "--format", "{broken"], "JSON"),
    (["chat", "simulated", "hi", "--keep-alive", "soon"], "soon"),
    (["chat", "simulated", "hi", "--timeout", "-1"], "timeout"),
    (["chat", "simulated", ""], "empty"),
    (["chat", "a/b/c/d/e", "hi"], "a/b/c/d/e"),
    (["show", "not a name"], "not a name"),
    (["embed", "simulated-embed"], "no text"),
    (["logs", "-n", "0"], "range"),
    (["list", "--nonsense"], "--nonsense"),
    (["nonsense"], "nonsense"),
    (["--host", "127.0.0.1:0", "list"], "port"),
    (["--host", "ftp://x", "status"], "scheme"),
    (["--config", "/no/such/file.toml", "list"], "file.toml"),
    (["--binary", "[broken", "list"], "JSON list"),
]


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.ConfigError, 2),
        (errors.InvalidRequestError, 2),
        (errors.BadRequestError, 2),
        (errors.ServerNotFoundError, 3),
        (errors.ServerStartError, 3),
        (errors.ServerCrashedError, 3),
        (errors.ServerUnavailableError, 3),
        (errors.ModelNotFoundError, 4),
        (errors.RequestTimeoutError, 5),
        (errors.ServerNotOwnedError, 1),
        (errors.CapabilityError, 1),
        (errors.StreamInterruptedError, 1),
        (errors.OutputParseError, 1),
    ],
)
def test_each_error_has_its_code(kind: type[errors.OllamaManagerError], code: int) -> None:
    assert exit_code(kind("no")) == code


def test_other_exceptions() -> None:
    assert exit_code(KeyboardInterrupt()) is ExitCode.INTERRUPTED
    assert exit_code(RuntimeError()) is ExitCode.FAILURE


def test_a_missing_model(warm: Shell) -> None:
    failed = warm.run("chat", "simulatet", "hi")
    assert failed.code == 4
    assert failed.out == ""
    message, hint = failed.err.splitlines()
    assert message == "error: model 'simulatet' not found"
    assert hint.startswith("hint: did you mean simulated:latest")
    assert "ollama-manager pull simulatet" in hint


@pytest.mark.parametrize(
    "words", [["chat", "nope", "hi"], ["show", "nope"], ["embed", "nope", "a"]]
)
def test_a_missing_model_as_json(warm: Shell, words: list[str]) -> None:
    failed = warm.run(*words, "--json")
    assert failed.code == 4
    (line,) = failed.err.splitlines()
    error = json.loads(line)
    assert (error["error"], error["code"]) == ("ModelNotFoundError", "model_not_found")
    assert (error["model"], error["status_code"]) == ("nope", 404)


def test_a_model_that_the_hub_does_not_have(warm: Shell) -> None:
    assert warm.run("pull", "no-such-model").code == 4


def test_a_model_without_embeddings(warm: Shell) -> None:
    failed = warm.run("chat", "simulated-embed", "hi", "--json")
    assert failed.code == 1
    assert json.loads(failed.err)["error"] == "CapabilityError"


def test_no_program(cold: Shell) -> None:
    failed = cold.run("list", OLLAMA_MANAGER_BINARY="/no/such/ollama")
    assert failed.code == 3
    assert failed.err.startswith("error: ")
    assert "ollama.com/download" in failed.err
    as_option = cold.run("list", "--binary", "/no/such/ollama", "--json")
    assert as_option.code == 3
    assert json.loads(as_option.err)["code"] == "server_not_found"


def test_a_program_that_does_not_serve(cold: Shell) -> None:
    failed = cold.run("start", OLLAMA_MANAGER_BINARY="/bin/false")
    assert failed.code == 3
    assert "Traceback" not in failed.err


def test_a_port_that_something_else_has(cold: Shell) -> None:
    host, port = cold.env["OLLAMA_HOST"].split(":")
    with socket.create_server((host, int(port))) as other:
        other.settimeout(0)
        failed = cold.run("list")
        assert failed.code == 3
        assert "taken by a program" in failed.err
        status = cold.run("status")
        assert status.code == 3
        assert "not Ollama" in status.out


@pytest.mark.parametrize(("words", "said"), WRONG_USAGE)
def test_wrong_usage(cold: Shell, words: list[str], said: str) -> None:
    failed = cold.run(*words)
    assert (failed.code, failed.out) == (2, "")
    first, *rest = failed.err.splitlines()
    assert first.startswith("error: ")
    assert said in failed.err
    assert all(line.startswith("hint: ") for line in rest)
    as_json = cold.run(*words, "--json")
    assert (as_json.code, as_json.out) == (2, "")
    (line,) = as_json.err.splitlines()
    assert json.loads(line)["message"]


def test_a_timeout(cold: Shell) -> None:
    cold.env["OLLAMA_SIMULATOR_LOAD_SECONDS"] = "30"
    cold.env["OLLAMA_MANAGER_RETRY_MAX_ATTEMPTS"] = "1"
    failed = cold.run("chat", "simulated", "hi", "--timeout", "0.2")
    assert failed.code == 5
    assert "--timeout" in failed.err


def test_verbose_logs_the_causes(cold: Shell) -> None:
    cold.env["OLLAMA_MANAGER_RETRY_MAX_ATTEMPTS"] = "1"
    words = ["--host", "http://127.0.0.1:1/remote", "list"]
    quiet = cold.run(*words)
    loud = cold.run(*words, "-v")
    assert quiet.code == loud.code == 3
    assert "caused by" not in quiet.err
    assert "caused by ConnectFailed" in loud.err
    assert "Traceback" not in loud.err
    assert len(quiet.err.splitlines()) == 2
