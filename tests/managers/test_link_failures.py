"""What a manager does when its link to the supervisor fails: an error in time, then as ever."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import pytest

from manager import OllamaManagerError, ServerStartError, ServerUnavailableError
from manager.supervisor.session import Session

from .either import PATIENCE, is_alive, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from .either import Make


def fails(count: int, of: Callable[..., Any]) -> Callable[..., Any]:
    """Do as ``of``, except for the first calls."""
    left = [count]

    def failing(*args: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise ZeroDivisionError("a mistake")
        return of(*args)

    return failing


@pytest.mark.parametrize("executable", [None, "", 5])
async def test_a_program_without_its_python(
    make: Make, managed: dict[str, Any], monkeypatch: pytest.MonkeyPatch, executable: Any
) -> None:
    async with make(**managed) as m:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", executable)
            for call in (m.start_server, m.list_models):
                with pytest.raises(ServerStartError) as caught:
                    await asyncio.wait_for(call(), PATIENCE)
                assert caught.value.code == "python_not_found"
                assert caught.value.hint
            assert m.status().state == "failed"
        assert (await m.chat("simulated", "hi")).done


async def test_a_link_that_fails_once_costs_a_call_nothing(
    make: Make, managed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with make(**managed) as m:
        monkeypatch.setattr(Session, "timeout", fails(1, Session.timeout))
        assert (await asyncio.wait_for(m.chat("simulated", "hi"), PATIENCE)).done


async def test_a_link_that_fails_under_a_ready_server(
    make: Make, managed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with make(**managed) as m:
        assert (await m.chat("simulated", "hi")).done
        with monkeypatch.context() as patch:
            patch.setattr(Session, "timeout", fails(1, Session.timeout))
            await m.server_log()  # one more turn of the thread
            await until(lambda: m.status().state == "stopped", "the loss to be seen")
        assert (await asyncio.wait_for(m.chat("simulated", "hi"), PATIENCE)).done
        pid = m.status().pid
        assert pid is not None
    assert not is_alive(pid)


async def test_a_link_that_fails_again_and_again(
    make: Make, managed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with make(**managed) as m:
        with monkeypatch.context() as patch:
            patch.setattr(Session, "timeout", fails(1000, Session.timeout))
            calls = (m.start_server, m.restart_server, m.stop_server, m.server_log, m.list_models)
            for call in calls:
                with pytest.raises(ServerUnavailableError) as caught:
                    await asyncio.wait_for(call(), PATIENCE)
                assert caught.value.code == "link_failed"
                error: BaseException = caught.value
                while not isinstance(error, ZeroDivisionError):
                    assert error.__cause__ is not None
                    error = error.__cause__
        assert (await m.chat("simulated", "hi")).done


async def test_closing_while_the_link_fails(
    make: Make, managed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    m = make(**managed)
    pid = (await m.start_server()).pid
    with monkeypatch.context() as patch:
        patch.setattr(Session, "close", fails(1, Session.close))
        with pytest.raises(OllamaManagerError) as caught:
            await asyncio.wait_for(m.aclose(), PATIENCE)
        assert caught.value.code == "link_failed"
    await asyncio.wait_for(m.aclose(), PATIENCE)
    await until(lambda: not is_alive(pid), "the end of the server: the lease has ended")
    with pytest.raises(ServerUnavailableError, match="closed"):
        await m.list_models()
