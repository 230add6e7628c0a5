"""A configuration file that is changed while a real Ollama answers."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from manager import ServerStartError

from ..managers.either import Heard, until

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

BRIEF: dict[str, Any] = {"num_thread": 1, "num_ctx": 512}


@pytest.fixture
def file(tmp_path: Path, settings_for: Callable[..., Any], shared: Any) -> Callable[..., Path]:
    """Save the configuration file of a server of the test's own, with the models of all."""
    assert shared  # which has made the models
    settings = settings_for()
    head = "".join(
        f"{key} = {json.dumps(value if not isinstance(value, Path) else str(value))}\n"
        for key, value in settings.items()
        if key != "env"
    )
    env = ", ".join(f"{name} = {json.dumps(text)}" for name, text in settings["env"].items())
    path = tmp_path / "own.toml"

    def save(server: str = "", *, extra: str = "") -> Path:
        new = path.with_suffix(".new")
        new.write_text(f"[server]\n{head}env = {{ {env}{extra} }}\n{server}\n")
        return new.replace(path)

    return save


def environ(pid: int) -> dict[str, str]:
    words = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(word.split("=", 1) for word in words if "=" in word)


async def test_settings_change_while_chats_run_and_nothing_is_lost(
    new_manager: Callable[..., Any], file: Callable[..., Path]
) -> None:
    async with new_manager(config_file=file('keep_alive = "5m"\nnum_parallel = 1')) as m:
        heard = Heard(m, "config.reloaded", "config.rejected", "config.rolled_back")
        await m.start_server()
        answered: list[int] = []
        over = asyncio.Event()

        async def talk(stream: bool) -> None:
            while not over.is_set():
                if stream:
                    async with await m.chat(
                        "tiny", "Hello", stream=True, num_predict=32, **BRIEF
                    ) as chunks:
                        last = [chunk async for chunk in chunks][-1]
                    assert last.done
                else:
                    last = await m.chat("tiny", "Hello", num_predict=8, **BRIEF)
                answered.append(m.status().pid)

        talks = [asyncio.ensure_future(talk(stream)) for stream in (True, True, False)]
        try:
            for round_, (keep_alive, parallel) in enumerate((("17m", 2), ("18m", 3)), 1):
                before = m.status().pid
                file(f'keep_alive = "{keep_alive}"\nnum_parallel = {parallel}')
                event = await heard.until("config.reloaded", round_)
                assert {change.key for change in event.changes} == {
                    "server.keep_alive",
                    "server.num_parallel",
                }
                pid = m.status().pid
                assert pid != before
                told = environ(pid)
                assert told["OLLAMA_KEEP_ALIVE"] == keep_alive
                assert told["OLLAMA_NUM_PARALLEL"] == str(parallel)
                await until(lambda pid=pid: answered.count(pid) >= 4, "answers of the new server")
        finally:
            over.set()
            done = await asyncio.gather(*talks, return_exceptions=True)
        assert done == [None] * 3, "nothing was lost"
        assert heard.names == ["config.reloaded"] * 2


async def test_settings_that_ollama_refuses_are_rolled_back(
    new_manager: Callable[..., Any], file: Callable[..., Path]
) -> None:
    async with new_manager(config_file=file("num_parallel = 1")) as m:
        heard = Heard(m, "config.rolled_back")
        await m.start_server()
        bad = file("num_parallel = 2", extra=', HOME = ""')  # Ollama panics without a home
        assert bad.exists()
        event = await heard.until("config.rolled_back")
        assert isinstance(event.error, ServerStartError)
        assert m.config.server.num_parallel == 1
        assert m.status().state == "ready"
        assert environ(m.status().pid)["OLLAMA_NUM_PARALLEL"] == "1"
        assert (await m.chat("tiny", "Hello", num_predict=2, **BRIEF)).done
