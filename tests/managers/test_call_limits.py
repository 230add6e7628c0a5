"""``timeout=`` and ``retry=`` hold for every method that sends a request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from manager import InvalidRequestError, RequestTimeoutError, ServerBusyError, Timeouts

from .hostile_server import Hostile, chat_line, says, streams
from .test_hostile import using

if TYPE_CHECKING:
    from pathlib import Path

    from .either import Make
    from .hostile_server import Exchange

SUCCESS = b'{"status":"success"}\n'
DETAILS = {
    "parent_model": "",
    "format": "gguf",
    "family": "llama",
    "families": ["llama"],
    "parameter_size": "1B",
    "quantization_level": "Q4_0",
}
SHOWN = json.dumps(
    {"details": DETAILS, "model_info": {}, "models": [], "modified_at": "2026-01-01T00:00:00Z"}
).encode()
COMPLETED = {"model": "m", "created_at": "2026-01-01T00:00:00Z", "response": "", "done": True}
ONE = chat_line("{}", done=True)

# How each is called, with what a server answers it that answers at all.
METHODS: dict[str, tuple[tuple[Any, ...], bytes]] = {
    "version": ((), b'{"version":"1.2.3"}'),
    "list_models": ((), b'{"models":[]}'),
    "list_running": ((), b'{"models":[]}'),
    "show_model": (("m",), SHOWN),
    "has_model": (("m",), SHOWN),
    "ensure_model": (("m",), SHOWN),
    "copy_model": (("m", "n"), b""),
    "delete_model": (("m",), b""),
    "load_model": (("m",), ONE),
    "unload_model": (("m",), ONE),
    "pull_model": (("m",), SUCCESS),
    "push_model": (("m",), SUCCESS),
    "chat": (("m", "hi"), ONE),
    "chat_parsed": (("m", "hi", dict[str, int]), ONE),
    "generate": (("m", "hi"), json.dumps(COMPLETED).encode()),
    "embed": (("m", "hi"), b'{"model":"m","embeddings":[[1]]}'),
    "embed_array": (("m", "hi"), b'{"model":"m","embeddings":[[1]]}'),
}
each_method = pytest.mark.parametrize("method", METHODS)


def busy(exchange: Exchange) -> None:
    exchange.answer(b'{"error":"server busy, please try again."}', 503)


def silent(exchange: Exchange) -> None:
    exchange.wait(60)


@each_method
async def test_a_slow_server(make: Make, method: str) -> None:
    arguments, _ = METHODS[method]
    with Hostile(silent) as server:
        async with using(make, server) as m:
            for timeout in (0.1, Timeouts(total=0.1)):
                with pytest.raises(RequestTimeoutError) as caught:
                    await getattr(m, method)(*arguments, timeout=timeout, retry=False)
                assert caught.value.seconds == 0.1
            with pytest.raises(InvalidRequestError) as refused:
                await getattr(m, method)(*arguments, timeout=0)
            assert refused.value.argument == "timeout"
    assert len(server.requests) <= 2


@each_method
async def test_a_busy_server(make: Make, method: str) -> None:
    arguments, answer = METHODS[method]
    with Hostile(busy) as server:
        async with using(make, server) as m:
            with pytest.raises(ServerBusyError) as caught:
                await getattr(m, method)(*arguments, retry=False)
            assert len(server.requests) == caught.value.attempts == 1
            with pytest.raises(ServerBusyError) as caught:
                await getattr(m, method)(*arguments, retry={"max_attempts": 2})
            assert len(server.requests) == 3
            with pytest.raises(InvalidRequestError) as refused:
                await getattr(m, method)(*arguments, retry={"max_attempt": 2})
            assert refused.value.argument == "retry"
    with Hostile(busy, busy, busy, says(answer)) as server:
        async with using(make, server, retry={"max_attempts": 1}) as m:
            again = {"max_attempts": 4, "initial_delay": 0.01}
            await getattr(m, method)(*arguments, retry=again)
    assert len(server.requests) == 4 + (method == "show_model")


async def test_a_model_that_is_missing_is_looked_for_and_pulled_with_the_same_limits(
    make: Make,
) -> None:
    absent = says(b'{"error":"model \'m\' not found"}', 404)
    with Hostile(absent, busy) as server:
        async with using(make, server) as m:
            with pytest.raises(ServerBusyError):
                await m.ensure_model("m", retry=False)
            assert len(server.requests) == 2
    with Hostile(absent, streams(SUCCESS)) as server:
        async with using(make, server) as m:
            await m.ensure_model("m", insecure=True)
    assert json.loads(server.bodies[-1])["insecure"] is True


@pytest.mark.parametrize("pull", [True, False])
async def test_a_listener_that_is_none_is_refused_though_the_model_is_there(
    make: Make, pull: bool
) -> None:
    with Hostile(says(SHOWN)) as server:
        async with using(make, server) as m:
            with pytest.raises(InvalidRequestError):
                await m.ensure_model("m", pull=pull, on_progress="print")
    assert server.requests == []


@pytest.mark.parametrize("keyword", ["files", "adapters"])
async def test_uploads_keep_the_limits_of_the_creation(
    make: Make, keyword: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    file = {keyword: path} | ({"from_model": "base"} if keyword == "adapters" else {})
    absent = says(b"", 404)

    for actions, sent in (((busy,), 1), ((absent, busy), 2), ((absent, says(b"", 201), busy), 3)):
        with Hostile(*actions) as server:
            async with using(make, server) as m:
                with pytest.raises(ServerBusyError):
                    await m.create_model("m", **file, retry=False)
        assert len(server.requests) == sent

    for limit in (0.1, Timeouts(total=0.1), Timeouts(first_token=0.1)):
        for actions in ((silent,), (absent, silent), (absent, says(b"", 201), silent)):
            with Hostile(*actions) as server:
                async with using(make, server, first_token_timeout=60) as m:
                    with pytest.raises(RequestTimeoutError):
                        await m.create_model("m", **file, timeout=limit, retry=False)
            assert len(server.requests) <= len(actions)


async def test_a_number_is_the_longest_silence_of_an_upload_not_its_length(
    make: Make, tmp_path: Path
) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")

    def slowly(exchange: Exchange) -> None:  # the body has come; its answer comes in pieces
        exchange.start(201, "Content-Length: 6", kind="text/plain")
        for _ in range(6):
            exchange.wait(0.3)
            exchange.write(b"x")

    with Hostile(says(b"", 404), slowly, streams(SUCCESS)) as server:
        async with using(make, server) as m:
            await m.create_model("m", files=path, timeout=1.5, retry=False)
    assert len(server.requests) == 3
