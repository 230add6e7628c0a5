"""One call to the server: its request, its attempts so far, and how it ends. No I/O."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from manager.errors import ModelNotFoundError, OllamaManagerError
from manager.transport.deadlines import Deadlines
from manager.transport.error_mapping import error_from_transport, timeout_error
from manager.transport.exceptions import ConnectionsInUse
from manager.transport.observer import CallObserver
from manager.transport.retry import RetryHistory, decide

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import NoReturn

    from ollama_api.types import Request

    from manager.config import RetryConfig
    from manager.events import Events
    from manager.logs import CallLog
    from manager.timeouts import ResolvedTimeouts
    from manager.transport.exceptions import TransportError

__all__ = ["Call"]

T = TypeVar("T")

# Statuses after which a request may have been carried out all the same.
_LEFT_OPEN = frozenset({408, 502, 504})

_prefix = os.urandom(3).hex()
_numbers = itertools.count(1)


class Call(Generic[T]):
    """What is known of a call from its first attempt to its end.

    Args:
        request: What is sent.
        model: The model that the call is about, for errors and events.
        timeouts: The limits that are in force.
        policy: When it is sent again.
        events: Gets its events.
        log: Gets its records.
        absence_is_answer: Whether "there is none" (404) is an answer like any other.

    Attributes:
        attempts: How often the request was sent.
        observer: Reports the call.
        deadlines: How long each step may take.
    """

    __slots__ = (
        "__weakref__",
        "_absence_is_answer",
        "_body",
        "_history",
        "_outcome",
        "_policy",
        "_repeatable",
        "attempts",
        "deadlines",
        "model",
        "observer",
        "request",
        "request_id",
    )

    def __init__(
        self,
        request: Request[T],
        *,
        model: str | None,
        timeouts: ResolvedTimeouts,
        policy: RetryConfig,
        events: Events,
        log: CallLog,
        absence_is_answer: bool = False,
    ) -> None:
        self.request = request
        self.model = model
        self.request_id: str = f"{_prefix}-{next(_numbers)}"
        self.attempts: int = 0
        self.deadlines: Deadlines = Deadlines(timeouts)
        self.observer: CallObserver = CallObserver(request, self.request_id, model, events, log)
        self._policy = policy
        self._absence_is_answer = absence_is_answer
        self._outcome: Callable[[OllamaManagerError], OllamaManagerError] = _as_it_is
        self._repeatable = True
        self._history = RetryHistory()
        self._body: bytes | None = None

    # What it is

    @property
    def context(self) -> dict[str, Any]:
        """What every error of this call says about it."""
        return {
            "model": self.model,
            "endpoint": f"{self.request.method} {self.request.path}",
            "request_id": self.request_id,
        }

    @property
    def body(self) -> bytes:
        """The encoded JSON body, empty without one; made once, however many attempts there are."""
        if self._body is None:
            json = self.request.json
            self._body = b"" if json is None else msgspec.json.encode(json)
        return self._body

    @property
    def is_over(self) -> bool:
        """Whether the end of the call was reported."""
        return self.observer.is_over

    # Limits

    def remaining(self) -> float | None:
        """Return the seconds that are left of the total limit, or None without one.

        Raises:
            RequestTimeoutError: Nothing is left.
        """
        left = self.deadlines.left()
        if left is not None and left <= 0:
            raise self.timed_out("total")
        return left

    def timed_out(self, which: str) -> OllamaManagerError:
        """Return the error for a limit that passed; ``which`` is a field of ``Timeouts``."""
        timeouts = self.deadlines.timeouts
        return timeout_error(which, timeouts, attempts=self.attempts, **self.context)

    def waited(self, seconds: float) -> None:
        """Note a wait that the budget of retries does not count."""
        self._history.waited += seconds

    # Attempts

    def begin_attempt(self, headers: Callable[[], Mapping[str, str]]) -> None:
        """Note that the request is sent now; ``headers`` returns the fields that are sent."""
        self.attempts += 1
        self.observer.attempt(self.attempts, headers)

    def lost(
        self, error: TransportError, *, answering: bool, connections: int | None = None
    ) -> OllamaManagerError:
        """Return what a failure of the transport means for the caller.

        Args:
            error: The failure.
            answering: Whether the stream of the answer had begun.
            connections: How many there may be at once.
        """
        if self.deadlines.is_over() and not isinstance(error, ConnectionsInUse):
            return self.timed_out("total")
        return error_from_transport(
            error,
            self.deadlines.timeouts,
            answering=answering,
            connections=connections,
            attempts=self.attempts,
            **self.context,
        )

    def delay_after(self, error: OllamaManagerError, *, supervised: bool) -> float:
        """Return the seconds to wait before the request is sent again.

        Args:
            error: What the last attempt ended with.
            supervised: Whether the next attempt waits until the server is known to be ready.

        Raises:
            OllamaManagerError: What the caller gets, when it is not sent again.
        """
        if self.is_over:  # its stream was closed meanwhile
            raise error
        if self._absence_is_answer and self.is_absence(error):
            self.finish(404, 0, {}, None)
            raise error
        history, elapsed = self._history, self.deadlines.elapsed()
        history.add(error, self.attempts, elapsed)
        decision = decide(
            self._policy,
            error,
            attempt=history.failures,
            elapsed=history.elapsed(elapsed),
            repeatable=self._repeatable,
            supervised=supervised,
        )
        total = self.deadlines.timeouts.total
        if decision.delay is None or not (total is None or elapsed + decision.delay < total):
            self._give_up(error, supervised)
        self.observer.retried(self.attempts, decision, error)
        return decision.delay

    def _give_up(self, error: OllamaManagerError, supervised: bool) -> NoReturn:
        last = self._outcome(error)
        if supervised and self._history.was_lost_each_time():
            again = f"{last.hint}; " if last is not error and last.hint else ""
            last.hint = f"{again}the server was lost each time: server_log() may tell why"
        self.fail(last)
        if last is error:
            raise error  # with the cause that it has
        raise last from error

    def note_progress(self) -> None:
        """Note that an attempt came further than all before: the retries are counted afresh."""
        self._history.restart()

    def has_begun(
        self, outcome: Callable[[OllamaManagerError], OllamaManagerError], *, repeatable: bool
    ) -> None:
        """Note that a part of the answer was handed over.

        Args:
            outcome: Returns what the caller gets for the error that ends the call.
            repeatable: Whether the request may be sent again all the same.
        """
        self._outcome, self._repeatable = outcome, repeatable

    def was_done_before(self, error: OllamaManagerError) -> bool:
        """Whether what is to be deleted is gone because of an attempt whose answer was lost."""
        return (
            self.request.operation_id == "delete_model"
            and error.status_code == 404
            and any(
                tried["code"] == "connection_lost" or tried.get("status_code") in _LEFT_OPEN
                for tried in self._history.tried
            )
        )

    def is_absence(self, error: OllamaManagerError) -> bool:
        """Whether Ollama says that what was asked for is not there; a proxy's 404 does not."""
        if self.request.operation_id == "blob_exists":  # answered without a body to tell by
            return error.status_code == 404
        return isinstance(error, ModelNotFoundError)

    # Its end, which is reported once

    def fail(self, error: OllamaManagerError) -> None:
        """Note that the call ended with ``error``."""
        error.attempts = self.attempts
        error.request_id = self.request_id
        if self.is_over:
            return
        self._history.explain(error)
        self.observer.failed(self.attempts, self.deadlines.elapsed(), error)

    def cancel(self, reason: str) -> None:
        """Note that its caller gave the call up.

        Args:
            reason: The class of what ended it, or ``forgotten``.
        """
        self.observer.cancelled(self.attempts, self.deadlines.elapsed(), reason)

    def finish(self, status: int, size: int, headers: Mapping[str, str], answer: object) -> None:
        """Note that the call was answered, in full or as far as its caller wanted.

        Args:
            status: The HTTP status.
            size: The size of the body in bytes.
            headers: The headers of the answer.
            answer: The decoded answer, of a stream the last line.
        """
        self.observer.finished(
            self.attempts,
            self.deadlines.elapsed(),
            status=status,
            size=size,
            headers=headers,
            answer=answer,
        )

    def __enter__(self) -> None:
        """Have the end of the call reported if something other than our errors ends this block."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None and not isinstance(error, OllamaManagerError):
            self.cancel(type(error).__name__)


def _as_it_is(error: OllamaManagerError) -> OllamaManagerError:
    return error
