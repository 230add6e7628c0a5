"""The simulator as a process of one's own, for tests and demonstrations."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING

from manager.errors import ServerStartError
from manager.simulator.command import simulator_command

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

_LISTENING = re.compile(r"Listening on (\S+):(\d+) ")
_LOG_LINES = 1000
_LONGEST_READ = 1.0


class SimulatedServer:
    """A simulated Ollama in a process of its own, at a free port of the loopback interface.

    Use it as a context manager, or call `start` and `stop`. It ends with the process that
    started it, however that ends.

    Args:
        models: Names of the models that are there at the start; None for the usual two.
        token_seconds: Time that a token takes; 0 is as fast as it can.
        load_seconds: Time that loading a model takes.
        pull_seconds: Time that a pull takes.
        port: Where to listen; 0 for a free port.
        env: Further variables of its environment, such as ``OLLAMA_KEEP_ALIVE``.

    Example:
        >>> with SimulatedServer() as server:
        ...     print(server.base_url)
    """

    def __init__(
        self,
        *,
        models: list[str] | None = None,
        token_seconds: float = 0.0,
        load_seconds: float = 0.0,
        pull_seconds: float = 0.0,
        port: int = 0,
        env: Mapping[str, str] | None = None,
    ) -> None:
        own = {
            "TOKEN_SECONDS": str(token_seconds),
            "LOAD_SECONDS": str(load_seconds),
            "PULL_SECONDS": str(pull_seconds),
            "TETHER": "1",
        }
        if models is not None:
            own["MODELS"] = ",".join(models)
        self._env = {f"OLLAMA_SIMULATOR_{name}": value for name, value in own.items()}
        self._env |= {"OLLAMA_HOST": f"127.0.0.1:{port}", **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._log: deque[str] = deque(maxlen=_LOG_LINES)
        self._settled = threading.Event()
        self._is_listening = False
        self._port = port
        self._reader: threading.Thread | None = None

    @property
    def host(self) -> str:
        """Address and port, in the form of ``OLLAMA_HOST``."""
        return f"127.0.0.1:{self._port}"

    @property
    def base_url(self) -> str:
        return f"http://{self.host}"

    @property
    def port(self) -> int:
        return self._port

    @property
    def pid(self) -> int:
        """The server's process; also its process group, which its runners share."""
        if self._process is None:
            raise RuntimeError("the simulated server has not been started")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> list[str]:
        """The latest lines that the server wrote."""
        return list(self._log)

    def start(self, timeout: float = 30.0) -> SimulatedServer:
        """Start it, and wait until it listens.

        Args:
            timeout: Seconds to wait.

        Raises:
            ServerStartError: It ended, or did not listen in time.
        """
        self._settled.clear()
        self._is_listening = False
        # Started again, it listens where it did before.
        self._env["OLLAMA_HOST"] = self.host
        self._process = subprocess.Popen(
            simulator_command("serve"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **self._env},
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read_log, args=(self._process,), daemon=True)
        self._reader.start()
        if not self._settled.wait(timeout) or not self._is_listening:
            log = "\n".join(self._log)
            self.stop()
            raise ServerStartError(
                "the simulated server did not start", hint="its log says why", log=log
            )
        return self

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it ends by itself or is killed; its exit status.

        Args:
            timeout: Seconds to wait at most.

        Raises:
            TimeoutError: It is still running.
        """
        if self._process is None:
            raise RuntimeError("the simulated server has not been started")
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError("the simulated server is still running") from None

    def stop(self, timeout: float = 5.0) -> None:
        """Stop it and its runners; does nothing if it is not there."""
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._end_group(process.pid)
        self._process = None
        if process.stdin is not None:
            process.stdin.close()
        if self._reader is not None:
            self._reader.join(_LONGEST_READ)
        if process.stdout is not None and not (self._reader and self._reader.is_alive()):
            process.stdout.close()

    def __enter__(self) -> SimulatedServer:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @staticmethod
    def _end_group(group: int) -> None:
        """End runners that outlived a server that was killed."""
        if sys.platform != "win32":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)

    def _read_log(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for data in process.stdout:
            text = data.decode("utf-8", "replace").rstrip("\n")
            self._log.append(text)
            found = _LISTENING.search(text)
            if found is not None:
                self._port = int(found[2])
                self._is_listening = True
                self._settled.set()
        # Nobody need wait any longer: it has ended.
        self._settled.set()
