"""A runner without a process of its own, for servers that live for one test."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

from manager.simulator import generation
from manager.simulator.exchange import ApiError, ClientGone
from manager.simulator.runner_process import DIED, RunnerDiedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from manager.simulator.environment import Settings
    from manager.simulator.scheduler import Runner

_GLANCE = 0.1
_NO_LIMIT = 1_000_000
_BURST = 32
"""Frames between two looks at whether the client is still there."""


class LocalRunner:
    """Does its jobs in the threads that bring them, at the pace of the model.

    Args:
        settings: How long loading and a token take, and how many jobs run at once.
        on_exit: Called once, when it has been ended.
    """

    def __init__(self, settings: Settings, on_exit: Callable[[Runner], None]) -> None:
        self._settings = settings
        self._on_exit = on_exit
        self._ready_at = time.monotonic() + settings.load_seconds
        self._ended = threading.Event()
        self._places = threading.Semaphore(settings.num_parallel or _NO_LIMIT)

    @property
    def pid(self) -> int:
        return os.getpid()

    @property
    def is_alive(self) -> bool:
        return not self._ended.is_set()

    def wait_until_ready(self, timeout: float, is_gone: Callable[[], bool]) -> None:
        """Wait until the model is loaded.

        Raises:
            ApiError: 500 if it was ended, or took too long.
            ClientGone: The client hung up in the meantime.
        """
        deadline = time.monotonic() + timeout
        while (left := self._ready_at - time.monotonic()) > 0:
            if self._ended.wait(min(left, _GLANCE)):
                raise ApiError(500, "llama-server process has terminated: signal: 9")
            if is_gone():
                raise ClientGone
            if time.monotonic() > deadline:
                raise ApiError(500, "timed out waiting for llama-server to start")

    def frames(
        self, job: Mapping[str, Any], is_gone: Callable[[], bool]
    ) -> Iterator[generation.Frame]:
        """Do a job.

        Args:
            job: What `manager.simulator.generation.frames` takes.
            is_gone: Whether the client has hung up.

        Yields:
            The frames of the answer.

        Raises:
            RunnerDiedError: It was ended before it had the job.
            ApiError: It was ended, or could not do the job.
            ClientGone: The client hung up.
        """
        if self._ended.is_set():
            raise RunnerDiedError
        while not self._places.acquire(timeout=_GLANCE):
            self._look(is_gone)
        try:
            for number, frame in enumerate(generation.frames(job)):
                if self._settings.token_seconds:
                    self._ended.wait(self._settings.token_seconds)
                if self._settings.token_seconds or number % _BURST == 0:
                    self._look(is_gone)
                if "error" in frame:
                    raise ApiError(frame["status"], frame["error"])
                yield frame
        finally:
            self._places.release()

    def kill(self) -> None:
        """End it at once."""
        if not self._ended.is_set():
            self._ended.set()
            self._on_exit(self)

    def _look(self, is_gone: Callable[[], bool]) -> None:
        if self._ended.is_set():
            raise ApiError(500, DIED)
        if is_gone():
            raise ClientGone
