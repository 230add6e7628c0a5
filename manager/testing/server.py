"""The server that tests use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manager.simulator.environment import DEFAULT_MODELS
from manager.simulator.routes import MODEL_PATHS, is_known
from manager.testing.hosts import ProcessHost, Setup, ThreadHost
from manager.testing.replies import Filter, Rule
from manager.testing.script import Script

if TYPE_CHECKING:
    import re
    from collections.abc import Collection, Mapping, Sequence
    from types import TracebackType

    from manager.testing.faults import Fault
    from manager.testing.hosts import Host
    from manager.testing.replies import Content, Function
    from manager.testing.requests import RecordedRequest


class OllamaServer:
    """A simulated Ollama at a free port of the loopback interface, for tests.

    It answers as the simulator does until `reply` says otherwise, fails when `fail_next` says so,
    and keeps a record of every request. Use it as a context manager, or call `start` and `stop`.

    Args:
        models: Names of the models that it has at the start; None for the usual two, ``simulated``
            and ``simulated-embed``. What a model can do shows in its name: ``embed``, ``llava``,
            ``qwen3``.
        token_seconds: Seconds that a token takes.
        load_seconds: Seconds that loading a model takes.
        pull_seconds: Seconds that a pull takes.
        process: Whether it is a process of its own, with a process for each model; else it is a
            thread of this one.
        env: Further variables of its environment, such as ``OLLAMA_MAX_QUEUE``.

    Example:
        >>> with OllamaServer(models=["llama3.2"]) as server:
        ...     server.reply("Hello!")
        ...     client = ollama.Client(server.base_url)
    """

    def __init__(
        self,
        *,
        models: Sequence[str] | None = None,
        token_seconds: float = 0.0,
        load_seconds: float = 0.0,
        pull_seconds: float = 0.0,
        process: bool = False,
        env: Mapping[str, str] | None = None,
    ) -> None:
        names = DEFAULT_MODELS.split(",") if models is None else models
        setup = Setup(tuple(names), token_seconds, load_seconds, pull_seconds, env or {})
        self._script = Script()
        kind = ProcessHost if process else ThreadHost
        self._host: Host = kind(setup, self._script)

    @property
    def host(self) -> str:
        """Address and port, in the form of ``OLLAMA_HOST``."""
        return f"127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        """The address as a URL, without a path."""
        return f"http://{self.host}"

    @property
    def port(self) -> int:
        """Where it listens; 0 before the first start."""
        return self._host.port

    @property
    def pid(self) -> int:
        """The process that it runs in."""
        return self._host.pid

    @property
    def is_running(self) -> bool:
        """Whether it listens: not before the start, after the stop, or after a crash."""
        return self._host.is_running

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

    def start(self) -> OllamaServer:
        """Start it, at the port that it had before if it had one.

        After a crash this is how it comes back, without what had been pulled in the meantime.

        Raises:
            ServerStartError: Its process did not start, or something else has its port by now.
        """
        self._host.stop()
        self._host.start()
        return self

    def stop(self) -> None:
        """Stop it, cutting every connection; does nothing if it is not there."""
        self._host.stop()

    def __enter__(self) -> OllamaServer:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def _checked(endpoint: str) -> Collection[str]:
    if not is_known(endpoint):
        raise ValueError(f"endpoint must be a path of Ollama's, not {endpoint!r}")
    return {endpoint}
