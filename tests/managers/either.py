"""One way to drive both managers, so that a test is written once and run against each."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from manager import AsyncOllamaManager, ChatStream, EmbedStream, GenerateStream, OllamaManager

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from manager import Event

SIMULATOR = [sys.executable, "-m", "manager.simulator"]
PATIENCE = 30.0

Make = Callable[..., Any]
"""Makes a manager: takes its keywords, returns it or what stands for it."""

_PLAIN = ("status", "config", "events", "partial", "done", "set_log_level")
_END = object()


class Threaded:
    """A sync manager, or a stream of one, behind the async form of its interface.

    Each call runs on another thread, so the sync classes are used for real, and from several.
    """

    def __init__(self, target: Any) -> None:
        self.target = target

    def __getattr__(self, name: str) -> Any:
        is_stream = isinstance(self.target, ChatStream | EmbedStream | GenerateStream)
        value = getattr(self.target, "close" if name == "aclose" and not is_stream else name)
        if name in _PLAIN:
            return value
        if name == "text":
            return _each(value)
        if name == "embed_many":
            return lambda *args, **kwargs: Threaded(value(*args, **kwargs))

        async def call(*args: Any, **kwargs: Any) -> Any:
            result = await asyncio.to_thread(value, *args, **kwargs)
            return Threaded(result) if isinstance(result, ChatStream | GenerateStream) else result

        return call

    async def __aenter__(self) -> Threaded:
        await asyncio.to_thread(self.target.__enter__)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await asyncio.to_thread(self.target.__exit__, *exc)

    def __aiter__(self) -> AsyncIterator[Any]:
        return _each(self.target)


async def _each(iterator: Iterator[Any]) -> AsyncIterator[Any]:
    while (item := await asyncio.to_thread(next, iterator, _END)) is not _END:
        yield item


def make_sync(**settings: Any) -> Any:
    return Threaded(OllamaManager(**settings))


def make_async(**settings: Any) -> Any:
    return AsyncOllamaManager(**settings)


class Heard:
    """Collects the events of a manager."""

    def __init__(self, manager: Any, *names: Any) -> None:
        self.events: list[Any] = []
        manager.events.subscribe(self._add, *names)

    def _add(self, event: Event) -> None:
        self.events.append(event)

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.events]

    async def until(self, name: str, count: int = 1) -> Any:
        """Wait until ``name`` has been heard ``count`` times; return that event."""
        await until(lambda: self.names.count(name) >= count, f"{name}; heard {self.names}")
        return [event for event in self.events if event.name == name][count - 1]


async def until(condition: Callable[[], object], what: str = "") -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what or condition}"
        await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(") ")[2][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # gone, or gone while it was read
        pass
    if sys.platform == "linux":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still run."""
    found: list[int] = []
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            try:
                with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as file:
                    fields = file.read().rpartition(") ")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(entry))
    return found


def answers(port: int) -> bool:
    """Whether something listens at a port of this machine."""
    with socket.socket() as sock:
        sock.settimeout(5)
        return sock.connect_ex(("127.0.0.1", port)) == 0


def pool_of(m: Any) -> Any:
    """The connections that a manager keeps; None before its first call, and with httpx."""
    client = getattr(m, "target", m)._session.transport._client
    return client and getattr(client.carrier, "pool", None)


def slots_of(m: Any) -> Any:
    """Who may have a connection of a manager; None before its first call."""
    client = getattr(m, "target", m)._session.transport._client
    return client and client.slots
