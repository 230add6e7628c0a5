"""The faults that a test may ask for: plain records; `manager.testing.plans` says what they do.

- `Latency`: the answer comes late, or slowly
- `Busy`, `ErrorResponse`: an error in place of an answer
- `StreamError`, `CutConnection`, `Hang`, `Crash`: the end of an answer, before or in the middle

``&`` joins faults that befall one request: ``Latency(0.2) & Busy()``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

_ENDED_BY_ITSELF = "an error was encountered while running the model: unexpected EOF"


@dataclass(frozen=True)
class Fault:
    """What befalls a request; one of the classes below.

    Args:
        times: How many requests it befalls; None is all from now on.
    """

    times: int | None = field(default=1, kw_only=True)

    def __post_init__(self) -> None:
        if self.times is not None and self.times < 1:
            raise ValueError(f"times must be 1 or more, or None for ever; it is {self.times}")
        for name in ("after", "seconds", "per_token"):
            value = getattr(self, name, 0)
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} must not be negative or infinite; it is {value}")

    def __and__(self, other: Fault) -> Combined:
        """Both befall the same request."""
        return Combined((*_parts(self), *_parts(other)), times=_longer(self.times, other.times))


@dataclass(frozen=True)
class Combined(Fault):
    """Faults that befall one request together; made with ``&``.

    Raises:
        ValueError: More than one of them is an end of the answer.
    """

    faults: tuple[Fault, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        ends = [type(fault).__name__ for fault in self.faults if not isinstance(fault, Latency)]
        if len(ends) > 1:
            raise ValueError(
                f"an answer ends only once: {' and '.join(ends)} cannot befall the same request; "
                "give them to fail_next one after the other"
            )


@dataclass(frozen=True)
class Latency(Fault):
    """The server takes its time.

    Args:
        seconds: Before it does anything about the request.
        per_token: Seconds before each line of a streamed answer.
    """

    seconds: float = 0.0
    per_token: float = 0.0


@dataclass(frozen=True)
class Busy(Fault):
    """The server has too many requests waiting: status 503, with Ollama's own words."""


@dataclass(frozen=True)
class ErrorResponse(Fault):
    """An error status in place of an answer.

    Args:
        status: From 400 on.
        message: What stands under ``error``.
    """

    status: int = 500
    message: str = "something went wrong"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 400 <= self.status <= 599:
            raise ValueError(f"status must be from 400 to 599; it is {self.status}")


@dataclass(frozen=True)
class StreamError(Fault):
    """The model fails at work: an error line ends the stream; status 500 without a stream.

    Args:
        after: Lines of the stream that come before it, or all but the last if there are fewer;
            0 gives status 500 in place of the stream.
        message: What stands under ``error``; by default, what Ollama says of a runner that died.
    """

    after: int = 1
    message: str = _ENDED_BY_ITSELF


@dataclass(frozen=True)
class CutConnection(Fault):
    """The connection ends.

    Args:
        after: Lines of the stream that come before it, or all but the last if there are fewer.
            Without a stream there is no answer at all.
    """

    after: int = 0


@dataclass(frozen=True)
class Hang(Fault):
    """Silence, with the connection open, until the client gives up or the server is stopped.

    Args:
        after: Lines of the stream that come before it, or all but the last if there are fewer.
    """

    after: int = 0


@dataclass(frozen=True)
class Crash(Fault):
    """The server dies: every connection is cut and nobody listens, until `OllamaServer.start`.

    Args:
        after: Lines of the stream that come before it, or all but the last if there are fewer.
    """

    after: int = 0


def _parts(fault: Fault) -> tuple[Fault, ...]:
    return fault.faults if isinstance(fault, Combined) else (fault,)


def _longer(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else max(first, second)
