"""What is heard of a server that boots, and when that is reason enough to give it up."""

from __future__ import annotations

from manager.supervisor.causes import Cause
from manager.supervisor.probe import Verdict

__all__ = ["Booting"]

_PATIENCE = 2.0
_CHECK_BINARY = "Check `binary`: its `serve` has to be Ollama's."
_LOOK = "Look at its log, or raise `start_timeout`."


class Booting:
    """One server from its spawn to its first answer.

    Args:
        address: Where it should answer.
        timeout: Seconds that it has.
    """

    def __init__(self, address: str, timeout: float) -> None:
        self._address = address
        self._timeout = timeout
        self._last = Verdict.FREE
        self._another = False
        self._other_since: float | None = None

    def heard(self, verdict: Verdict, now: float, *, another: bool = False) -> Cause | None:
        """Take note of what a probe found.

        Args:
            verdict: What it found, other than the answer that is waited for.
            now: The time, in seconds.
            another: Whether the answer certainly came from a program that we did not start.

        Returns:
            Why it will never be ready; None while it may be.
        """
        self._last = verdict
        self._another = another
        if another or verdict is not Verdict.OTHER:
            self._other_since = None
        elif self._other_since is None:
            self._other_since = now
        elif now - self._other_since >= _PATIENCE:
            what = f"it answers at {self._address}, but not as Ollama does"
            return Cause("not_ollama", what, _CHECK_BINARY, permanent=True)
        return None

    def too_late(self) -> Cause:
        """Say what was seen of a server whose time is over."""
        begun = f"it did not answer within {self._timeout:g} s"
        if self._another:
            seen, hint = "another program has its port", "Free the port or choose another `host`."
        elif self._last is Verdict.OTHER:
            seen, hint = "what answered was not Ollama", _CHECK_BINARY
        elif self._last is Verdict.FREE:
            seen, hint = f"nothing listened at {self._address}", _LOOK
        else:
            seen, hint = f"{self._address} took connections, but gave no HTTP answer", _LOOK
        return Cause("start_timeout", f"{begun}: {seen}", hint)
