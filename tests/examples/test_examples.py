"""Every example does what it says, against the simulator."""

from __future__ import annotations

import inspect
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from manager import OllamaManager, errors
from manager.simulator import SimulatedServer

from ..ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

Run = Callable[..., subprocess.CompletedProcess[str]]

EXAMPLES = Path(__file__).parents[2] / "examples"
MODELS = ["llama3.2", "all-minilm", "gemma3:1b"]
EXPECTED = {
    "first_steps": ", managed",
    "async_chat": "3 answers in",
    "streaming": "... [enough]",
    "typed_output": "urgency)",
    "embeddings_search": "> How do I get my money back?",
    "events": "server.ready",
    "cmdcraft": "simulated command",
}


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Run an example as a program, with a simulator on a port of its own."""
    own = f"127.0.0.1:{free_port()}"
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OLLAMA_", "XDG_"))}

    def start(
        name: str, *words: str, input: str = "", **environ: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, EXAMPLES / f"{name}.py", *words],
            env={
                **clean,
                "HOME": str(tmp_path),
                "OLLAMA_HOST": own,
                "OLLAMA_MANAGER_BINARY": json.dumps([sys.executable, "-m", "manager.simulator"]),
                "OLLAMA_SIMULATOR_MODELS": ",".join(MODELS),
                "OLLAMA_SIMULATOR_TOKEN_SECONDS": "0.001",
                "PYTHONIOENCODING": "utf-8",
                **environ,
            },
            cwd=tmp_path,
            input=input,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    yield start
    with OllamaManager(host=own, autostart=False, watch=False) as m:
        m.stop_server()  # cmdcraft leaves it running for the next question


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    """A server that is there already, where it does not matter that an example starts one."""
    with SimulatedServer(port=free_port(), models=MODELS) as server:
        yield server.host


def test_every_example_is_listed_and_tried() -> None:
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert names == set(EXPECTED)
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert all(f"| [{name}.py]({name}.py) |" in readme for name in names)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_an_example_runs(name: str, run: Run) -> None:
    done = run(name, *(["list", "all", "files"] if name == "cmdcraft" else []))
    assert done.returncode == 0, done.stderr
    assert EXPECTED[name] in done.stdout


@pytest.mark.parametrize("name", ["first_steps", "streaming", "typed_output"])
def test_the_model_is_named_as_an_argument_or_in_the_environment(
    name: str, run: Run, host: str
) -> None:
    as_argument = run(name, "missing", OLLAMA_HOST=host)
    for done in (as_argument, run(name, OLLAMA_HOST=host, OLLAMA_MODEL="missing")):
        assert done.returncode == 1
        assert "missing" in done.stderr
        assert "Traceback" not in done.stderr


def test_the_example_of_tests_passes(tmp_path: Path) -> None:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OLLAMA_", "XDG_"))}
    folder = EXAMPLES / "testing"
    # the plugin is found as it is installed; others, some of which are slow to load, stay out
    others = ("cacheprovider", "asyncio", "xdist", "randomly", "schemathesis", "hypothesispytest")
    quiet = [*(word for name in others for word in ("-p", f"no:{name}")), "-W", "error"]
    done = subprocess.run(
        [sys.executable, "-B", "-m", "pytest", *quiet, "--basetemp", tmp_path / "temp", folder],
        env={**clean, "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed in " in done.stdout


def test_cmdcraft_prints_the_command_alone_on_standard_output(run: Run) -> None:
    done = run("cmdcraft", "list", "all", "files")
    assert done.stdout == "simulated command\n"
    assert "simulated explanation" in done.stderr
    as_json = json.loads(run("cmdcraft", "--json", "list", "all", "files").stdout)
    assert set(as_json) == {"command", "explanation", "dangerous"}


def test_cmdcraft_asks_when_nothing_is_said(run: Run) -> None:
    assert run("cmdcraft", input="list all files\n").stdout == "simulated command\n"
    assert run("cmdcraft", input="").returncode == 2


def test_cmdcraft_says_what_to_do_about_an_error(run: Run) -> None:
    missing = run("cmdcraft", "--json", "list", "files", OLLAMA_MODEL="lama3.2")
    assert missing.returncode == 4
    error = json.loads(missing.stderr)
    assert error["code"] == "model_not_found"
    assert "ollama-manager pull lama3.2" in error["hint"]

    no_program = run("cmdcraft", "list", "files", OLLAMA_MANAGER_BINARY="/nowhere/ollama")
    assert no_program.returncode == 3
    assert "hint: install Ollama" in no_program.stderr


def test_cmdcraft_keeps_its_deadline(run: Run) -> None:
    late = run("cmdcraft", "--deadline", "0.8", "hurry", OLLAMA_SIMULATOR_TOKEN_SECONDS="0.5")
    assert late.returncode == 5
    assert "--deadline" in late.stderr


def test_cmdcraft_knows_every_error() -> None:
    explain = runpy.run_path(str(EXAMPLES / "cmdcraft.py"))["explain"]
    generic = {"OllamaManagerError", "APIError", "ServerNotOwnedError", "StreamInterruptedError"}
    for name, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, errors.OllamaManagerError):
            code, advice = explain(kind("broken", hint="the error's own hint", model="llama3.2"))
            assert code in range(1, 7)
            assert advice
            assert name in generic or (code, advice) != (1, None)


@pytest.mark.parametrize(
    ("command", "dangerous"),
    [("ls -l", False), ("sudo ls", True), ("rm -r x", True), ("echo \x1b[2K", True)],
)
def test_cmdcraft_does_not_take_the_models_word_for_it(command: str, dangerous: bool) -> None:
    cmdcraft = runpy.run_path(str(EXAMPLES / "cmdcraft.py"))

    class Answers:
        def chat_parsed(self, *_: object, **__: object) -> object:
            return cmdcraft["ShellCommand"](command, "It is harmless.", dangerous=False)

    assert cmdcraft["craft"](Answers(), "llama3.2", "do it", 1).dangerous is dangerous


def test_the_text_closest_to_the_question_comes_first(run: Run, host: str) -> None:
    question = "when is your office open"
    done = run("embeddings_search", "all-minilm", question, OLLAMA_HOST=host)
    first = done.stdout.splitlines()[1]
    assert first.endswith("Our office is open from nine to five, Monday to Friday.")


def test_cmdcraft_does_not_wait_for_a_model_that_loads_past_the_deadline(run: Run) -> None:
    late = run(
        "cmdcraft", "--deadline", "1", input="list files\n", OLLAMA_SIMULATOR_LOAD_SECONDS="50"
    )
    assert late.returncode == 5
