"""The account, the cloud, and servers that are too old for them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from manager import (
    APIError,
    AuthenticationError,
    InvalidRequestError,
    PermissionDeniedError,
    ServerTooOldError,
)
from manager.simulator import SimulatedServer

from ..ports import free_port
from .hostile_server import Hostile, says

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from .either import Make

NO_PAGE = says(b"404 page not found", 404, kind="text/plain")


@pytest_asyncio.fixture
async def signed_in(make: Make) -> AsyncIterator[Any]:
    """A manager of a server that somebody is signed in to."""
    with SimulatedServer(port=free_port(), env={"OLLAMA_SIMULATOR_USER": "ada"}) as server:
        async with make(host=server.host) as manager:
            yield manager


@pytest.fixture(scope="module")
def no_cloud() -> Iterator[SimulatedServer]:
    with SimulatedServer(port=free_port(), env={"OLLAMA_NO_CLOUD": "1"}) as server:
        yield server


async def test_who_is_signed_in_until_they_sign_out(signed_in: Any) -> None:
    assert (await signed_in.whoami()).name == "ada"
    await signed_in.signout()
    with pytest.raises(AuthenticationError) as caught:
        await signed_in.whoami()
    assert caught.value.signin_url.startswith("https://ollama.com/")


async def test_the_web_is_searched_and_fetched(signed_in: Any) -> None:
    found = await signed_in.web_search("why is the sky blue", max_results=2)
    assert [hit.url for hit in found] != []
    assert len(found) == 2
    assert len(await signed_in.web_search("why")) == 5
    assert (await signed_in.web_fetch("https://example.com")).content


async def test_recommendations_need_no_account(m: Any) -> None:
    assert [entry.model for entry in await m.model_recommendations()] != []


async def test_whether_the_cloud_is_switched_off(
    m: Any, make: Make, no_cloud: SimulatedServer
) -> None:
    assert not (await m.cloud_status()).disabled
    async with make(host=no_cloud.host) as local:
        status = await local.cloud_status()
        assert (status.disabled, status.source) == (True, "env")
        with pytest.raises(PermissionDeniedError):
            await local.web_fetch("https://example.com")


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("query", {"query": ""}),
        ("query", {"query": 3}),
        ("max_results", {"query": "a", "max_results": 0}),
        ("max_results", {"query": "a", "max_results": 11}),
        ("max_results", {"query": "a", "max_results": True}),
        ("max_results", {"query": "a", "max_results": "2"}),
    ],
)
async def test_a_wrong_search_is_not_sent(m: Any, argument: str, call: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        await m.web_search(**call)
    assert caught.value.argument == argument


@pytest.mark.parametrize("url", ["  ", None])
async def test_a_page_without_an_address_is_not_fetched(m: Any, url: Any) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        await m.web_fetch(url)
    assert caught.value.argument == "url"


def version(text: str) -> Any:
    return says(json.dumps({"version": text}).encode())


@pytest.mark.parametrize(
    ("method", "arguments", "needed"),
    [
        ("whoami", (), "0.12.0"),
        ("signout", (), "0.12.1"),
        ("cloud_status", (), "0.16.2"),
        ("web_search", ("sky",), "0.18.0"),
        ("web_fetch", ("https://example.com",), "0.18.0"),
        ("model_recommendations", (), "0.22.1"),
    ],
)
async def test_a_server_that_is_too_old_is_told_from_a_wrong_address(
    make: Make, method: str, arguments: tuple[str, ...], needed: str
) -> None:
    with Hostile(NO_PAGE, version("0.11.9")) as server:
        async with make(host=server.host) as manager:
            with pytest.raises(ServerTooOldError) as caught:
                await getattr(manager, method)(*arguments)
    error = caught.value
    assert error.message == f"the server is Ollama 0.11.9, and this call needs {needed}"
    assert needed in error.hint
    assert (error.server_version, error.required_version) == ("0.11.9", needed)
    assert (error.code, error.status_code, error.retryable) == ("server_too_old", 404, False)
    assert error.endpoint.startswith(("GET /api/", "POST /api/"))


@pytest.mark.parametrize("running", ["0.12.0", "0.33.0-rc2", "0.0.0", "unknown"])
async def test_a_server_that_is_new_enough_is_no_old_server(make: Make, running: str) -> None:
    with Hostile(NO_PAGE, version(running)) as server:
        async with make(host=server.host) as manager:
            with pytest.raises(APIError) as caught:
                await manager.whoami()
    assert caught.value.code == "endpoint_not_found"


async def test_what_is_no_ollama_at_all_is_no_old_server(make: Make) -> None:
    with Hostile(NO_PAGE) as server:
        async with make(host=server.host) as manager:
            with pytest.raises(APIError) as caught:
                await manager.whoami()
            assert caught.value.code == "endpoint_not_found"
            asked = len(server.requests)
            with pytest.raises(APIError):
                await manager.list_models()
    # Every server has this one: there is nothing to find out.
    assert len(server.requests) == asked + 1
