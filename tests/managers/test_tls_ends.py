"""Servers behind TLS: nobody ever reads what is encrypted, whatever ends their connection."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ssl
import sys
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import trustme

from manager import (
    OllamaManagerError,
    RequestTimeoutError,
    ServerUnavailableError,
    StreamInterruptedError,
    Timeouts,
)
from manager._async.attempt import AsyncAttempt
from manager._sync.attempt import Attempt

from .either import pool_of, until
from .hostile_server import ANSWER, LAST, Hostile, chat_line, stays, streams
from .test_forks import ACTS, play
from .test_hostile import using

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from manager.transport.deadlines import Limit

    from .either import Make
    from .hostile_server import Exchange

READERS = 30
LINE = chat_line("a" * 50)
LONG = 1000 * LINE
"""In one HTTP chunk, and so in many records of TLS: a reader is in the middle of it as a rule."""


class Secrets(NamedTuple):
    """What a server proves who it is with, and the file to check that with."""

    server: ssl.SSLContext
    authority: str


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Secrets:
    authority = trustme.CA()
    path = tmp_path_factory.mktemp("tls") / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return Secrets(context, str(path))


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What readers got that the server has not sent, which is ASCII alone."""
    found: list[bytes] = []

    def check(data: bytes | None) -> bytes | None:
        if data and not data.isascii():
            found.append(data[:100])
        return data

    read, read_async = Attempt.read, AsyncAttempt.read

    async def read_and_check(attempt: AsyncAttempt, limit: Limit) -> bytes | None:
        return check(await read_async(attempt, limit))

    monkeypatch.setattr(Attempt, "read", lambda attempt, limit: check(read(attempt, limit)))
    monkeypatch.setattr(AsyncAttempt, "read", read_and_check)
    return found


