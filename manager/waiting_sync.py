"""The few things that block, in their sync form; without asyncio, which is not cheap to import.

See ``waiting_async``.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

__all__ = [
    "home_sync",
    "later_sync",
    "lock_sync",
    "pause_sync",
    "perform_sync",
    "run_sync",
    "wait_sync",
]

T = TypeVar("T")
P = ParamSpec("P")


def wait_sync(future: Future[T], timeout: float | None = None) -> T:
    """Return the result of ``future``; giving up (TimeoutError) leaves it running."""
    return future.result(timeout)


def pause_sync(seconds: float) -> None:
    """Let ``seconds`` pass."""
    time.sleep(seconds)


def home_sync() -> object:
    """Return what connections that are made now belong to: nothing, any thread may use them."""
    return None


def later_sync(seconds: float, function: Callable[[], object]) -> Callable[[], None]:
    """Call ``function`` after ``seconds``, unless the function that is returned is called first."""
    timer = threading.Timer(seconds, function)
    timer.daemon = True
    timer.start()
    return timer.cancel


def run_sync(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function that blocks."""
    return function(*args, **kwargs)


def lock_sync() -> threading.Lock:
    """Return what one caller at a time holds, also while it waits."""
    return threading.Lock()


def perform_sync(home: object, work: Callable[[], None]) -> None:
    """Have ``work`` done, on this thread."""
    work()
