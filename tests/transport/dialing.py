"""Both dials behind one interface, servers to dial, and what a dial may have left behind."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from manager.transport._async.dial import dial_async
from manager.transport._sync.dial import dial

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

KINDS = ["sync", "async", "uvloop"] if sys.platform != "win32" else ["sync", "async"]


def run(kind: str, main: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine on a new event loop; nothing is left on it."""
    make_loop: Any = None
    if kind == "uvloop":
        import uvloop

        make_loop = uvloop.new_event_loop

    async def checked() -> Any:
        unhandled: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, what: unhandled.append(what))
        try:
            return await main
        finally:
            assert asyncio.all_tasks() == {asyncio.current_task()}
            assert unhandled == []

    with asyncio.Runner(loop_factory=make_loop) as runner:
        return runner.run(checked())


def dial_of(kind: str) -> Callable[[str, int, float | None], socket.socket]:
    """Return a function that dials in one of both ways, and returns the connected socket."""
    if kind == "sync":
        return dial
    return lambda host, port, seconds: run(kind, dial_async(host, port, seconds))


def descriptors() -> dict[int, str]:
    """The open files of this process, by what they are."""
    found = {}
    for entry in os.listdir("/proc/self/fd"):
        try:
            found[int(entry)] = os.readlink(f"/proc/self/fd/{entry}")
        except FileNotFoundError:  # of the listing itself
            continue
    return found


@contextmanager
def listening(host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """A server that accepts connections; yields its port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((host, port))
        server.listen(512)
        yield server.getsockname()[1]


@contextmanager
def refusing() -> Iterator[int]:
    """A port of all loopback addresses that nobody else gets, and at which nothing listens."""
    with socket.socket() as holder:
        holder.bind(("", 0))
        yield holder.getsockname()[1]


@contextmanager
def blackhole(host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """A port that never answers: the queue of connections to accept is full; yields it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    fillers: list[socket.socket] = []
    with socket.socket(family) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((host, port))
        server.listen(0)
        try:
            for _ in range(8):
                fillers.append(socket.socket(family))
                fillers[-1].setblocking(False)
                fillers[-1].connect_ex(server.getsockname())
            yield server.getsockname()[1]
        finally:
            for filler in fillers:
                filler.close()


class Names:
    """Stands for ``getaddrinfo``: names that resolve to what a test says."""

    def __init__(self, **addresses: list[str]) -> None:
        self.addresses = addresses

    def __call__(self, host: Any, port: int, *_: Any, **__: Any) -> list[Any]:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (ip, port, 0, 0))
            if ":" in ip
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port))
            for ip in self.addresses[name]
        ]