@pytest.fixture
def switching() -> Iterator[None]:
    """Threads that take turns all the time."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def endless(exchange: Exchange) -> None:
    exchange.start_chunked()
    while True:
        exchange.chunk(LONG)


def never_whole(exchange: Exchange) -> None:
    exchange.start_chunked()
    while True:
        exchange.chunk(b" " * 100_000)


async def read_by_many(m: Any, **settings: Any) -> list[Any]:
    """Streams whose end somebody waits for, and these."""
    opened = await asyncio.gather(
        *(m.chat("m", "hi", stream=True, **settings) for _ in range(READERS))
    )
    ends = [asyncio.ensure_future(stream.final()) for stream in opened]
    await until(lambda: all(stream.partial for stream in opened), "all to be read")
    return [opened, ends]


@pytest.mark.usefixtures("each_transport")
class TestReaders:
    async def test_whose_streams_are_closed(
        self, make: Make, tls: Secrets, foreign: list[bytes]
    ) -> None:
        with Hostile(endless, tls=tls.server) as server:
            async with using(make, server, verify=tls.authority, max_connections=READERS) as m:
                opened, ends = await read_by_many(m)
                await asyncio.gather(*(stream.close() for stream in opened))
                outcomes = await asyncio.gather(*ends, return_exceptions=True)
        assert not foreign
        for stream, error in zip(opened, outcomes, strict=True):
            assert isinstance(error, StreamInterruptedError), repr(error)
            assert error.message == "the stream was closed before its last line"
            assert not error.retryable
            assert set(stream.partial.message.content) == {"a"}

    async def test_whose_manager_is_closed(
        self, make: Make, tls: Secrets, foreign: list[bytes]
    ) -> None:
        with Hostile(endless, tls=tls.server) as server:
            async with using(make, server, verify=tls.authority, max_connections=READERS) as m:
                _, ends = await read_by_many(m)
                await m.aclose()
                outcomes = await asyncio.gather(*ends, return_exceptions=True)
        assert not foreign
        assert {str(error) for error in outcomes} == {"the stream was closed before its last line"}

    async def test_whose_time_is_over(self, make: Make, tls: Secrets, foreign: list[bytes]) -> None:
        with Hostile(endless, tls=tls.server) as server:
            async with using(make, server, verify=tls.authority, max_connections=READERS) as m:
                _, ends = await read_by_many(m, timeout=Timeouts(total=3.0))
                outcomes = await asyncio.gather(*ends, return_exceptions=True)
        assert not foreign
        assert {type(error) for error in outcomes} == {RequestTimeoutError}, outcomes

    @pytest.mark.usefixtures("switching")
    @pytest.mark.parametrize("encrypted", [True, False])
    async def test_of_whole_answers_whose_manager_is_closed(
        self, make: Make, tls: Secrets, foreign: list[bytes], encrypted: bool
    ) -> None:
        """Its connection is not closed under a thread that reads from it."""
        with Hostile(never_whole, tls=tls.server if encrypted else None) as server:
            settings = {"verify": tls.authority, "max_connections": READERS}
            async with using(make, server, **settings) as m:
                calls = [asyncio.ensure_future(m.chat("m", "hi", retry=False)) for _ in range(10)]
                await until(lambda: len(server.requests) == len(calls), "the requests")
                await m.aclose()
                errors = await asyncio.gather(*calls, return_exceptions=True)
        assert not foreign
        for error in errors:
            assert isinstance(error, ServerUnavailableError), repr(error)
            assert error.code in ("connection_lost", "manager_closed")
            if hasattr(m, "target"):
                assert "Bad file descriptor" not in str(error)


def leaves(exchange: Exchange) -> None:
    exchange.answer_and_stay(ANSWER)
    exchange.kept = False


def takes_leave(exchange: Exchange) -> None:
    """End the encryption as it should be, and then the connection."""
    leaves(exchange)
    exchange.say_goodbye()


@pytest.mark.parametrize("end", [leaves, takes_leave])
async def test_an_idle_connection_that_the_server_ends(
    make: Make, tls: Secrets, end: Callable[[Exchange], None]
) -> None:
    with Hostile(end, stays, tls=tls.server) as server:
        async with using(make, server, verify=tls.authority) as m:
            assert (await m.chat("m", "hi")).done
            idle = list(pool_of(m)._idle)  # where its end was seen at once, nothing
            await until(lambda: not any(each.is_usable() for each in idle), "its end to be seen")
            assert (await m.chat("m", "hi", retry=False)).done
        assert (server.accepted, len(server.requests)) == (2, 2)


async def test_an_idle_connection_is_used_again(make: Make, tls: Secrets) -> None:
    with Hostile(stays, tls=tls.server) as server:
        async with using(make, server, verify=tls.authority) as m:
            for _ in range(5):
                assert (await m.chat("m", "hi", retry=False)).done
        assert server.accepted == 1


async def test_a_stream_that_is_forgotten(make: Make, tls: Secrets) -> None:
    told = threading.Event()

    def act(exchange: Exchange) -> None:
        try:
            endless(exchange)
        except OSError:
            told.set()

    with Hostile(act, tls=tls.server) as server:
        async with using(make, server, verify=tls.authority) as m:
            stream = await m.chat("m", "hi", stream=True)
            await anext(aiter(stream))
            del stream
            await until(lambda: gc.collect() >= 0 and told.is_set(), "the server to be told")
            with contextlib.suppress(OllamaManagerError):
                await m.version(retry=False, timeout=0.01)  # gives back what was forgotten


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_child_leaves_its_parents_stream_alone(kind: str, tls: Secrets) -> None:
    def act(exchange: Exchange) -> None:
        if b'"stream":true' in exchange.body:
            streams(*[chat_line("a")] * 40, LAST, pause=0.02)(exchange)
        elif "/api/version" in exchange.head:
            exchange.answer(b'{"version": "1.0"}')
        else:
            exchange.answer(ANSWER)

    with Hostile(act, tls=tls.server) as server:
        said = await play(kind, *ACTS, host=server.host, verify=tls.authority)
    assert said == [{"child": 0, "done": True}] * len(ACTS)
