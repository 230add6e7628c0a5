"""What a test may have a simulated Ollama say and do, and see of what it was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manager.simulator.routes import MODEL_PATHS, is_known
from manager.testing.replies import Filter, Rule
from manager.testing.script import Script

if TYPE_CHECKING:
    import re
    from collections.abc import Collection

    from manager.testing.faults import Fault
    from manager.testing.replies import Content, Function
    from manager.testing.requests import RecordedRequest


class ScriptedOllama:
    """The script and the record that `OllamaServer` and `OllamaProgram` have."""

    def __init__(self) -> None:
        self._script = Script()

    @property
    def requests(self) -> list[RecordedRequest]:
        """Every request so far, in the order in which they came."""
        return self._script.requests

    @property
    def errors(self) -> list[Exception]:
        """What the functions given to `reply` have raised; the fixtures raise the first."""
        return self._script.errors

    def reply(
        self,
        *contents: Content | Function,
        model: str | None = None,
        matching: str | re.Pattern[str] | None = None,
        times: int | None = None,
    ) -> None:
        """Have a model say something: in chats and completions, streamed or not.

        Of the rules that fit a request, the one that was given last counts.

        Args:
            contents: A text, a `Reply`, a `ToolCall`, a mapping (as JSON, for structured output),
                or a function that makes one of these of a `RecordedRequest`, or None to leave it
                to the rules before. Of several, each answers one request; the last one stays.
            model: Only to requests for this model.
            matching: Only if `re.search` finds this in `RecordedRequest.prompt`.
            times: To how many requests; None is to all.

        Raises:
            TypeError: There is no answer to be made of it.
            ValueError: No content, or no ``times``.

        Example:
            >>> server.reply("It is sunny.", matching="weather")
            >>> server.reply(ToolCall("get_weather", {"city": "Rome"}), "It is sunny.")
            >>> server.reply(lambda request: request.prompt.upper(), model="llama3.2")
        """
        self._script.add_rule(Rule(contents, model, matching, times))

    def fail_next(
        self,
        *faults: Fault,
        endpoint: str | None = None,
        model: str | None = None,
        matching: str | re.Pattern[str] | None = None,
    ) -> None:
        """Have requests fail: each fault befalls the next request that fits, in their order.

        Args:
            faults: Records of `manager.testing.faults`; ``&`` joins those that befall one request.
            endpoint: Only requests at this path; by default those that a model answers (chat,
                generate, embed).
            model: Only requests for this model.
            matching: Only if `re.search` finds this in `RecordedRequest.prompt`.

        Raises:
            TypeError: Something is no fault.
            ValueError: There is no fault, or Ollama has nothing at ``endpoint``.

        Example:
            >>> server.fail_next(Busy(times=2), CutConnection())
            >>> server.fail_next(Latency(0.2) & StreamError(after=3), model="llama3.2")
            >>> server.fail_next(Hang(), endpoint="/api/pull")
        """
        if not faults:
            raise ValueError("fail_next() needs at least one fault, such as Busy()")
        paths = MODEL_PATHS if endpoint is None else _checked(endpoint)
        self._script.add_faults(faults, Filter(model=model, matching=matching, endpoints=paths))

    def requests_to(self, endpoint: str) -> list[RecordedRequest]:
        """The requests so far at one path, in the order in which they came.

        Raises:
            ValueError: Ollama has nothing there.
        """
        fits = Filter(endpoints=_checked(endpoint))
        return [request for request in self.requests if fits(request)]

    def wait_for_requests(
        self, count: int = 1, *, endpoint: str | None = None, timeout: float = 10.0
    ) -> list[RecordedRequest]:
        """Wait for requests of a program that runs beside the test.

        Args:
            count: How many there must have been, counted from the start or `reset`.
            endpoint: Only those at this path.
            timeout: Seconds to wait at most.

        Returns:
            All that have come, `count` or more.

        Raises:
            TimeoutError: Fewer came in time.
        """
        fits = Filter(endpoints=None if endpoint is None else _checked(endpoint))
        return self._script.wait(fits, count, timeout)

    def reset(self) -> None:
        """Forget replies, faults and the record; models stay as they are."""
        self._script.reset()


def _checked(endpoint: str) -> Collection[str]:
    if not is_known(endpoint):
        raise ValueError(f"endpoint must be a path of Ollama's, not {endpoint!r}")
    return {endpoint}
