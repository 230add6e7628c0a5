"""The pytest plugin: fixtures, a marker and a setting.

pytest loads it in every test run, also of projects that have a `manager` of their own. So it
imports `manager` only when one of its fixtures is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from manager.testing.program import OllamaProgram
    from manager.testing.scripted import ScriptedOllama
    from manager.testing.server import OllamaServer

_MARKER = """\
ollama_server(models=None, token_seconds=0, load_seconds=0, pull_seconds=0, env=None): \
what the simulated Ollama of the fixtures ollama_server, ollama_server_process and \
ollama_program is like\
"""
_MODELS = "models that the simulated Ollama of the fixture ollama_server has at the start"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the setting ``ollama_models``."""
    parser.addini("ollama_models", type="args", default=[], help=_MODELS)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker ``ollama_server``."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture
def ollama_server(request: pytest.FixtureRequest) -> Iterator[OllamaServer]:
    """A simulated Ollama of this test's own, in a thread; what it says and does is scripted.

    The setting ``ollama_models`` says which models it has; the marker
    ``@pytest.mark.ollama_server(models=[...], token_seconds=0.01)`` what else it is like.
    """
    _check_import()
    from manager.testing.server import OllamaServer

    with OllamaServer(**_settings(request)) as server:
        yield server
    _raise_errors(server)


@pytest.fixture
def ollama_server_process(request: pytest.FixtureRequest) -> Iterator[OllamaServer]:
    """A simulated Ollama of this test's own in a process of its own, scripted all the same."""
    _check_import()
    from manager.testing.server import OllamaServer

    with OllamaServer(process=True, **_settings(request)) as server:
        yield server
    _raise_errors(server)


@pytest.fixture
def ollama_program(request: pytest.FixtureRequest) -> Iterator[OllamaProgram]:
    """A simulated ``ollama`` for a manager to start, restart and stop; it is scripted, too."""
    _check_import()
    from manager.testing.program import OllamaProgram

    with OllamaProgram(**_settings(request)) as program:
        yield program
    _raise_errors(program)


@pytest.fixture
def ollama_host(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Sets ``OLLAMA_HOST`` to the test's server, and gives it: an address and a port.

    That is `ollama_server_process` if the test asks for it, else `ollama_server`.
    """
    process = "ollama_server_process" in request.fixturenames
    name = "ollama_server_process" if process else "ollama_server"
    server: OllamaServer = request.getfixturevalue(name)
    monkeypatch.setenv("OLLAMA_HOST", server.host)
    return server.host


def _check_import() -> None:
    """Fail, without a traceback, if the `manager` of this process is somebody else's."""
    from ollama_manager_entry_points.shadowing import find_shadow

    shadow = find_shadow("manager")
    if shadow is not None:
        hint = (
            f"Rename {shadow.target} to use these fixtures, or run `ollama-manager simulate` "
            "beside the tests and have them use its address."
        )
        pytest.fail(f"{shadow.message}. {hint}", pytrace=False)


def _settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    marker = request.node.get_closest_marker("ollama_server")
    settings: dict[str, Any] = {} if marker is None else dict(marker.kwargs)
    return {"models": request.config.getini("ollama_models") or None, **settings}


def _raise_errors(ollama: ScriptedOllama) -> None:
    """What a function that answers has raised is no less an error for being another thread's."""
    for error in ollama.errors:
        raise error
