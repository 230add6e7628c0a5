"""One way to drive carriers, exchanges and httpx clients of both shells."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx

from manager.timeouts import ResolvedTimeouts
from manager.transport._async.httpx_carrier import AsyncHttpxCarrier
from manager.transport._async.httpx_transport import AsyncEngineTransport
from manager.transport._sync.httpx_carrier import HttpxCarrier
from manager.transport._sync.httpx_transport import EngineTransport
from manager.transport.deadlines import Deadlines
from manager.transport.settings import ClientSettings
from manager.transport.tls import TlsSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

PATIENCE = 30.0

Make = Callable[..., Any]
"""Makes a carrier for an address, from settings and a transport."""

_END = object()
_WAITING = ("open", "read", "read_all", "release", "close", "send", "request", "get", "post")
_RENAMED = {"aclose": "close", "aread": "read"}


class Threaded:
    """A sync object behind the async form of its interface: what waits runs on another thread."""

    def __init__(self, target: Any) -> None:
        self.target = target

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.target, _RENAMED.get(name, name))
        if name == "exchange":
            return lambda *args: Threaded(value(*args))
        if name == "aiter_bytes":
            return lambda: _each(self.target.iter_bytes())
        if name not in _WAITING and name not in _RENAMED:
            return value

        async def call(*args: Any, **kwargs: Any) -> Any:
            args = tuple(_sync_body(arg) for arg in args)
            result = await asyncio.to_thread(value, *args, **kwargs)
            return Threaded(result) if isinstance(result, httpx.Response) else result

        return call


def _sync_body(value: Any) -> Any:
    if not hasattr(value, "__aiter__") or hasattr(value, "__iter__"):
        return value
    return iter(value.pieces)


class Pieces:
    """A body in pieces, for either shell."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece


class Stream(httpx.AsyncByteStream, httpx.SyncByteStream):
    """The body of a made-up answer; a piece that is an exception is raised."""

    def __init__(self, *pieces: Any) -> None:
        self.pieces = pieces
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, BaseException):
                raise piece
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece

    def close(self) -> None:
        self.closed += 1

    async def aclose(self) -> None:
        self.closed += 1


async def _each(iterator: Iterator[Any]) -> AsyncIterator[Any]:
    while (item := await asyncio.to_thread(next, iterator, _END)) is not _END:
        yield item


def settings_for(host: str, **changes: Any) -> ClientSettings:
    values: dict[str, Any] = {
        "base_url": host,
        "headers": {"user-agent": "test", "X-Team": "blue"},
        "proxy": None,
        "secure": host.startswith("https"),
        "tls": TlsSettings(verify=True, cert=None),
        "max_connections": 100,
        "max_keepalive": 20,
        "transport": "httpx",
    }
    return ClientSettings(**{**values, **changes})


def carrier_async(host: str, transport: Any = None, **changes: Any) -> Any:
    return AsyncHttpxCarrier(settings_for(host, **changes), transport)


def carrier_sync(host: str, transport: Any = None, **changes: Any) -> Any:
    return Threaded(HttpxCarrier(settings_for(host, **changes), transport))


def client_async(**settings: Any) -> Any:
    return httpx.AsyncClient(transport=AsyncEngineTransport(), **settings)


def client_sync(**settings: Any) -> Any:
    return Threaded(httpx.Client(transport=EngineTransport(), **settings))


def deadlines(**limits: float | None) -> Deadlines:
    values = {"connect": PATIENCE, "first_token": PATIENCE, "chunk": PATIENCE, "total": None}
    return Deadlines(ResolvedTimeouts(**{**values, **limits}))


async def ask(
    carrier: Any, method: str = "POST", path: str = "/api/chat", body: Any = b"{}", **limits: Any
) -> Any:
    """Open an exchange."""
    exchange = carrier.exchange(method, path, "application/json")
    await exchange.open(body, deadlines(**limits))
    return exchange


async def answer(carrier: Any, **limits: Any) -> bytes:
    """Return a whole answer."""
    exchange = await ask(carrier, **limits)
    try:
        return await exchange.read_all(deadlines(**limits).reading())
    finally:
        await exchange.release()


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition holds; what is forgotten meanwhile is collected."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        gc.collect()
        await asyncio.sleep(0.01)
