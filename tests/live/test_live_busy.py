"""A real Ollama server whose queue is full."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from manager import ServerBusyError

from ..managers.either import Heard
from .processes import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

ENDLESS: dict[str, Any] = {"num_predict": -1, "num_thread": 1, "num_ctx": 4096}
SHORT: dict[str, Any] = {"num_predict": 2, "num_thread": 1, "num_ctx": 4096}
# One asks for a model that cannot be loaded while the other answers, one waits behind it.
TAKEN = 2
ASKED = 4  # each call of a sync manager keeps a thread


@pytest.fixture
async def crowded(
    new_manager: Callable[..., Any],
    settings_for: Callable[..., dict[str, Any]],
    shared: Mapping[str, Any],
) -> AsyncIterator[Any]:
    """A manager of a server that takes one request more than it can serve."""
    assert shared  # which has made the models
    settings = settings_for(max_queue=1, num_parallel=1, max_loaded_models=1)
    async with new_manager(**settings) as manager:
        yield manager


async def _occupy(m: Any) -> Any:
    """Begin an answer that does not end."""
    stream = await m.chat("slow", "Hello", stream=True, **ENDLESS)
    await anext(aiter(stream))
    return stream


def _ask(m: Any, **keywords: Any) -> list[asyncio.Task[Any]]:
    return [asyncio.create_task(m.chat("tiny", "Hello", **SHORT, **keywords)) for _ in range(ASKED)]


async def test_a_full_queue_is_an_error_without_retries(crowded: Any) -> None:
    stream = await _occupy(crowded)
    asked = _ask(crowded, retry=False)
    await until(lambda: sum(task.done() for task in asked) >= ASKED - TAKEN)
    await stream.close()
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert len(errors) == ASKED - TAKEN
    for error in errors:
        assert isinstance(error, ServerBusyError)
        assert (error.code, error.status_code, error.attempts) == ("server_busy", 503, 1)
        assert error.retryable
        assert error.model == "tiny"
        assert "maximum pending requests exceeded" in error.message
        assert "max_queue" in str(error.hint)
        assert error.to_dict()["code"] == "server_busy"


async def test_a_full_queue_is_waited_for_with_retries(crowded: Any) -> None:
    heard = Heard(crowded)
    stream = await _occupy(crowded)
    patience = {"max_attempts": 100, "max_delay": 0.5, "budget": 60}
    asked = _ask(crowded, retry=patience)
    await heard.until("request.retried", ASKED - TAKEN)
    await stream.close()
    answers = await asyncio.gather(*asked)
    assert all(answer.done for answer in answers)
    assert "request.failed" not in heard.names
