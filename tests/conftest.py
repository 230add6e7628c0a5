"""How the whole suite is run, and what holds for each test of it."""

from __future__ import annotations

import functools
import gc
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from manager.transport.call import Call

from .contract import validating

if TYPE_CHECKING:
    from collections.abc import Iterator

# How long an example takes says more of the machine, and of what measures it, than of the package.
_untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# What the tests say of any input is tried on some in each run, and on more once a week.
settings.register_profile("ordinary", _untimed, max_examples=25)
settings.register_profile("thorough", _untimed, max_examples=100)
settings.load_profile(os.environ.get("TEST_EXAMPLES", "ordinary"))

_problems_of = functools.lru_cache(4096)(validating.request_problems)
_package = logging.getLogger("ollama_manager")
_REMEMBERED = 10_000  # bytes of a request: some tests send as much as they can
_LONG = {"packaging", "typing"}  # folders of the tests that take longest


def pytest_xdist_auto_num_workers() -> int:
    """More workers than processors: most tests wait, for processes and their deadlines."""
    return 3 * (os.cpu_count() or 1) + 1


def pytest_configure() -> None:
    """Let the programs that tests start be interrupted, also where the suite runs in background.

    They find bytecode, as the programs of those do who have installed the package: hundreds of
    processes would compile the same modules otherwise.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # what a program ignores, its children do
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Keep what is collected out of the way of the garbage collector: it stays, all of it."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take longest, or a worker may be left alone with one of them."""
    items.sort(key=lambda item: item.path.parent.name not in _LONG)


class Sent:
    """What the managers of this process send, until it is looked at."""

    def __init__(self) -> None:
        self._requests: list[tuple[str, str, bytes | None]] = []

    def note(self, call: Call[Any]) -> None:
        method, path, body = call.request.method, call.request.path, call.body
        if len(body) <= _REMEMBERED:
            self._requests.append((method, path, body or None))

    def operations(self) -> set[str]:
        """The operations of the spec that were asked for."""
        found = (validating.operation_at(method, path) for method, path, _ in self._requests)
        return {operation.id for operation in found if operation is not None}

    def problems(self) -> list[str]:
        """In what it breaks the spec; forgets it."""
        requests, self._requests = self._requests, []
        return [
            f"{method} {path} {body!r:.200}: {problem}"
            for method, path, body in requests
            for problem in _problems_of(method, path, body)
        ]


@pytest.fixture(scope="session", autouse=True)
def requests_sent() -> Iterator[Sent]:
    """Notes every request that managers send; it is validated after the test."""
    noted, begin_attempt = Sent(), Call.begin_attempt

    def begin(call: Call[Any], *args: Any, **kwargs: Any) -> Any:
        noted.note(call)
        return begin_attempt(call, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Call, "begin_attempt", begin)
        yield noted


@pytest.fixture(autouse=True)
def requests_fit_the_spec(requests_sent: Sent) -> Iterator[None]:
    """No manager sends what breaks the spec."""
    yield
    assert requests_sent.problems() == []


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """What a manager asks for in ``[logging]`` holds for the process, and for no other test."""
    level, handlers = _package.level, list(_package.handlers)
    yield
    for handler in set(_package.handlers) - set(handlers):
        _package.removeHandler(handler)
        handler.close()
    _package.setLevel(level)
