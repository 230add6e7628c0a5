"""The server that tests use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manager.simulator.environment import DEFAULT_MODELS
from manager.testing.hosts import ProcessHost, Setup, ThreadHost
from manager.testing.scripted import ScriptedOllama

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from manager.testing.hosts import Host


class OllamaServer(ScriptedOllama):
    """A simulated Ollama at a free port of the loopback interface, for tests.

    It answers as the simulator does until `reply` says otherwise, fails when `fail_next` says so,
    and keeps a record of every request. Use it as a context manager, or call `start` and `stop`.

    Args:
        models: Names of the models that it has at the start; None for the usual two, ``simulated``
            and ``simulated-embed``. What a model can do shows in its name: ``embed``, ``llava``,
            ``qwen3``.
        token_seconds: Seconds that a token takes.
        load_seconds: Seconds that loading a model takes.
        pull_seconds: Seconds that a pull takes.
        process: Whether it is a process of its own, with a process for each model; else it is a
            thread of this one.
        env: Further variables of its environment, such as ``OLLAMA_MAX_QUEUE``.

    Example:
        >>> with OllamaServer(models=["llama3.2"]) as server:
        ...     server.reply("Hello!")
        ...     client = ollama.Client(server.base_url)
    """

    def __init__(
        self,
        *,
        models: Sequence[str] | None = None,
        token_seconds: float = 0.0,
        load_seconds: float = 0.0,
        pull_seconds: float = 0.0,
        process: bool = False,
        env: Mapping[str, str] | None = None,
    ) -> None:
        names = DEFAULT_MODELS.split(",") if models is None else models
        setup = Setup(tuple(names), token_seconds, load_seconds, pull_seconds, env or {})
        super().__init__()
        kind = ProcessHost if process else ThreadHost
        self._host: Host = kind(setup, self._script)

    @property
    def host(self) -> str:
        """Address and port, in the form of ``OLLAMA_HOST``."""
        return f"127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        """The address as a URL, without a path."""
        return f"http://{self.host}"

    @property
    def port(self) -> int:
        """Where it listens; 0 before the first start."""
        return self._host.port

    @property
    def pid(self) -> int:
        """The process that it runs in."""
        return self._host.pid

    @property
    def is_running(self) -> bool:
        """Whether it listens: not before the start, after the stop, or after a crash."""
        return self._host.is_running

    def start(self) -> OllamaServer:
        """Start it, at the port that it had before if it had one.

        After a crash this is how it comes back, without what had been pulled in the meantime.

        Raises:
            ServerStartError: Its process did not start, or something else has its port by now.
        """
        self._host.stop()
        self._host.start()
        return self

    def stop(self) -> None:
        """Stop it, cutting every connection; does nothing if it is not there."""
        self._host.stop()

    def __enter__(self) -> OllamaServer:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
