"""What logging costs a call: ``python -m benchmarks.log_cost``. Prints a table.

The hooks of one call (a request and its whole answer) are timed by themselves, at each verbosity
with a handler that throws the records away, and set against a round trip to a server on this
machine that answers at once. Chunks of a stream pass no hook of the log.
"""

from __future__ import annotations

import logging
import time
import timeit
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ollama_api.api.inference import chat

from manager import OllamaManager
from manager.config import RetryConfig
from manager.events import Events
from manager.logs import CallLog
from manager.requests import build_chat_request
from manager.timeouts import ResolvedTimeouts
from manager.transport.call import Call

from .client.place import flood_server, manager_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from manager.config import Verbosity

_LEVELS: tuple[Verbosity, ...] = ("off", "errors", "calls", "headers", "bodies")
_ROUND_TRIPS = 2_000
_CALLS = 2_000
_ROUNDS = 30
_HEADERS = {
    "host": "127.0.0.1:11434",
    "accept": "application/json",
    "content-type": "application/json",
    "authorization": "Bearer x",
}
_ANSWER = (
    b'{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant",'
    b'"content":"It scatters blue light."},"done":true,"eval_count":20,"eval_duration":300}'
)


class _NoLog:
    """A log whose hooks do nothing: what a build without logging would have."""

    errors = calls = headers = bodies = False

    def __getattr__(self, name: str) -> Callable[..., None]:
        return _nothing


def _nothing(*_: object, **__: object) -> None:
    pass


def main() -> None:
    took = _round_trip()
    fastest = _fastest({"": _NoLog(), **{level: CallLog(level) for level in _LEVELS}})
    bare = fastest[""]
    print(f"a round trip of `chat` to a server that answers at once: {took * 1e6:.0f} us (fastest)")
    print()
    print("| verbosity | hooks of a call | of that the log | of a round trip |")
    print("|---|---:|---:|---:|")
    for level in _LEVELS:
        hooks = fastest[level]
        own = max(hooks - bare, 0.0)
        print(f"| `{level}` | {hooks * 1e6:.2f} us | {own * 1e6:.2f} us | {own / took:.3%} |")


def _fastest(logs: dict[str, Any]) -> dict[str, float]:
    """The fastest of several rounds, by verbosity; one of each in turn: a slow moment slows all."""
    with _records_thrown_away():
        rounds = [{name: _hooks(log) for name, log in logs.items()} for _ in range(_ROUNDS)]
    return {name: min(taken[name] for taken in rounds) for name in logs}


def _round_trip() -> float:
    """The time of the fastest call, in seconds, with the log off."""
    taken: list[float] = []
    with (
        flood_server() as url,
        OllamaManager(**manager_settings(url), logging={"level": "off"}) as m,
    ):
        for _ in range(_ROUND_TRIPS):
            began = time.perf_counter()
            m.chat("m", "Why is the sky blue?")
            taken.append(time.perf_counter() - began)
    return min(taken)


def _hooks(log: Any) -> float:
    """The mean time of what a call does for its log and its listeners, in seconds."""
    body = build_chat_request("m", "Why is the sky blue?", stream=False)
    request = chat.build_request(body=body)
    timeouts = ResolvedTimeouts(connect=2, first_token=300, chunk=60, total=None)
    policy, events = RetryConfig(), Events()
    calls = [
        Call(request, model="m", timeouts=timeouts, policy=policy, events=events, log=log)
        for _ in range(_CALLS)
    ]
    answer = calls[0].decode(_ANSWER)

    def run() -> None:
        for call in calls:
            call.begin_attempt(_HEADERS)
            call.finish(200, len(_ANSWER), _HEADERS, answer)

    return timeit.timeit(run, number=1) / _CALLS


@contextmanager
def _records_thrown_away() -> Iterator[None]:
    logger = logging.getLogger("ollama_manager")
    before = logger.level, logger.propagate
    handler = logging.NullHandler()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.level, logger.propagate = before
        logger.removeHandler(handler)


if __name__ == "__main__":
    main()
