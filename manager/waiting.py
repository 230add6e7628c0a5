"""The few things that block, in an async and a sync form; the shells differ in nothing else.

The sync shell is generated from the async one by replacing ``..._async`` with ``..._sync``.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

__all__ = [
    "home_async",
    "home_sync",
    "later_async",
    "later_sync",
    "pause_async",
    "pause_sync",
    "run_async",
    "run_sync",
    "wait_async",
    "wait_sync",
]

T = TypeVar("T")
P = ParamSpec("P")


async def wait_async(future: Future[T], timeout: float | None = None) -> T:
    """Return the result of ``future``; giving up (TimeoutError) leaves it running."""
    outcome = asyncio.wrap_future(future)
    outcome.add_done_callback(_look_at)
    return await asyncio.wait_for(asyncio.shield(outcome), timeout)


def _look_at(outcome: asyncio.Future[T]) -> None:
    """Asyncio complains of an error that nobody has looked at, also where nobody waits any more."""
    if not outcome.cancelled():
        outcome.exception()


def wait_sync(future: Future[T], timeout: float | None = None) -> T:
    """Return the result of ``future``; giving up (TimeoutError) leaves it running."""
    return future.result(timeout)


async def pause_async(seconds: float) -> None:
    """Let ``seconds`` pass."""
    await asyncio.sleep(seconds)


def pause_sync(seconds: float) -> None:
    """Let ``seconds`` pass."""
    time.sleep(seconds)


def home_async() -> object:
    """Return what connections that are made now belong to: the running event loop."""
    return asyncio.get_running_loop()


def home_sync() -> object:
    """Return what connections that are made now belong to: nothing, any thread may use them."""
    return None


def later_async(seconds: float, function: Callable[[], object]) -> Callable[[], None]:
    """Call ``function`` after ``seconds``, unless the function that is returned is called first."""
    return asyncio.get_running_loop().call_later(seconds, function).cancel


def later_sync(seconds: float, function: Callable[[], object]) -> Callable[[], None]:
    """Call ``function`` after ``seconds``, unless the function that is returned is called first."""
    timer = threading.Timer(seconds, function)
    timer.daemon = True
    timer.start()
    return timer.cancel


async def run_async(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function that blocks without blocking the event loop."""
    return await asyncio.to_thread(function, *args, **kwargs)


def run_sync(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function that blocks."""
    return function(*args, **kwargs)
