"""The simulator as the program that somebody else starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manager.simulator.command import simulator_command
from manager.testing.ports import Reservation
from manager.testing.scripted import ScriptedOllama

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from manager.simulator.remote_direction import DirectorListener


class OllamaProgram(ScriptedOllama):
    """A simulated ``ollama`` for those who start the server themselves, as managers do.

    The script and the record outlive the server: a test may have it crash and see it restarted.
    Use it as a context manager; what has been started belongs to whoever started it.

    Args:
        models: Names of the models that it has at each start; None for the usual two.
        token_seconds: Seconds that a token takes.
        load_seconds: Seconds that loading a model takes.
        pull_seconds: Seconds that a pull takes.
        env: Further variables of its environment, such as ``OLLAMA_MAX_QUEUE``.

    Example:
        >>> with OllamaProgram() as program:
        ...     program.fail_next(Crash())
        ...     m = OllamaManager(host=program.host, binary=program.binary, env=program.env)
    """

    def __init__(
        self,
        *,
        models: Sequence[str] | None = None,
        token_seconds: float = 0.0,
        load_seconds: float = 0.0,
        pull_seconds: float = 0.0,
        env: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        own = {
            "TOKEN_SECONDS": str(token_seconds),
            "LOAD_SECONDS": str(load_seconds),
            "PULL_SECONDS": str(pull_seconds),
        }
        if models is not None:
            own["MODELS"] = ",".join(models)
        self._env = {f"OLLAMA_SIMULATOR_{name}": value for name, value in own.items()}
        self._env |= env or {}
        self._listener: DirectorListener | None = None
        self._address: Reservation | None = None
        self._host = ""

    @property
    def host(self) -> str:
        """A free address, for the server to have."""
        return self._host

    @property
    def binary(self) -> list[str]:
        """The words of the command, in place of ``ollama``.

        Raises:
            ServerStartError: This program has no Python to run it with.
        """
        return simulator_command()

    @property
    def env(self) -> dict[str, str]:
        """What must be added to the environment of the server.

        Raises:
            RuntimeError: Nobody listens to it: it is used outside of its ``with``.
        """
        if self._listener is None:
            raise RuntimeError("an OllamaProgram is used within its `with` block")
        return {**self._env, "OLLAMA_SIMULATOR_DIRECTOR": self._listener.address}

    def __enter__(self) -> OllamaProgram:
        from manager.simulator.remote_direction import DirectorListener

        self._listener = DirectorListener(self._script)
        self._address = Reservation()
        self._host = f"127.0.0.1:{self._address.port}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
        if self._address is not None:
            self._address.close()
