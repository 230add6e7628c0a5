"""A real Ollama server of the tests' own: private port, home and models, no way to the network."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from manager import AsyncOllamaManager, OllamaManager

    from ..process.stage import Stage
    from .local_registry import LocalRegistry

HERE = Path(__file__).parent
NOWHERE = "http://127.0.0.1:9"
Settings = dict[str, Any]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = _why_not()
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.live)
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


def _why_not() -> str | None:
    """Return why no live test can run here, or None."""
    binary = real_ollama()
    if not binary:
        return "no `ollama` program: set OLLAMA_MANAGER_BINARY or put it on PATH"
    try:
        said = subprocess.run(
            [*binary, "--version"],
            env={**os.environ, "OLLAMA_HOST": NOWHERE},  # or it speaks of a server that runs there
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except OSError as error:
        return f"cannot run {binary[0]}: {error}"
    if "simulated" in said.stdout + said.stderr:
        return "OLLAMA_MANAGER_BINARY names a simulator, not a real `ollama`"
    return None


@functools.cache
def real_ollama() -> list[str]:
    """Return the program to test with; empty where there is none."""
    from manager import ManagerConfig

    found = shutil.which("ollama")
    return list(ManagerConfig.load().server.binary or ([found] if found else []))


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home of the tests' own; nothing of the user's settings is seen."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("OLLAMA_", "XDG_")):
                patch.delenv(name)
        patch.setenv("HOME", str(home))
        yield home


@pytest.fixture(scope="session")
def settings_for(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Settings]:
    """Make the settings of a manager of a server at a free port; all servers share the models."""
    models = tmp_path_factory.mktemp("models")
    assert home  # which has cleaned the environment

    def make(**settings: Any) -> Settings:
        common: Settings = {
            "host": f"127.0.0.1:{free_port()}",
            "binary": real_ollama(),
            "models": models,
            "noprune": True,
            "env": {"HTTPS_PROXY": NOWHERE},
        }
        return common | settings

    return make


@pytest.fixture(scope="session")
def shared(
    settings_for: Callable[..., Settings], gguf_files: dict[str, Path]
) -> Iterator[Settings]:
    """The settings of the server that most tests use; it has ``tiny``, ``slow``, ``tiny-embed``."""
    from manager import OllamaManager

    settings = settings_for(num_parallel=1)
    with OllamaManager(**settings) as m:
        for name, file in gguf_files.items():
            m.create_model(name, files=file)
        yield settings


@pytest.fixture(scope="session")
def gguf_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files of three tiny models."""
    from .tiny_model import SLOW, write_tiny_model

    folder = tmp_path_factory.mktemp("gguf")
    return {
        "tiny": write_tiny_model(folder / "tiny.gguf"),
        "slow": write_tiny_model(folder / "slow.gguf", SLOW),
        "tiny-embed": write_tiny_model(folder / "tiny-embed.gguf", embeds=True),
    }


@pytest.fixture(params=["sync", "async"])
def new_manager(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Make a manager; both kinds are awaited."""
    from manager import AsyncOllamaManager, OllamaManager

    from ..managers.either import Threaded

    def make(**settings: Any) -> Any:
        if request.param == "async":
            return AsyncOllamaManager(**settings)
        return Threaded(OllamaManager(**settings))

    return make


@pytest.fixture
async def m(new_manager: Callable[..., Any], shared: Settings) -> AsyncIterator[Any]:
    """A manager of the shared server, sync and async in turn."""
    async with new_manager(**shared) as manager:
        yield manager


@pytest.fixture
async def alone(
    new_manager: Callable[..., Any], settings_for: Callable[..., Settings], shared: Settings
) -> AsyncIterator[Any]:
    """A manager that alone has a server, which may be killed; it has the same models."""
    assert shared  # which has made the models
    async with new_manager(**settings_for()) as manager:
        yield manager


@pytest.fixture
def sync_m(shared: Settings) -> Iterator[OllamaManager]:
    """A sync manager of the shared server."""
    from manager import OllamaManager

    with OllamaManager(**shared) as manager:
        yield manager


@pytest.fixture
async def async_m(shared: Settings) -> AsyncIterator[AsyncOllamaManager]:
    """An async manager of the shared server."""
    from manager import AsyncOllamaManager

    async with AsyncOllamaManager(**shared) as manager:
        yield manager


@pytest.fixture(scope="session")
def ollama_version(shared: Settings) -> tuple[int, ...]:
    """The version of the real server, such as ``(0, 33, 0)``."""
    from manager import OllamaManager

    with OllamaManager(**shared) as m:
        return tuple(int(number) for number in re.findall(r"\d+", m.version())[:3])


@pytest.fixture(params=["sync", "async"])
async def stage(
    request: pytest.FixtureRequest,
    settings_for: Callable[..., Settings],
    shared: Settings,
    tmp_path: Path,
) -> AsyncIterator[Stage]:
    """Where the scenarios of tests/process play on a real server."""
    from ..process.stage import Stage, played

    settings = settings_for()
    stage = Stage(
        request.param,
        "slow",
        settings["binary"],
        tmp_path,
        tokens=500,
        models=shared["models"],
        noprune=True,
        env=settings["env"],
    )
    async with played(stage):
        yield stage


@pytest.fixture
def registry() -> Iterator[LocalRegistry]:
    """An empty registry of models on this machine."""
    from .local_registry import local_registry

    with local_registry() as registry:
        yield registry


@pytest.fixture
def foreign_server(settings_for: Callable[..., Settings]) -> Iterator[Settings]:
    """A server that no manager has started; the settings to find it."""
    settings = settings_for()
    environment = {**os.environ, "OLLAMA_HOST": settings["host"], "HTTPS_PROXY": NOWHERE}
    environment["OLLAMA_MODELS"] = str(settings["models"])
    server = subprocess.Popen(
        [*settings["binary"], "serve"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield {"host": settings["host"], "binary": settings["binary"]}
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(10)
        server.kill()
        server.wait()
