"""Embedding any number of texts, in batches of which a few are under way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from manager import (
    AsyncOllamaManager,
    BadRequestError,
    EmbedStream,
    InvalidRequestError,
    ResponseDecodeError,
    ServerUnavailableError,
)

from .either import PATIENCE, until
from .hostile_server import Hostile

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from manager.simulator.process import SimulatedServer

    from .either import Make
    from .hostile_server import Exchange

TEXTS = [str(number) for number in range(100)]
ONCE = {"max_attempts": 1}


class Embedder:
    """A server whose embedding of a text is the number that it says, made when it is allowed."""

    def __init__(self, before: Callable[[Embedder, list[str]], None] | None = None) -> None:
        self._before = before
        self.changed = threading.Condition()
        self.begun: list[list[str]] = []
        self.at_once = 0
        self.most_at_once = 0
        self.refused: set[str] = set()
        self.short = False
        self.server = Hostile(self._act)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE)

    @property
    def times_sent(self) -> Counter[str]:
        return Counter(text for batch in self.begun for text in batch)

    def _act(self, exchange: Exchange) -> None:
        texts: list[str] = json.loads(exchange.body)["input"]
        with self.changed:
            self.begun.append(texts)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            self.changed.notify_all()
        if self._before is not None:
            self._before(self, texts)
        with self.changed:
            self.at_once -= 1
            self.changed.notify_all()
        if self.refused & set(texts):
            exchange.answer(b'{"error":"no"}', 400)
        else:
            vectors = [[float(text)] for text in texts][int(self.short) :]
            exchange.answer(json.dumps({"model": "m", "embeddings": vectors}).encode())


def numbers(vectors: list[list[float]]) -> list[str]:
    return [f"{vector[0]:.0f}" for vector in vectors]


async def take_all(stream: Any, found: list[list[float]]) -> None:
    async for vector in stream:
        found.append(vector)  # noqa: PERF401 what came before an error counts


async def taken(stream: Any, count: int) -> list[list[float]]:
    found: list[list[float]] = []
    async for vector in stream:
        found.append(vector)
        if len(found) == count:
            break
    return found


@pytest.fixture
async def embedder() -> AsyncIterator[Embedder]:
    made = Embedder()
    with made.server:
        yield made


async def test_vectors_come_in_the_order_of_the_texts(m: Any) -> None:
    texts = [f"text {number}" for number in range(25)]
    vectors = [
        vector
        async for vector in m.embed_many("simulated-embed", texts, batch_size=4, dimensions=8)
    ]
    assert vectors == (await m.embed("simulated-embed", texts, dimensions=8)).embeddings
    assert len(vectors[0]) == 8


async def test_a_few_batches_at_a_time(make: Make) -> None:
    def until_three(embedder: Embedder, texts: list[str]) -> None:
        if texts[0] in ("0", "7", "14"):
            embedder.wait_for(lambda: len(embedder.begun) >= 3)
        if texts[0] == "0":  # the first is answered last
            embedder.wait_for(lambda: len(embedder.begun) >= 6)

    embedder = Embedder(until_three)
    progress: list[int] = []
    with embedder.server as server:
        async with make(host=server.host) as m:
            stream = m.embed_many(
                "m", TEXTS, batch_size=7, concurrency=3, on_progress=progress.append
            )
            found = [vector async for vector in stream]
    assert numbers(found) == TEXTS
    assert embedder.most_at_once == 3
    assert progress == [*range(7, 100, 7), 100]
    assert stream.done == 100
    assert {len(batch) for batch in embedder.begun} == {7, 2}


async def test_texts_are_read_no_further_than_the_vectors_are_taken(
    make: Make, embedder: Embedder
) -> None:
    read: list[str] = []

    def endless() -> Iterator[str]:
        while True:
            read.append(str(len(read)))
            yield read[-1]

    async with make(host=embedder.server.host) as m:
        stream = m.embed_many("m", endless(), batch_size=5, concurrency=2)
        assert not read, "nothing is sent before it is asked for"
        assert numbers(await taken(stream, 40)) == TEXTS[:40]
        assert len(read) <= 40 + 2 * 2 * 5
        await stream.close()
        assert [vector async for vector in stream] == []


async def test_an_error_loses_nothing(make: Make, embedder: Embedder) -> None:
    embedder.refused = {"33"}
    async with make(host=embedder.server.host, retry=ONCE) as m:
        stream = m.embed_many("m", iter(TEXTS), batch_size=10, concurrency=3)
        found: list[list[float]] = []

        for _ in range(2):
            with pytest.raises(BadRequestError) as caught:
                await take_all(stream, found)
            assert caught.value.details["first_text"] == 30
            assert caught.value.details["texts"] == 10
            assert numbers(found) == TEXTS[:30]
            assert stream.done == 30
        embedder.refused = set()
        await take_all(stream, found)
    assert numbers(found) == TEXTS
    times = embedder.times_sent
    assert {text for text in times if times[text] > 1} == set(TEXTS[30:40])


async def test_when_the_server_is_lost_all_that_failed_is_sent_again(make: Make) -> None:
    def fail_together(embedder: Embedder, texts: list[str]) -> None:
        if len(embedder.begun) <= 3:
            embedder.wait_for(lambda: len(embedder.begun) >= 3)
            raise OSError("cut")

    embedder = Embedder(fail_together)
    with embedder.server as server:
        async with make(host=server.host, retry=ONCE) as m:
            stream = m.embed_many("m", TEXTS[:30], batch_size=10, concurrency=3)
            found: list[list[float]] = []
            with pytest.raises(ServerUnavailableError):
                await take_all(stream, found)
            for _ in range(2):  # the others may still have been failing
                with contextlib.suppress(ServerUnavailableError):
                    await take_all(stream, found)
            await take_all(stream, found)
    assert numbers(found) == TEXTS[:30]
    assert set(embedder.times_sent.values()) == {2}


async def test_what_fails_in_the_input_comes_after_what_was_before_it(
    make: Make, embedder: Embedder
) -> None:
    def broken() -> Iterator[Any]:
        yield from TEXTS[:13]
        raise RuntimeError("the disk")

    async with make(host=embedder.server.host) as m:
        for texts, error in ((broken(), RuntimeError), ([*TEXTS[:13], 7], InvalidRequestError)):
            found: list[list[float]] = []
            with pytest.raises(error) as caught:
                await take_all(m.embed_many("m", texts, batch_size=5), found)
            assert numbers(found) == TEXTS[:13]
    assert caught.value.details["argument"] == "texts[13]"


async def test_a_vector_too_few(make: Make, embedder: Embedder) -> None:
    embedder.short = True
    async with make(host=embedder.server.host) as m:
        stream = m.embed_many("m", TEXTS[:9], batch_size=5, concurrency=1)
        with pytest.raises(ResponseDecodeError, match="5 texts were answered with 4") as caught:
            await taken(stream, 1)
        assert caught.value.details["first_text"] == 0
        embedder.short = False
        assert numbers([vector async for vector in stream]) == TEXTS[:9]


async def test_leaving_the_block_ends_it(make: Make, embedder: Embedder) -> None:
    async with make(host=embedder.server.host) as m:
        async with m.embed_many("m", TEXTS, batch_size=1, concurrency=2) as stream:
            assert numbers(await taken(stream, 3)) == TEXTS[:3]
        assert [vector async for vector in stream] == []
        assert len(embedder.begun) <= 3 + 2 * 2


async def test_no_texts_make_no_request(make: Make, embedder: Embedder) -> None:
    async with make(host=embedder.server.host) as m:
        assert [vector async for vector in m.embed_many("m", [])] == []
    assert not embedder.begun


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ({"texts": "one"}, "texts"),
        ({"texts": 7}, "texts"),
        ({"batch_size": 0}, "batch_size"),
        ({"concurrency": True}, "concurrency"),
        ({"on_progress": 7}, "on_progress"),
        ({"dimensions": -1}, "dimensions"),
        ({"model_name": ""}, "model_name"),
        ({"temprature": 1}, "temprature"),
    ],
)
async def test_a_bad_argument_is_named_at_once(
    make: Make, server: SimulatedServer, arguments: dict[str, Any], argument: str
) -> None:
    async with make(host=server.host) as m:
        with pytest.raises(InvalidRequestError) as caught:
            m.embed_many(**{"model_name": "m", "texts": [], **arguments})
    assert caught.value.details["argument"] == argument


async def test_a_cancelled_reader_may_go_on() -> None:
    allowed = threading.Event()
    embedder = Embedder(lambda _embedder, _texts: assert_set(allowed))
    with embedder.server as server:
        async with AsyncOllamaManager(host=server.host) as m:
            stream = m.embed_many("m", TEXTS[:20], batch_size=5, concurrency=2)
            reader = asyncio.ensure_future(anext(stream))
            await until(lambda: len(embedder.begun) == 2)
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader
            allowed.set()
            assert numbers([vector async for vector in stream]) == TEXTS[:20]
    assert set(embedder.times_sent.values()) == {1}


def assert_set(event: threading.Event) -> None:
    assert event.wait(PATIENCE)


async def test_the_sync_stream_is_a_plain_iterator(server: SimulatedServer) -> None:
    from manager import OllamaManager

    def embed() -> int:
        with (
            OllamaManager(host=server.host) as m,
            m.embed_many("simulated-embed", ["a", "b"]) as stream,
        ):
            assert isinstance(stream, EmbedStream)
            return len(list(stream))

    assert await asyncio.to_thread(embed) == 2


async def test_embeddings_have_one_consumer_at_a_time(make: Make) -> None:
    go = threading.Event()
    embedder = Embedder(lambda _, __: stays_until(go))
    with embedder.server as server:
        async with make(host=server.host) as m, m.embed_many("m", TEXTS, batch_size=5) as vectors:
            first = asyncio.ensure_future(anext(aiter(vectors)))
            await until(lambda: embedder.begun, "the first to wait")
            try:
                with pytest.raises(InvalidRequestError, match="being read already"):
                    await asyncio.wait_for(anext(aiter(vectors)), PATIENCE)
            finally:
                go.set()
            assert await first == [0.0]
            assert [vector async for vector in vectors] == [[float(text)] for text in TEXTS[1:]]


def stays_until(go: threading.Event) -> None:
    go.wait(PATIENCE)
