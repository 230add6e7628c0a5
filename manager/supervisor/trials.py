"""Settings that a server is tried with: who wants them, and what is told if they do not do."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from manager.supervisor.settings import ServerSettings

    Asker = tuple[int, int]
    """The number of a client, and of its request."""

__all__ = ["Trials"]

# Managers that hear of a change later than others need not try it once more.
_REFUSED_SECONDS = 10.0


class Trials:
    """The trial that is under way, and the last one that failed."""

    def __init__(self) -> None:
        self._askers: set[Asker] = set()
        self._denied: dict[Asker, Mapping[str, Any]] = {}
        self._tried: tuple[object, ...] = ()
        self._refused: tuple[object, ...] = ()
        self._refusal: Mapping[str, Any] = {}
        self._refused_until = 0.0

    def join(self, asker: Asker) -> None:
        """Note who waits for settings that are tried."""
        self._askers.add(asker)

    def begin(self, asker: Asker, settings: ServerSettings) -> None:
        """Note who wants these settings tried.

        Args:
            asker: Who.
            settings: What is tried.
        """
        self._askers.add(asker)
        self._tried = _essence(settings)

    def failed(self, error: Mapping[str, Any], now: float) -> None:
        """Note that no server came up; who asked is told once it is back as it was.

        Args:
            error: Why.
            now: The monotonic clock, in seconds.
        """
        told = {**error, "rolled_back": True}
        self._denied |= dict.fromkeys(self._askers, told)
        self._askers.clear()
        self._refused, self._refusal = self._tried, told
        self._refused_until = now + _REFUSED_SECONDS

    def refusal(self, settings: ServerSettings, now: float) -> Mapping[str, Any] | None:
        """Return why these settings need not be tried: they have failed a moment ago.

        Args:
            settings: What would be tried.
            now: The monotonic clock, in seconds.
        """
        failed = self._refused == _essence(settings) and now < self._refused_until
        return self._refusal if failed else None

    def over(self) -> Mapping[Asker, Mapping[str, Any]]:
        """The server is up, or given up: return who is told of a failure all the same."""
        denied, self._denied = self._denied, {}
        self._askers.clear()
        return denied


def _essence(settings: ServerSettings) -> tuple[object, ...]:
    """Return what a server is started with."""
    return (settings.binary, dict(settings.env))
