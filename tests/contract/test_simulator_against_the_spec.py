"""Whatever the simulator is asked, within the spec or outside of it, its answer fits the spec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from manager.simulator import SimulatedServer

from ..plain_http import plain_client
from . import validating

if TYPE_CHECKING:
    from collections.abc import Iterator

# The same requests each time, and not many: this is to hold, not to search.
BOUNDED = settings(
    max_examples=max(10, settings.default.max_examples // 4),
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
# Half of the requests are about these, or hardly one would be about a model that is there.
KNOWN: dict[str, dict[str, str]] = {
    "chat": {"model": "simulated"},
    "generate": {"model": "simulated"},
    "embed": {"model": "simulated-embed"},
    "embeddings": {"model": "simulated-embed"},
    "show_model": {"model": "simulated"},
    "copy_model": {"source": "simulated", "destination": "made"},
    "create_model": {"model": "made", "from": "simulated"},
    "push_model": {"model": "ada/made"},
}
# Any text is a good key; without a body there is nothing else to get wrong.
CANNOT_BE_WRONG = {"delete_user_key"} | {
    operation.id
    for operation in validating.operations().values()
    if "requestBody" not in operation.described and "{" not in operation.path
}
# The account is signed out last.
OPERATIONS = sorted(
    validating.operations(), key=lambda name: name in ("signout", "delete_user_key")
)
ASKED = [(name, "positive") for name in OPERATIONS] + [
    (name, "negative") for name in OPERATIONS if name not in CANNOT_BE_WRONG
]


@pytest.fixture(scope="module")
def schema() -> Any:
    """The spec, as schemathesis has it; imported here, since it takes a second."""
    import schemathesis

    return schemathesis.openapi.from_dict(validating.spec())


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    """A server that somebody is signed in to, so that the cloud answers as well."""
    with (
        SimulatedServer(env={"OLLAMA_SIMULATOR_USER": "ada"}) as server,
        plain_client(server.base_url, timeout=60) as client,
    ):
        yield client


@pytest.mark.parametrize(("operation_id", "mode"), ASKED, ids=str)
def test_the_answer_fits_the_spec(
    operation_id: str, mode: str, http: httpx.Client, schema: Any
) -> None:
    from schemathesis.generation import GenerationMode

    cases = schema.find_operation_by_id(operation_id).as_strategy(
        generation_mode=GenerationMode(mode)
    )

    @BOUNDED
    @given(cases, st.booleans())
    def ask(case: Any, is_about_what_is_there: bool) -> None:
        if is_about_what_is_there and isinstance(case.body, dict):
            case.body |= KNOWN.get(operation_id, {})
        prepared = case.as_transport_kwargs(base_url=str(http.base_url))
        request = httpx.Request(
            prepared["method"],
            prepared["url"],
            headers=prepared.get("headers"),
            json=prepared.get("json"),
            content=prepared.get("data"),
        )
        assert validating.problems_of(http.send(request)) == []

    ask()
