"""What a test may have the simulator do with a request: the words that both of them use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

UPLOADS = "/api/blobs/"
"""Requests below this path carry files: they are told of without their bodies."""

Ending = Literal["", "error", "cut", "hang", "crash"]
"""How an answer ends before its time; ``""`` is not at all."""


class Told(NamedTuple):
    """A request, as a director is told of it before it is answered."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class Scripted(NamedTuple):
    """What a model is to say, in place of what the simulator would make up."""

    pieces: tuple[str, ...] = ()
    """The text; the pieces of a streamed answer if there is more than one."""
    thinking: str = ""
    tool_calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    """Names of tools with their arguments."""
    done_reason: str = "stop"


class Plan(NamedTuple):
    """What becomes of a request."""

    delay: float = 0.0
    """Seconds before anything is done about it."""
    pause: float = 0.0
    """Seconds before each line of a streamed answer."""
    ending: Ending = ""
    after: int = 0
    """Lines of a streamed answer that are sent before the ending."""
    status: int = 500
    """Of an error that comes in place of an answer."""
    message: str = ""
    scripted: Scripted | None = None


class Director(Protocol):
    """Is told of every request, from the thread that answers it, and decides about it."""

    def direct(self, told: Told) -> Plan:
        """Decide what becomes of a request."""
        ...
