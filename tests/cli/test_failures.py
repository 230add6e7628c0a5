"""Exit codes, and how errors are told."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
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
    assert failed.returncode == 4
    assert failed.stdout == ""
    message, hint = failed.stderr.splitlines()
    assert message == "error: model 'simulatet' not found"
    assert hint.startswith("hint: did you mean simulated:latest")
    assert "ollama-manager pull simulatet" in hint


@pytest.mark.parametrize(
    "words", [["chat", "nope", "hi"], ["show", "nope"], ["embed", "nope", "a"]]
)
def test_a_missing_model_as_json(warm: Shell, words: list[str]) -> None:
    failed = warm.run(*words, "--json")
    assert failed.returncode == 4
    (line,) = failed.stderr.splitlines()
    error = json.loads(line)
    assert (error["error"], error["code"]) == ("ModelNotFoundError", "model_not_found")
    assert (error["model"], error["status_code"]) == ("nope", 404)


def test_a_model_that_the_hub_does_not_have(warm: Shell) -> None:
    assert warm.run("pull", "no-such-model").returncode == 4


def test_a_model_without_embeddings(warm: Shell) -> None:
    failed = warm.run("chat", "simulated-embed", "hi", "--json")
    assert failed.returncode == 1
    assert json.loads(failed.stderr)["error"] == "CapabilityError"


def test_no_program(cold: Shell) -> None:
    failed = cold.run("list", OLLAMA_MANAGER_BINARY="/no/such/ollama")
    assert failed.returncode == 3
    assert failed.stderr.startswith("error: ")
    assert "ollama.com/download" in failed.stderr
    as_option = cold.run("list", "--binary", "/no/such/ollama", "--json")
    assert as_option.returncode == 3
    assert json.loads(as_option.stderr)["code"] == "server_not_found"


def test_a_program_that_does_not_serve(cold: Shell) -> None:
    failed = cold.run("start", OLLAMA_MANAGER_BINARY="/bin/false")
    assert failed.returncode == 3
    assert "Traceback" not in failed.stderr


def test_a_port_that_something_else_has(cold: Shell) -> None:
    host, port = cold.env["OLLAMA_HOST"].split(":")
    with socket.create_server((host, int(port))) as other:
        other.settimeout(0)
        failed = cold.run("list")
        assert failed.returncode == 3
        assert "taken by a program" in failed.stderr
        status = cold.run("status")
        assert status.returncode == 3
        assert "not Ollama" in status.stdout


@pytest.mark.parametrize(("words", "said"), WRONG_USAGE)
def test_wrong_usage(cold: Shell, words: list[str], said: str) -> None:
    failed = cold.run(*words)
    assert failed.returncode == 2
    assert failed.stdout == ""
    first, *rest = failed.stderr.splitlines()
    assert first.startswith("error: ")
    assert said in failed.stderr
    assert all(line.startswith("hint: ") for line in rest)


def test_wrong_usage_as_json(cold: Shell) -> None:
    """In one process for all: starting one for each takes longest."""
    code = (
        "import json, sys\n"
        "from manager.cli import main\n"
        "for words in json.loads(sys.argv[1]):\n"
        "    print(main([*words, '--json']))\n"
    )
    wrong = json.dumps([words for words, _ in WRONG_USAGE])
    done = subprocess.run(
        [sys.executable, "-c", code, wrong],
        env=cold.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["2"] * len(WRONG_USAGE), "and nothing else is printed"
    errors = [json.loads(line) for line in done.stderr.splitlines()]
    assert len(errors) == len(WRONG_USAGE)
    assert all(error["message"] for error in errors)


def test_a_timeout(cold: Shell) -> None:
    cold.env["OLLAMA_SIMULATOR_LOAD_SECONDS"] = "30"
    cold.env["OLLAMA_MANAGER_RETRY_MAX_ATTEMPTS"] = "1"
    failed = cold.run("chat", "simulated", "hi", "--timeout", "0.2")
    assert failed.returncode == 5
    assert "--timeout" in failed.stderr


def test_verbose_logs_the_causes(cold: Shell) -> None:
    cold.env["OLLAMA_MANAGER_RETRY_MAX_ATTEMPTS"] = "1"
    words = ["--host", "http://127.0.0.1:1/remote", "list"]
    quiet = cold.run(*words)
    loud = cold.run(*words, "-v")
    assert quiet.returncode == loud.returncode == 3
    assert "caused by" not in quiet.stderr
    assert "caused by ConnectError" in loud.stderr
    assert "Traceback" not in loud.stderr
    assert len(quiet.stderr.splitlines()) == 2
