"""``embed_array`` through both managers: arrays, errors and log records, read in either way."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from manager import InvalidRequestError, ResponseDecodeError
from manager.embedding_arrays import find_simdjson

from .hostile_server import Hostile, says
from .test_hostile import using

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .either import Make


@pytest.fixture(params=["as installed", "without simdjson"], autouse=True)
def reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Read with pysimdjson, where it is installed, and without."""
    if request.param == "without simdjson":
        monkeypatch.setitem(sys.modules, "simdjson", None)
    find_simdjson.cache_clear()
    yield
    find_simdjson.cache_clear()


async def test_it_is_what_embed_returns(m: Any) -> None:
    texts = ["red", "blue", "green"]
    array = await m.embed_array("simulated-embed", texts)
    assert array.shape == (3, 384)
    assert array.dtype == np.float32
    assert np.linalg.norm(array, axis=1) == pytest.approx(1, abs=1e-4)
    answer = await m.embed("simulated-embed", texts)
    assert array.tobytes() == np.array(answer.embeddings, dtype=np.float32).tobytes()
    assert (await m.embed_array("simulated-embed", "red", dimensions=8)).shape == (1, 8)


async def test_without_numpy_nothing_is_sent(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    with Hostile(says(b'{"model":"m","embeddings":[[1]]}')) as server:
        async with using(make, server) as m:
            with pytest.raises(InvalidRequestError) as caught:
                await m.embed_array("m", "red")
    assert caught.value.code == "numpy_missing"
    assert "[numpy]" in caught.value.hint
    assert not server.requests


@pytest.mark.parametrize("method", ["embed", "embed_array"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b'{"model":"m","embeddings":[[1,[2]]]}',
            "embeddings[0][1]: expected a number, got a list",
        ),
        (b'{"model":5,"embeddings":[[1]]}', "model: expected a string, got 5"),
        (b'{"model":"m"}', "embeddings: expected a list, got nothing"),
        (b'{"model":"m","embeddings":[[1,2]', "truncated"),
        (b'{"model":"m","embeddings":' + b"[" * 10**5, "recursion"),
        (b'{"model":"\xff","embeddings":[[1]]}', "UTF-8"),
        (b"", "expected an object, got null"),
    ],
    ids=["nested", "number", "missing", "truncated", "deep", "not UTF-8", "empty"],
)
async def test_a_wrong_answer(make: Make, method: str, content: bytes, message: str) -> None:
    with Hostile(says(content)) as server:
        async with using(make, server) as m:
            with pytest.raises(ResponseDecodeError) as caught:
                await getattr(m, method)("m", ["red", "blue"])
    assert message in caught.value.message
    assert caught.value.model == "m"
    assert caught.value.attempts == 1
    assert caught.value.text == content[:500].decode("utf-8", "replace")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"model":"m","embeddings":[[1,2],[3]]}', "embeddings[1]: expected 2 numbers"),
        (b'{"model":"m","embeddings":[[' + b"9" * 400 + b"]]}", "a huge number"),
    ],
    ids=["ragged", "huge"],
)
async def test_an_answer_that_is_no_array(make: Make, content: bytes, message: str) -> None:
    with Hostile(says(content)) as server:
        async with using(make, server) as m:
            with pytest.raises(ResponseDecodeError) as caught:
                await m.embed_array("m", ["red", "blue"])
    assert message in caught.value.message
    assert caught.value.model == "m"
    assert caught.value.attempts == 1
    assert caught.value.text == content[:500].decode()
    assert len(server.requests) == 1


async def test_it_is_logged_as_embed_is(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    answer = {"model": "m", "embeddings": [[0.125] * 384, [0.25] * 384], "prompt_eval_count": 2}
    content = json.dumps(answer).encode()
    with Hostile(says(content)) as server:
        async with using(make, server, logging={"level": "bodies"}) as m:
            await m.embed("m", ["red", "blue"])
            await m.embed_array("m", ["red", "blue"])
    calls = [call for record in caplog.records if (call := vars(record).get("ollama_call"))]
    bodies = [call["body"] for call in calls if call["event"] == "response"]
    assert bodies[0] == bodies[1]
    assert bodies[1]["embeddings"] == "<2 vectors of 384 numbers>"
    assert bodies[1]["prompt_eval_count"] == 2
