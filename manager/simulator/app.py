"""What the handlers share: the settings, the models, what is loaded, who is signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manager.simulator import catalog
from manager.simulator.exchange import ApiError
from manager.simulator.names import NameProblem, parse_name, parse_reference
from manager.simulator.scheduler import Scheduler
from manager.simulator.store import Store

if TYPE_CHECKING:
    from manager.simulator.environment import Settings
    from manager.simulator.names import Reference
    from manager.simulator.scheduler import StartRunner
    from manager.simulator.store import Model

SIGNIN_URL = "https://ollama.com/connect?name=simulated&key=c2ltdWxhdGVk"


class App:
    """One simulated server.

    Args:
        settings: What the environment asks for.
        start_runner: Starts the runner of a model.
    """

    def __init__(self, settings: Settings, start_runner: StartRunner) -> None:
        self.settings = settings
        names = (parse_name(text) for text in settings.models)
        self.store: Store = Store(tuple(catalog.describe(name) for name in names if name.is_valid))
        self.scheduler: Scheduler = Scheduler(settings, start_runner)
        self.user: str = settings.user
        """Who is signed in; empty if nobody is."""

    def require_cloud(self, operation: str) -> None:
        """Refuse what goes through the cloud, unless it may and somebody is signed in.

        Raises:
            ApiError: 403 if the cloud is disabled, 401 if nobody is signed in.
        """
        if self.settings.no_cloud:
            raise ApiError(403, f"ollama cloud is disabled: {operation}")
        if not self.user:
            raise unauthorized()


def unauthorized() -> ApiError:
    """The refusal that tells where to sign in."""
    return ApiError(401, "unauthorized", signin_url=SIGNIN_URL)


def resolve(text: str, missing: ApiError) -> Reference:
    """Read the model of a request.

    Args:
        text: As the client gave it.
        missing: The refusal when it is empty.

    Raises:
        ApiError: 400, or ``missing``.
    """
    try:
        return parse_reference(text)
    except NameProblem as problem:
        raise missing if problem.kind == "missing" else ApiError(400, problem.message) from None


def find_model(app: App, reference: Reference, not_found: str) -> Model:
    """The model that is meant, local or a stub of one in the cloud.

    Raises:
        ApiError: 404 with the text ``not_found``.
    """
    model = app.store.find(reference.name)
    if model is None or (reference.source == "local" and model.remote_host):
        raise ApiError(404, not_found)
    return model
