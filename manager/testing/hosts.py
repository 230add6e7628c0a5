"""Where the simulator runs: in a thread of the tests, or in a process of its own."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, NamedTuple, Protocol

from manager.errors import ServerStartError
from manager.simulator import environment
from manager.simulator.local_runner import LocalRunner
from manager.simulator.server import ListenError, Server, listen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from manager.simulator.direction import Director
    from manager.simulator.process import SimulatedServer
    from manager.simulator.remote_direction import DirectorListener
    from manager.simulator.scheduler import Runner
    from manager.simulator.store import Model

_ADDRESS = "127.0.0.1"


class Setup(NamedTuple):
    """What the simulator is like; times in seconds."""

    models: tuple[str, ...]
    token_seconds: float
    load_seconds: float
    pull_seconds: float
    env: Mapping[str, str]
    """Further variables of its environment."""


class Host(Protocol):
    """Runs the simulator somewhere."""

    @property
    def is_running(self) -> bool: ...

    @property
    def port(self) -> int:
        """Where it listens, or did last; 0 if it never has."""
        ...

    @property
    def pid(self) -> int:
        """The process that it runs in."""
        ...

    def start(self) -> None:
        """Listen, where it did before if it did."""
        ...

    def stop(self) -> None:
        """Cut every connection; does nothing if it is not there."""
        ...


class ThreadHost:
    """The simulator in this process: it is there at once, and needs no process per model.

    Args:
        setup: What it is like.
        director: Decides what becomes of each request.
    """

    def __init__(self, setup: Setup, director: Director) -> None:
        self._settings = environment.read(setup.env)._replace(
            models=setup.models,
            token_seconds=setup.token_seconds,
            load_seconds=setup.load_seconds,
            pull_seconds=setup.pull_seconds,
        )
        self._director = director
        self._server: Server | None = None
        self._port = 0

    @property
    def is_running(self) -> bool:
        return self._server is not None

    @property
    def port(self) -> int:
        return self._port

    @property
    def pid(self) -> int:
        return os.getpid()

    def start(self) -> None:
        try:
            sock = listen(_ADDRESS, self._port)
        except ListenError as error:
            raise ServerStartError(
                f"the simulated server did not start: {error}",
                hint="something else has its port now; make a new OllamaServer",
            ) from error
        self._port = sock.getsockname()[1]
        self._server = server = Server(
            sock,
            self._settings,
            log_requests=False,
            start_runner=self._start_runner,
            director=self._director,
            crash=self.stop,
        )
        threading.Thread(target=server.serve_forever, name="simulated Ollama", daemon=True).start()

    def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def _start_runner(self, model: Model, on_exit: Callable[[Runner], None]) -> Runner:
        return LocalRunner(self._settings, on_exit)


class ProcessHost:
    """The simulator in a process of its own, with a process for each model, as Ollama has.

    Args:
        setup: What it is like.
        director: Decides what becomes of each request; asked over a connection.
    """

    def __init__(self, setup: Setup, director: Director) -> None:
        self._setup = setup
        self._director = director
        self._listener: DirectorListener | None = None
        self._server: SimulatedServer | None = None
        self._port = 0

    @property
    def is_running(self) -> bool:
        return self._server is not None and self._server.is_running

    @property
    def port(self) -> int:
        return self._port

    @property
    def pid(self) -> int:
        if self._server is None:
            raise RuntimeError("the server has not been started")
        return self._server.pid

    def start(self) -> None:
        from manager.simulator.process import SimulatedServer
        from manager.simulator.remote_direction import DirectorListener

        self._listener = DirectorListener(self._director)
        server = SimulatedServer(
            models=list(self._setup.models),
            token_seconds=self._setup.token_seconds,
            load_seconds=self._setup.load_seconds,
            pull_seconds=self._setup.pull_seconds,
            port=self._port,
            env={
                **_nothing_of_ollama(),
                **self._setup.env,
                "OLLAMA_SIMULATOR_DIRECTOR": self._listener.address,
            },
        )
        try:
            self._server = server.start()
        except BaseException:
            self.stop()
            raise
        self._port = server.port

    def stop(self) -> None:
        server, self._server = self._server, None
        listener, self._listener = self._listener, None
        if server is not None:
            server.stop()
        if listener is not None:
            listener.close()


def _nothing_of_ollama() -> dict[str, str]:
    """Hides the variables of whoever runs the tests; an empty one counts as not set."""
    names = (name for name in os.environ if name.startswith("OLLAMA_"))
    return {name: "" for name in names if not name.startswith("OLLAMA_SIMULATOR_")}
