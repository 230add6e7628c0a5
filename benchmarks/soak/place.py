"""Where a soak runs: the stage of the tests, with a model that every server program has."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.program import private_place
from tests.process.stage import Stage, played

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["soaked"]

_MODEL = "soak"


@asynccontextmanager
async def soaked(words: list[str]) -> AsyncIterator[tuple[Stage, str]]:
    """Set a stage for a server program, and take everything away afterwards.

    Args:
        words: The server program.

    Yields:
        The stage, and what the server is called, such as ``Ollama 0.24.0``.
    """
    with private_place(words) as place:
        folder = Path(place.home)
        os.environ["XDG_STATE_HOME"] = place.home
        env = {"OLLAMA_SIMULATOR_TOKEN_SECONDS": "0.02", "HTTPS_PROXY": "http://127.0.0.1:9"}
        stage = Stage(
            "async",
            "simulated",
            words,
            folder,
            tokens=50,
            models=folder / "models",
            watch=False,
            env=env,
        )
        async with played(stage):
            async with stage.make() as m:
                version = await m.version()
                if "simulated" in version:
                    name = f"the simulator ({version})"
                else:
                    name = f"Ollama {version}"
                    stage.model = _MODEL
                    await m.create_model(_MODEL, files=_write_model(folder))
            yield stage, name


def _write_model(folder: Path) -> Path:
    from tests.live.tiny_model import SLOW, write_tiny_model

    return write_tiny_model(folder / "soak.gguf", SLOW)
