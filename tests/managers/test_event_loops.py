"""An async manager belongs to the event loop that it was first used on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from manager import AsyncOllamaManager, InvalidRequestError, OllamaManager

from .either import until
from .hostile_server import LAST, Hostile, chat_line, silent_after, stays, streams

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

pytestmark = pytest.mark.usefixtures("each_transport")


def elsewhere(make: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run a coroutine on another event loop, in a thread of its own."""
    return asyncio.to_thread(lambda: asyncio.run(make()))


async def refused(make: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    with pytest.raises(InvalidRequestError, match="event loop") as caught:
        await elsewhere(make)
    assert caught.value.code == "wrong_event_loop"
    assert "one for each event loop" in str(caught.value.hint)


async def test_calls() -> None:
    with Hostile(stays) as server:
        async with AsyncOllamaManager(host=server.host) as m:
            await m.chat("m", "hi")
            await refused(lambda: m.chat("m", "hi"))
            await refused(lambda: m.chat("m", "hi", stream=True))
            assert (await m.chat("m", "hi")).done
        assert len(server.requests) == 2


async def test_calls_after_other_settings() -> None:
    with Hostile(stays) as server:
        async with AsyncOllamaManager(host=server.host) as m:
            await m.chat("m", "hi")
            transport: Any = m._session.transport  # pyright: ignore[reportPrivateUsage]
            settings = transport._settings
            client = attrs.evolve(settings.client, headers={})
            transport.configure(attrs.evolve(settings, client=client))
            await refused(lambda: m.chat("m", "hi"))
            assert (await m.chat("m", "hi")).done


async def test_closing() -> None:
    with Hostile(stays) as server:
        m = AsyncOllamaManager(host=server.host)
        await m.chat("m", "hi")
        await refused(m.aclose)
        await until(lambda: server.ended == server.accepted == 1, "the connection to end")
        await m.aclose()


async def test_reading_a_stream() -> None:
    with Hostile(streams(chat_line("a"), chat_line("b"), LAST, pause=0.05)) as server:
        async with AsyncOllamaManager(host=server.host) as m:
            stream = await m.chat("m", "hi", stream=True)
            await refused(stream.final)
            assert (await stream.final()).message.content == "ab", "it goes on where it belongs"


async def test_closing_a_stream_ends_it() -> None:
    with Hostile(silent_after(chat_line("a")), stays) as server:
        async with AsyncOllamaManager(host=server.host, max_connections=1) as m:
            stream = await m.chat("m", "hi", stream=True)
            assert (await anext(stream)).message.content == "a"
            reader = asyncio.ensure_future(stream.final())
            await asyncio.sleep(0)
            await elsewhere(stream.close)
            with pytest.raises(Exception, match="closed before its last line"):
                await asyncio.wait_for(reader, 20)
            assert (await m.chat("m", "hi", timeout=20)).message.content == "fine"


async def test_a_sync_manager_belongs_to_nobody() -> None:
    with Hostile(stays) as server:
        m = OllamaManager(host=server.host)
        for _ in range(2):

            async def call() -> None:
                assert m.chat("m", "hi").done

            await elsewhere(call)
        m.close()
