"""For other people's tests: a simulated Ollama that says what a test wants it to.

Installed next to pytest, the package has four fixtures, and nothing else of it is loaded until
one of them is used:

- `ollama_server`: an `OllamaServer` of the test's own, in a thread;
- `ollama_server_process`: the same in a process of its own;
- `ollama_program`: an `OllamaProgram`, for those who start the server themselves;
- `ollama_host`: sets ``OLLAMA_HOST`` to it for the time of the test.

Any client of Ollama may be pointed at it, and other test frameworks use `OllamaServer` as a
context manager. docs/testing.md has the rest.

Example:
    >>> from manager.testing import Busy, OllamaServer, ToolCall
    >>>
    >>> def test_the_forecast(ollama_server: OllamaServer) -> None:
    ...     ollama_server.reply("It is sunny.", matching="weather")
    ...     ollama_server.fail_next(Busy())
    ...     assert my_app.forecast(ollama_server.base_url) == "It is sunny."
    ...     assert ollama_server.requests[-1].prompt == "How is the weather?"
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from manager.testing.faults import Busy as Busy
    from manager.testing.faults import Combined as Combined
    from manager.testing.faults import Crash as Crash
    from manager.testing.faults import CutConnection as CutConnection
    from manager.testing.faults import ErrorResponse as ErrorResponse
    from manager.testing.faults import Fault as Fault
    from manager.testing.faults import Hang as Hang
    from manager.testing.faults import Latency as Latency
    from manager.testing.faults import StreamError as StreamError
    from manager.testing.program import OllamaProgram as OllamaProgram
    from manager.testing.replies import Reply as Reply
    from manager.testing.replies import ToolCall as ToolCall
    from manager.testing.requests import RecordedRequest as RecordedRequest
    from manager.testing.server import OllamaServer as OllamaServer

__all__ = [
    "Busy",
    "Combined",
    "Crash",
    "CutConnection",
    "ErrorResponse",
    "Fault",
    "Hang",
    "Latency",
    "OllamaProgram",
    "OllamaServer",
    "RecordedRequest",
    "Reply",
    "StreamError",
    "ToolCall",
]

_MODULES = {
    "OllamaProgram": "program",
    "OllamaServer": "server",
    "RecordedRequest": "requests",
    "Reply": "replies",
    "ToolCall": "replies",
}


def __getattr__(name: str) -> Any:
    # Lazy: a test that only scripts replies loads no server.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'faults')}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
