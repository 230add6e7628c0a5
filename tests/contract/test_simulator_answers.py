"""The simulator answers as real servers did, and as the spec says; what differs is explained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from manager.simulator import SimulatedServer

from . import comparing, validating

if TYPE_CHECKING:
    import httpx

VERSIONS = sorted(path.stem for path in comparing.ANSWERS.glob("*.json"))


class Simulated:
    """What the simulator answered, once for all tests of this module."""

    answers: dict[str, comparing.Answer]
    problems: list[str]


@pytest.fixture(scope="module")
def simulated() -> Simulated:
    found = Simulated()
    found.problems = []

    def note(request: str, response: httpx.Response) -> None:
        found.problems += [f"{request}: {text}" for text in validating.problems_of(response)]

    with SimulatedServer(models=["tiny", "tiny-embed"]) as server:
        found.answers = comparing.answers_of(server.base_url, {}, note)
    return found


def test_the_answers_of_the_newest_server_were_recorded() -> None:
    assert validating.spec()["info"]["version"] in VERSIONS
    assert set(VERSIONS) == set(comparing.EXPLAINED)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_request_but_the_unsent_was_recorded(version: str) -> None:
    unsent = comparing.UNSENT.get(version, {})
    asked = [request for request in comparing.requests() if request not in unsent]
    assert set(asked) <= set(comparing.recorded(version))
    assert len(asked) == len(comparing.recorded(version))
    assert set(unsent) <= set(comparing.requests())


@pytest.mark.parametrize("version", VERSIONS)
def test_the_simulator_answers_as_the_real_server_did(version: str, simulated: Simulated) -> None:
    found = comparing.differences(comparing.recorded(version), simulated.answers)
    explained = comparing.EXPLAINED[version]
    assert [text for request, text in found.items() if request not in explained] == []
    # An explanation of what does not differ any more is to go.
    assert set(explained) - set(found) == set()


def test_what_the_simulator_answers_fits_the_spec(simulated: Simulated) -> None:
    assert simulated.problems == []
