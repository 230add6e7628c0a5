"""The few things that block, in their sync form; without asyncio, which is not cheap to import.

See ``waiting_async``.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextvars import copy_context
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from manager.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

__all__ = [
    "Begun",
    "Signal",
    "any_done_sync",
    "before_end_sync",
    "begin_sync",
    "check_home_sync",
    "home_sync",
    "later_sync",
    "lock_sync",
    "pause_sync",
    "perform_sync",
    "run_sync",
    "signal_sync",
    "wait_sync",
    "whole_sync",
]

T = TypeVar("T")
P = ParamSpec("P")

_timers = Timers()

Begun: TypeAlias = "Future[T]"
"""A call that has been begun."""


def wait_sync(future: Future[T], timeout: float | None = None) -> T:
    """Return the result of ``future``; giving up (TimeoutError) leaves it running."""
    return future.result(timeout)


class Signal:
    """Wakes up a thread that waits, from any other one, once."""

    def __init__(self) -> None:
        # a bare lock: what the standard library builds on it an interrupt may leave half done
        self._lock = threading.Lock()
        self._lock.acquire()

    def set(self) -> None:
        """Wake up who waits, now or later."""
        if self._lock.locked():
            self._lock.release()

    def wait(self, seconds: float) -> None:
        """Return once the signal is set, or after some seconds."""
        self._lock.acquire(timeout=seconds)


def signal_sync() -> Signal:
    """Return a signal for one who waits."""
    return Signal()


def pause_sync(seconds: float) -> None:
    """Let ``seconds`` pass."""
    time.sleep(seconds)


def home_sync() -> object:
    """Return what connections that are made now belong to: nothing, any thread may use them."""
    return None


def check_home_sync(home: object) -> None:
    """Do nothing: any thread may use what another one made."""


def before_end_sync(function: Callable[[], object]) -> object:
    """Do nothing: there is no event loop."""
    return None


def later_sync(seconds: float, function: Callable[[], object]) -> Callable[[], None]:
    """Call ``function`` after ``seconds``, unless the function that is returned is called first."""
    return _timers.call_later(seconds, function)


def run_sync(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function that blocks."""
    return function(*args, **kwargs)


def begin_sync(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Begun[T]:
    """Begin a call on a thread of its own, and go on; once begun it is not to be cancelled."""
    begun: Future[T] = Future()
    begun.set_running_or_notify_cancel()
    context = copy_context()

    def run() -> None:
        try:
            result = context.run(function, *args, **kwargs)
        except BaseException as error:  # whoever asks for the result is to have it
            begun.set_exception(error)
        else:
            begun.set_result(result)

    threading.Thread(target=run, daemon=True).start()
    return begun


def whole_sync(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return the result of a call that is made to its end: no other ends here."""
    return function(*args, **kwargs)


def any_done_sync(calls: Iterable[Begun[T]]) -> None:
    """Return once one of ``calls`` is over."""
    wait(list(calls), return_when=FIRST_COMPLETED)


def lock_sync() -> threading.Lock:
    """Return what one caller at a time holds, also while it waits."""
    return threading.Lock()


def perform_sync(home: object, work: Callable[[], None]) -> None:
    """Have ``work`` done, on this thread."""
    work()
