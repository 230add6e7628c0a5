"""A real server, the simulator and the spec, held to one another over one list of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from manager import OllamaManager
from manager.simulator import SimulatedServer

from ..contract import comparing, validating

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx


class Asked:
    """What a real server answered to the list."""

    version: str
    answers: dict[str, comparing.Answer]
    problems: list[str]


@pytest.fixture(scope="module")
def asked(
    settings_for: Callable[..., dict[str, Any]],
    gguf_files: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Asked:
    settings = settings_for(models=tmp_path_factory.mktemp("own-models"))
    found = Asked()
    found.problems = []

    def note(request: str, response: httpx.Response) -> None:
        found.problems += [f"{request}: {text}" for text in validating.problems_of(response)]

    with OllamaManager(**settings) as m:
        for name in ("tiny", "tiny-embed"):
            m.create_model(name, files=gguf_files[name])
        found.version = m.version()
        unsent = comparing.UNSENT.get(found.version, {})
        found.answers = comparing.answers_of(f"http://{settings['host']}", unsent, note)
    return found


def test_what_a_real_server_answers_fits_the_spec(asked: Asked) -> None:
    assert asked.problems == []


def test_a_real_server_and_the_simulator_answer_alike(asked: Asked) -> None:
    with SimulatedServer(models=["tiny", "tiny-embed"]) as server:
        simulated = comparing.answers_of(server.base_url, {})
    explained = comparing.explained(asked.version)
    found = comparing.differences(asked.answers, simulated)
    unexplained = [text for request, text in found.items() if request not in explained]
    if unexplained and asked.version not in comparing.EXPLAINED:
        pytest.xfail(f"Ollama {asked.version} has not been recorded; " + "\n".join(unexplained))
    assert unexplained == []


def test_a_real_server_answers_as_it_was_recorded(asked: Asked) -> None:
    if asked.version not in comparing.EXPLAINED:
        pytest.skip(f"Ollama {asked.version} has not been recorded")
    found = comparing.differences(comparing.recorded(asked.version), asked.answers)
    assert list(found.values()) == []
