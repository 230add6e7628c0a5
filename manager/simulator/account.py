"""The version, the account, and what goes through Ollama's cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from manager.simulator.app import unauthorized
from manager.simulator.exchange import TEXT, ApiError, Reply, json_reply
from manager.simulator.go_json import decode
from manager.simulator.json_types import is_object

if TYPE_CHECKING:
    from manager.simulator.app import App
    from manager.simulator.exchange import Request

VERSION = "0.33.0-simulated"


def root(app: App, request: Request) -> Reply:
    """``GET /``."""
    return Reply(200, TEXT, b"Ollama is running")


def version(app: App, request: Request) -> Reply:
    """``GET /api/version``."""
    return json_reply({"version": VERSION})


def cloud_status(app: App, request: Request) -> Reply:
    """``GET /api/status``."""
    disabled = app.settings.no_cloud
    source = "env" if disabled else "none"
    return json_reply({"cloud": {"disabled": disabled, "source": source}})


def whoami(app: App, request: Request) -> Reply:
    """``POST /api/me``."""
    if not app.user:
        raise unauthorized()
    import uuid

    identity = uuid.uuid5(uuid.NAMESPACE_DNS, f"{app.user}.simulated.example.com")
    return json_reply(
        {
            "id": str(identity),
            "email": f"{app.user}@example.com",
            "name": app.user,
            "bio": "a simulated account",
            "plan": "free",
        }
    )


def signout(app: App, request: Request) -> Reply:
    """``POST /api/signout`` and ``DELETE /api/user/keys/{encodedKey}``."""
    if not app.user:
        raise ApiError(401, "you are not currently signed in")
    app.user = ""
    return json_reply(None)


def web_search(app: App, request: Request) -> Reply:
    """``POST /api/experimental/web_search``."""
    asked = _cloud_request(app, request, "web search is unavailable")
    query = str(asked.get("query", ""))
    wanted = asked.get("max_results")
    count = min(max(wanted, 1), 10) if isinstance(wanted, int) else 5
    results = [
        {
            "title": f"Simulated result {number} for {query}",
            "url": f"https://example.com/simulated/{number}",
            "content": f"(simulated content) Nothing was searched for: {query}",
        }
        for number in range(1, count + 1)
    ]
    return json_reply({"results": results})


def web_fetch(app: App, request: Request) -> Reply:
    """``POST /api/experimental/web_fetch``."""
    asked = _cloud_request(app, request, "web fetch is unavailable")
    url = str(asked.get("url", ""))
    return json_reply(
        {
            "title": f"Simulated page {url}",
            "content": "(simulated content) Nothing was fetched.",
            "links": ["https://example.com/simulated/1"],
        }
    )


def recommendations(app: App, request: Request) -> Reply:
    """``GET /api/experimental/model-recommendations``."""
    cloud = {
        "model": "simulated-large:cloud",
        "description": "A simulated model that runs nowhere",
        "context_length": 262_144,
        "max_output_tokens": 32_768,
    }
    local = {
        "model": "simulated",
        "description": "A simulated model that runs here",
        "vram_bytes": 1_000_000,
    }
    return json_reply({"recommendations": [cloud, local]})


def _cloud_request(app: App, request: Request, operation: str) -> dict[str, Any]:
    body = request.body()
    if not body.strip():
        raise ApiError(400, "missing request body")
    app.require_cloud(operation)
    asked = decode(body)
    if not is_object(asked):
        raise ApiError(400, "invalid request body")
    return asked
