"""A simulated Ollama: the whole REST API, a child process per model, and no model at all.

As a program: ``python -m manager.simulator serve`` takes ``OLLAMA_HOST`` and its relatives as
``ollama serve`` does (`manager.simulator.environment` lists them). From Python, for tests and
demonstrations: `SimulatedServer`.

Every answer says that it is simulated, and depends on the request alone. In a prompt, "write 500
words" asks for a long answer, and a word of a tool's name has that tool called. The hub has every
model but those with ``missing``, ``no-such`` or the like in their names; what a model can do shows
in its name (``embed``, ``llava``, ``qwen3``, ``code``).

What differs from a real server, as compared with v0.33.0-rc2:

- there are no ``/v1`` endpoints, and no files: models and blobs live in memory, paths in texts are
  relative, and a restart forgets all;
- a pull or push never leaves the machine: any registry is the simulated hub;
- without ``OLLAMA_NUM_PARALLEL`` a model writes any number of answers at once;
- ``/api/ps`` never shows a model whose runner has died;
- runners of a killed server end by themselves after ``OLLAMA_SIMULATOR_ORPHAN_SECONDS``;
- an over-long chat is cut silently, as for models with a Go template;
- ``/api/embeddings`` gives the vector of length one that ``/api/embed`` gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from manager.simulator.process import SimulatedServer

__all__ = ["SimulatedServer"]


def __getattr__(name: str) -> Any:
    # Lazy: the program and its runners start without what only tests need.
    if name == "SimulatedServer":
        from manager.simulator.process import SimulatedServer

        return SimulatedServer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
