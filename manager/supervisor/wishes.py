"""What a caller waits for, and how it is told."""

from __future__ import annotations

from concurrent.futures import InvalidStateError
from contextlib import suppress
from dataclasses import dataclass

from manager.errors import OllamaManagerError
from manager.supervisor import failures

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future
    from typing import Any

    from manager.supervisor.settings import ServerSettings
    from manager.supervisor.states import Snapshot

__all__ = ["Wish", "fail", "resolve"]


@dataclass(slots=True, eq=False)
class Wish:
    """A caller's wish for a ready server, or for a stopped one.

    Args:
        future: Where the outcome goes.
        mode: ``join``, ``rejoin``, ``start``, ``restart`` or ``stop``.
        attempts: How often a supervisor was asked for it.
        missing: Why there is no program to start.
        settings: What it was asked for with.
        change: How settings that are other ones than before are put in force, for the wire.
        accepted: Resolves when nobody has anything against them.
    """

    future: Future[Snapshot]
    mode: str
    attempts: int = 0
    missing: Exception | None = None
    settings: ServerSettings | None = None
    change: Mapping[str, Any] | None = None
    accepted: Future[None] | None = None

    @property
    def explicit(self) -> bool:
        """Whether the caller named what is to be done, rather than needing a server."""
        return self.mode not in ("join", "rejoin")

    def resolve(self, value: object) -> None:
        """Tell the caller how it went."""
        if self.accepted is not None:
            resolve(self.accepted, None)
        resolve(self.future, value)

    def fail(self, error: BaseException) -> None:
        """Tell the caller what went wrong."""
        if self.accepted is not None:
            fail(self.accepted, error)
        fail(self.future, error)


def resolve(future: Future[Any], value: object) -> None:
    """Give a future its result, unless the caller gave up waiting.

    Args:
        future: The future.
        value: Its result.
    """
    with suppress(InvalidStateError):
        future.set_result(value)


def fail(future: Future[Any], error: BaseException) -> None:
    """Give a future its error, unless the caller gave up waiting.

    Args:
        future: The future.
        error: Its error. Callers see only errors of this package: any other exception becomes
            the cause of one.
    """
    ours = error if isinstance(error, OllamaManagerError) else failures.link_failed(error)
    with suppress(InvalidStateError):
        future.set_exception(ours)
