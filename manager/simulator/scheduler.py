"""Which models are loaded: starts and ends their runners as requests and idleness ask for."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from manager.simulator.exchange import ApiError, ClientGone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from manager.simulator.environment import Settings
    from manager.simulator.runner_process import Frame
    from manager.simulator.store import Model

_GLANCE = 0.1
_LONGEST_SPAWN = 0.5
_BUSY = "server busy, please try again.  maximum pending requests exceeded"

LoadOptions = tuple[tuple[str, object], ...]
"""Options that take effect when a model is loaded, sorted."""


class Runner(Protocol):
    """What does the work for a loaded model."""

    @property
    def is_alive(self) -> bool: ...

    def wait_until_ready(self, timeout: float, is_gone: Callable[[], bool]) -> None:
        """Wait until the model is loaded."""
        ...

    def frames(self, job: Mapping[str, Any], is_gone: Callable[[], bool]) -> Iterator[Frame]:
        """Have a job done."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...


class StartRunner(Protocol):
    """Starts the runner of a model."""

    def __call__(self, model: Model, on_exit: Callable[[Runner], None]) -> Runner: ...


class Loaded:
    """A model in memory, or on its way there."""

    def __init__(self, model: Model, options: LoadOptions, context_length: int) -> None:
        self.model = model
        self.options = options
        self.context_length = context_length
        self.runner: Runner | None = None
        self.users = 1
        self.keep_alive: float = 0.0
        self.expires_at: float = time.time()

    @property
    def is_ready(self) -> bool:
        return self.runner is not None


class Status(NamedTuple):
    """What ``/api/ps`` tells of a loaded model."""

    model: Model
    expires_at: float
    context_length: int


class Scheduler:
    """Holds the loaded models. One condition guards it all.

    Args:
        settings: Limits and times.
        start_runner: Starts the runner of a model.
    """

    def __init__(self, settings: Settings, start_runner: StartRunner) -> None:
        self._settings = settings
        self._start_runner = start_runner
        self._changed = threading.Condition()
        self._loaded: dict[str, Loaded] = {}
        self._runners: set[Runner] = set()
        self._waiting = 0
        self._closed = False
        self._spawning = threading.Lock()
        threading.Thread(target=self._expire, name="expiry", daemon=True).start()

    def acquire(
        self,
        model: Model,
        options: LoadOptions,
        context_length: int,
        keep_alive: float | None,
        is_gone: Callable[[], bool],
    ) -> Loaded:
        """Get a loaded model, loading it and waiting for it as needed; give it back afterwards.

        Raises:
            ApiError: 503 if too many wait already, 500 if it cannot be loaded.
            ClientGone: The client hung up while it waited.
        """
        wanted = self._settings.keep_alive if keep_alive is None else keep_alive
        with self._changed:
            entry = self._take_or_reserve(model, options, context_length, is_gone)
            entry.keep_alive = wanted
            entry.expires_at = time.time() + wanted
        if not entry.is_ready:
            self._load(entry, is_gone)
        return entry

    def release(self, entry: Loaded) -> None:
        """Give a model back; when nobody uses it, its time to stay begins."""
        with self._changed:
            entry.users -= 1
            entry.expires_at = time.time() + entry.keep_alive
            if not entry.users and entry.keep_alive <= 0:
                self._unload(entry)
            self._changed.notify_all()

    def unload(self, model: Model) -> None:
        """Unload a model as soon as nobody uses it."""
        with self._changed:
            entry = self._loaded.get(model.digest)
            if entry is not None:
                entry.keep_alive = 0.0
                entry.expires_at = time.time()
                if not entry.users:
                    self._unload(entry)
                self._changed.notify_all()

    def status(self) -> list[Status]:
        """The loaded models; those that stay longest come first."""
        with self._changed:
            ready = [
                Status(entry.model, entry.expires_at, entry.context_length)
                for entry in self._loaded.values()
                if entry.runner is not None and entry.runner.is_alive
            ]
        return sorted(ready, key=lambda status: -int(status.expires_at))

    def close(self) -> None:
        """End every runner at once."""
        # Called from a signal handler too: the locks are never held for long.
        has_lock = self._spawning.acquire(timeout=_LONGEST_SPAWN)
        self._closed = True
        for runner in tuple(self._runners):
            runner.kill()
        if has_lock:
            self._spawning.release()
        if self._changed.acquire(timeout=_LONGEST_SPAWN):
            self._changed.notify_all()
            self._changed.release()

    def _take_or_reserve(
        self,
        model: Model,
        options: LoadOptions,
        context_length: int,
        is_gone: Callable[[], bool],
    ) -> Loaded:
        queued = False
        try:
            while True:
                entry = self._loaded.get(model.digest)
                if entry is not None and entry.runner is not None:
                    if entry.runner.is_alive and entry.options == options:
                        entry.users += 1
                        return entry
                    if not entry.users or not entry.runner.is_alive:
                        self._unload(entry)
                        continue
                elif entry is None and self._has_room():
                    entry = self._loaded[model.digest] = Loaded(model, options, context_length)
                    return entry
                if not queued:
                    if self._waiting >= self._settings.max_queue:
                        raise ApiError(503, _BUSY)
                    queued = True
                    self._waiting += 1
                self._changed.wait(_GLANCE)
                if is_gone():
                    raise ClientGone
        finally:
            self._waiting -= queued

    def _has_room(self) -> bool:
        """Whether one more model may be loaded; the idle one that expires first makes room."""
        if len(self._loaded) < self._settings.max_loaded_models:
            return True
        idle = [entry for entry in self._loaded.values() if not entry.users]
        if not idle:
            return False
        self._unload(min(idle, key=lambda entry: entry.expires_at))
        return True

    def _load(self, entry: Loaded, is_gone: Callable[[], bool]) -> None:
        runner = None
        try:
            runner = self._spawn(entry)
            runner.wait_until_ready(self._settings.load_timeout, is_gone)
        except BaseException:
            if runner is not None:
                runner.kill()
            with self._changed:
                self._forget(entry)
                self._changed.notify_all()
            raise
        with self._changed:
            entry.runner = runner
            entry.expires_at = time.time() + entry.keep_alive
            self._changed.notify_all()

    def _spawn(self, entry: Loaded) -> Runner:
        with self._spawning:
            if self._closed:
                raise ClientGone
            runner = self._start_runner(entry.model, self._on_exit)
            self._runners.add(runner)
            return runner

    def _unload(self, entry: Loaded) -> None:
        self._forget(entry)
        if entry.runner is not None:
            entry.runner.kill()

    def _forget(self, entry: Loaded) -> None:
        if self._loaded.get(entry.model.digest) is entry:
            del self._loaded[entry.model.digest]

    def _on_exit(self, runner: Runner) -> None:
        self._runners.discard(runner)
        with self._changed:
            for entry in [e for e in self._loaded.values() if e.runner is runner]:
                self._forget(entry)
            self._changed.notify_all()

    def _expire(self) -> None:
        """Unload what has been idle for long enough, until the end."""
        with self._changed:
            while not self._closed:
                now = time.time()
                idle = [e for e in self._loaded.values() if not e.users and e.is_ready]
                for entry in idle:
                    if entry.expires_at <= now:
                        self._unload(entry)
                        self._changed.notify_all()
                due = [e.expires_at - now for e in idle if e.expires_at > now]
                # The longest wait that the platform's locks take is less than "for ever".
                self._changed.wait(min([*due, 3600.0]))
