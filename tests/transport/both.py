"""One body for a test of both engines: the sync one in threads, the async one on two event loops.

A body is a coroutine function that gets a ``Shell`` first. The event loops are in debug mode, and
nothing may be left for them or the garbage collector to complain of.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import inspect
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from manager.timeouts import ResolvedTimeouts
from manager.transport._async.connection import AsyncConnection
from manager.transport._async.engine import AsyncEngine
from manager.transport._sync.connection import Connection
from manager.transport._sync.engine import Engine
from manager.transport.deadlines import Deadlines
from manager.transport.proxies import proxy_for
from manager.transport.settings import ClientSettings
from manager.transport.tls import tls_settings

from .peers import PATIENCE

if TYPE_CHECKING:
    import threading
    from collections.abc import AsyncIterator, Callable, Coroutine

try:
    import uvloop
except ImportError:  # there is none on Windows
    uvloop = None

KINDS = ["sync", "asyncio", *(["uvloop"] if uvloop else [])]

_BLOCKING = {"open", "read", "read_all", "release", "send", "receive", "connection"}


class Threaded:
    """An object of the sync engine behind the async form of its interface."""

    def __init__(self, target: Any) -> None:
        object.__setattr__(self, "target", target)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.target, name)
        if name == "pool" or name not in {*_BLOCKING, "exchange"}:
            return value
        if name == "exchange":
            return lambda *args: Threaded(value(*args))

        async def call(*args: Any) -> Any:
            result = await asyncio.to_thread(value, *args)
            return Threaded(result) if isinstance(result, Connection) else result

        return call


class Shell:
    """Makes what one of the engines consists of."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.is_sync = kind == "sync"
        self._engines: list[Any] = []

    def settings(self, origin: str, **settings: Any) -> ClientSettings:
        tls = tls_settings(
            settings.pop("verify", True), settings.pop("cert", None), trust_env=False, environ={}
        )
        return ClientSettings(
            base_url=origin,
            headers=settings.pop("headers", {"user-agent": "tests"}),
            proxy=settings.pop("proxy", None),
            secure=origin.startswith("https:"),
            tls=tls,
            max_connections=None,
            max_keepalive=settings.pop("max_keepalive", 100),
            transport="auto",
            **settings,
        )

    def engine(self, origin: str, **settings: Any) -> Any:
        made = self.settings(origin, **settings)
        engine = Threaded(Engine(made)) if self.is_sync else AsyncEngine(made)
        self._engines.append(engine)
        return engine

    async def ask(self, engine: Any, body: bytes = b"", method: str = "POST", **limits: Any) -> Any:
        """Send a request and return the exchange, the head of the answer read."""
        exchange = engine.exchange(method, "/x", None)
        await exchange.open(body, deadlines(**limits))
        return exchange

    async def get(self, engine: Any, body: bytes = b"", method: str = "POST") -> tuple[int, bytes]:
        """Send a request, read the whole answer and give the connection back."""
        exchange = engine.exchange(method, "/x", None)
        try:
            await exchange.open(body, deadlines())
            content = await exchange.read_all(deadlines().reading())
        finally:
            await exchange.release()
        return exchange.status, content

    async def connection(self, engine: Any, **limits: Any) -> Any:
        """Open a connection, or take an idle one."""
        return await engine.connection(deadlines(**limits), lambda _: None)

    async def end(self) -> None:
        for engine in self._engines:
            closing = engine.close()
            if inspect.isawaitable(closing):
                await closing


def deadlines(**limits: Any) -> Deadlines:
    generous = {"connect": PATIENCE, "first_token": PATIENCE, "chunk": PATIENCE, "total": None}
    return Deadlines(ResolvedTimeouts(**{**generous, **limits}))


def run(body: Callable[[], Coroutine[Any, Any, None]], kind: str) -> None:
    """Run a coroutine on the event loop that ``kind`` names; nothing may be complained of."""
    complaints: list[dict[str, Any]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        loop.slow_callback_duration = PATIENCE
        with ThreadPoolExecutor(80) as executor:
            loop.set_default_executor(executor)
            await asyncio.wait_for(body(), 2 * PATIENCE)

    factory = uvloop.new_event_loop if kind == "uvloop" else asyncio.SelectorEventLoop
    with asyncio.Runner(loop_factory=factory, debug=True) as runner:
        runner.run(main())
    gc.collect()
    assert complaints == []


def over_both(body: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Make a test of a body, one for each kind of engine and event loop."""
    return over(*KINDS)(body)


def over(*kinds: str) -> Callable[[Callable[..., Coroutine[Any, Any, None]]], Callable[..., None]]:
    def decorate(body: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
        @functools.wraps(body)
        def test(kind: str, **kwargs: Any) -> None:
            async def main() -> None:
                shell = Shell(kind)
                try:
                    await body(shell, **kwargs)
                finally:
                    await shell.end()

            run(main, kind)

        parameters = list(inspect.signature(body).parameters.values())[1:]
        kind = inspect.Parameter("kind", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        vars(test).pop("__wrapped__")
        vars(test)["__signature__"] = inspect.Signature([kind, *parameters])
        return pytest.mark.parametrize("kind", kinds)(test)

    return decorate


async def until(condition: Callable[[], object], what: str = "") -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what or condition}"
        await asyncio.sleep(0.005)


async def acquired(semaphore: threading.Semaphore) -> None:
    """Wait until a thread has released ``semaphore``."""
    assert await asyncio.to_thread(semaphore.acquire, timeout=PATIENCE)


async def arrived(event: threading.Event) -> None:
    """Wait until a thread has set ``event``."""
    assert await asyncio.to_thread(event.wait, PATIENCE)


@contextlib.asynccontextmanager
async def begun(work: Coroutine[Any, Any, Any]) -> AsyncIterator[asyncio.Task[Any]]:
    """Run a coroutine meanwhile."""
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        if not task.done():
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task


__all__ = [
    "KINDS",
    "AsyncConnection",
    "Shell",
    "Threaded",
    "acquired",
    "arrived",
    "begun",
    "deadlines",
    "over",
    "over_both",
    "proxy_for",
    "run",
    "until",
]
