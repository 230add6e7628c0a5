"""The few things that block, in their sync form; without asyncio, which is not cheap to import.

See ``waiting_async``.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextvars import copy_context
from typing import TYPE_CHECKING, ParamSpec, Protocol, TypeVar

from manager.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

__all__ = [
    "Begun",
    "any_done_sync",
    "begin_sync",
    "check_home_sync",
    "connect_sync",
    "home_sync",
    "later_sync",
    "lock_sync",
    "pause_sync",
    "perform_sync",
    "run_sync",
    "wait_sync",
    "wait_working_sync",
    "whole_sync",
]

T = TypeVar("T")
ConnectionT = TypeVar("ConnectionT", bound="_Connection")
P = ParamSpec("P")

_WORK_INTERVAL = 1.0

_timers = Timers()

Begun: TypeAlias = "Future[T]"
"""A call that has been begun."""


class _Connection(Protocol):
    def close(self) -> None: ...


def wait_sync(future: Future[T], timeout: float | None = None) -> T:
    """Return the result of ``future``; giving up (TimeoutError) leaves it running."""
    return future.result(timeout)


def wait_working_sync(future: Future[T], timeout: float | None, work: Callable[[], None]) -> T:
    """Do as ``wait_sync``, and ``work`` at once and then each second."""
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        work()
        left = _WORK_INTERVAL if end is None else max(end - time.monotonic(), 0.0)
        try:
            return future.result(min(left, _WORK_INTERVAL))
        except TimeoutError:
            if end is not None and left <= _WORK_INTERVAL:
                raise


def pause_sync(seconds: float) -> None:
    """Let ``seconds`` pass."""
    time.sleep(seconds)


def home_sync() -> object:
    """Return what connections that are made now belong to: nothing, any thread may use them."""
    return None


def check_home_sync(home: object) -> None:
    """Do nothing: any thread may use what another one made."""


def connect_sync(connect: Callable[[], ConnectionT], seconds: float) -> ConnectionT:
    """Return the connection that ``connect`` makes in ``seconds``; raises TimeoutError.

    Nothing ends a name lookup: a thread of its own waits for it, and closes what comes too late.
    """
    made: Future[ConnectionT] = Future()

    def run() -> None:
        try:
            connection = connect()
        except BaseException as error:
            if made.set_running_or_notify_cancel():
                made.set_exception(error)
        else:
            if made.set_running_or_notify_cancel():
                made.set_result(connection)
            else:
                connection.close()

    threading.Thread(target=run, name="ollama-connect", daemon=True).start()
    try:
        return made.result(seconds)
    except BaseException:
        if not made.cancel() and not made.exception():  # it came at the last moment
            made.result().close()
        raise


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
