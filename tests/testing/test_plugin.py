"""The plugin: its fixtures, and that nobody else notices it."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

pytest_plugins = ["pytester"]


ONLY_THIS = ("-p", "ollama_manager")
# Other plugins stay out: some are slow to load, and one warns of a setting that it wants.
OTHERS = (
    *("anyio", "asyncio", "hypothesispytest", "pytest_cov", "randomly", "schemathesis"),
    *("timeout", "xdist"),
)
AS_INSTALLED = tuple(word for name in OTHERS for word in ("-p", f"no:{name}"))


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OLLAMA_HOST", raising=False)


def run(
    pytester: pytest.Pytester, code: str, *words: str, plugins: tuple[str, ...] = ONLY_THIS
) -> pytest.RunResult:
    """Run tests as a stranger would, in a process of their own."""
    pytester.makepyfile(code)
    with pytest.MonkeyPatch.context() as patch:
        if plugins is ONLY_THIS:
            patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        return pytester.runpytest_subprocess(*plugins, "-W", "error", *words)


def test_it_is_registered() -> None:
    found = {entry.name: entry.value for entry in entry_points(group="pytest11")}
    assert found["ollama_manager"] == "ollama_manager_entry_points.pytest_plugin"


def test_the_fixtures(pytester: pytest.Pytester) -> None:
    code = """
        import os
        import urllib.request
        import pytest

        def ask(host):
            with urllib.request.urlopen(f"http://{host}/api/version") as answer:
                return answer.status

        def test_thread(ollama_server):
            assert ollama_server.pid == os.getpid()
            assert ask(ollama_server.host) == 200
            assert "OLLAMA_HOST" not in os.environ

        def test_process(ollama_server_process):
            assert ollama_server_process.pid != os.getpid()
            assert ask(ollama_server_process.host) == 200

        def test_host(ollama_host, ollama_server):
            assert os.environ["OLLAMA_HOST"] == ollama_host == ollama_server.host
            assert ask(ollama_host) == 200

        def test_host_of_the_process(ollama_server_process, ollama_host):
            assert ollama_host == ollama_server_process.host

        def test_host_alone(ollama_host):
            assert ask(ollama_host) == 200

        def test_the_environment_is_as_it_was():
            assert "OLLAMA_HOST" not in os.environ
        """
    run(pytester, code).assert_outcomes(passed=6)


def test_each_test_starts_with_an_empty_script_and_record(pytester: pytest.Pytester) -> None:
    code = """
        import json
        import urllib.request
        import pytest

        from manager.testing import Busy

        @pytest.mark.parametrize("number", range(8))
        def test_it(ollama_server, number):
            assert ollama_server.requests == []
            ollama_server.reply(f"number {number}")
            body = {"model": "simulated", "prompt": "?", "stream": False}
            request = urllib.request.Request(
                ollama_server.base_url + "/api/generate", json.dumps(body).encode()
            )
            with urllib.request.urlopen(request) as answer:
                assert json.load(answer)["response"] == f"number {number}"
            assert len(ollama_server.requests) == 1
            ollama_server.fail_next(Busy(times=None))
        """
    run(pytester, code, "-p", "xdist", "-n", "2").assert_outcomes(passed=8)


def test_the_setting_and_the_marker(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nollama_models = llama3.2 all-minilm\naddopts = --strict-markers")
    code = """
        import json
        import urllib.request
        import pytest

        def models(server):
            with urllib.request.urlopen(f"{server.base_url}/api/tags") as answer:
                return {model["name"] for model in json.load(answer)["models"]}

        def test_setting(ollama_server):
            assert models(ollama_server) == {"llama3.2:latest", "all-minilm:latest"}

        @pytest.mark.ollama_server(models=["qwen3:8b"], token_seconds=0.01)
        class TestMarker:
            def test_of_a_class(self, ollama_server, ollama_server_process):
                assert models(ollama_server) == {"qwen3:8b"}
                assert models(ollama_server_process) == {"qwen3:8b"}

            @pytest.mark.ollama_server(models=[])
            def test_the_nearest_counts(self, ollama_server):
                assert models(ollama_server) == set()

        @pytest.mark.ollama_server(model="llama3.2")
        def test_mistake(ollama_server):
            pass
        """
    result = run(pytester, code)
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*unexpected keyword argument 'model'*"])
    run(pytester, "", "--help").stdout.fnmatch_lines(["*ollama_models*"])


def test_an_error_in_a_function_that_answers_is_shown(pytester: pytest.Pytester) -> None:
    code = """
        import urllib.error
        import urllib.request

        def test_it(ollama_server):
            ollama_server.reply(lambda request: {}["the missing key"])
            body = b'{"model": "simulated", "prompt": "?"}'
            try:
                urllib.request.urlopen(f"{ollama_server.base_url}/api/generate", body)
            except urllib.error.HTTPError as error:
                error.close()
        """
    result = run(pytester, code)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*KeyError: 'the missing key'*"])


def test_nothing_is_loaded_for_those_who_do_not_use_it(pytester: pytest.Pytester) -> None:
    code = """
        import sys

        def test_it():
            tops = ("manager", "ollama_api", "ollama_manager_entry_points")
            ours = {name for name in sys.modules if name.split(".")[0] in tops}
            assert ours == {tops[2], f"{tops[2]}.pytest_plugin"}
        """
    run(pytester, code, plugins=AS_INSTALLED).assert_outcomes(passed=1)


def test_it_can_be_left_out(pytester: pytest.Pytester) -> None:
    code = """
        import sys

        def test_it():
            assert "ollama_manager_entry_points" not in sys.modules
        """
    run(pytester, code, "-p", "no:ollama_manager", plugins=AS_INSTALLED).assert_outcomes(passed=1)


def test_other_frameworks_need_no_pytest() -> None:
    code = """if True:
        import sys
        sys.modules["pytest"] = None
        import urllib.request
        from manager.testing import OllamaServer
        with OllamaServer() as server:
            with urllib.request.urlopen(server.base_url) as answer:
                print(answer.read().decode())
        """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("Ollama is running\n", "")
