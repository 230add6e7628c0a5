"""One call to the server: its id, attempts, deadline, events and log records. No I/O."""

from __future__ import annotations

import itertools
import os
import time
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from manager.context import explain_full_context
from manager.errors import ModelNotFoundError, OllamaManagerError, ResponseDecodeError
from manager.events import (
    RequestCancelled,
    RequestFailed,
    RequestFinished,
    RequestRetried,
    RequestStarted,
)
from manager.failures import error_from_transport, timeout_error
from manager.hold import Hold
from manager.in_flight import Waiting
from manager.retry import decide

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ollama_api.types import Request

    from manager.config import RetryConfig
    from manager.events import Events
    from manager.logs import CallLog
    from manager.ndjson import LineTooLongError
    from manager.timeouts import ResolvedTimeouts
    from manager.turns import Turn

__all__ = ["Call"]

T = TypeVar("T")

# The system may wake up a little early.
_TICK = 0.01

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
        events: Who wants to hear of it.
        log: Where it is written down.
    """

    def __init__(
        self,
        request: Request[T],
        *,
        model: str | None,
        timeouts: ResolvedTimeouts,
        policy: RetryConfig,
        events: Events,
        log: CallLog,
    ) -> None:
        self.request = request
        self.timeouts = timeouts
        self.request_id: str = f"{_prefix}-{next(_numbers)}"
        self.attempts: int = 0
        self.repeatable: bool = True
        self.hold: Hold = Hold()  # of the connection that it was sent on
        self.turn: Turn | None = None  # to have a connection
        self.head_waits: bool = False  # what is sent next is a head, and is to wait for its body
        self._tried: list[dict[str, Any]] = []
        self._failures = 0
        self._waited = 0.0  # for the server to be ready
        self.absence_is_answer: bool = False
        # what the caller is to get for the error that ends the call
        self.outcome: Callable[[OllamaManagerError], OllamaManagerError] = _as_it_is
        # of the server that answers, if it is known
        self.context_length: int | None = None
        # a stream's answer so far, for the log
        self.gathered: Callable[[], object] = _nothing
        self.over: bool = False  # its end has been told
        self._written = 0  # the last attempt whose answer is in the log
        self._model = model
        self._policy = policy
        self._events = events
        self._log = log
        self._began = time.monotonic()
        self._failing_since: float | None = None
        self._body: bytes | None = None

    @property
    def model(self) -> str | None:
        """The model that the call is about."""
        return self._model

    @property
    def context(self) -> dict[str, Any]:
        """What every error of this call says about it."""
        return {
            "model": self._model,
            "endpoint": f"{self.request.method} {self.request.path}",
            "request_id": self.request_id,
        }

    @property
    def body(self) -> bytes | None:
        """The encoded JSON body; made once, however many attempts there are."""
        if self._body is None and self.request.json is not None:
            self._body = msgspec.json.encode(self.request.json)
        return self._body

    def remaining(self) -> float | None:
        """Return the seconds that are left of the total limit, or ``None`` without one.

        Raises:
            RequestTimeoutError: Nothing is left.
        """
        left = self.left()
        if left is not None and left <= 0:
            raise self.timed_out("total")
        return left

    def left(self) -> float | None:
        """Return the seconds that are left of the total limit; negative once it has passed."""
        total = self.timeouts.total
        return None if total is None else total - (time.monotonic() - self._began)

    def left_for_head(self) -> float | None:
        """Return the seconds in which the answer has to begin, or ``None`` without a limit."""
        left, limit, since = self.left(), self.timeouts.first_token, self.hold.asked_at
        if limit is None or since is None:
            return left
        first = limit - (time.monotonic() - since)
        return first if left is None else min(left, first)

    def within(self, seconds: float | None) -> float | None:
        """Return the smaller of a limit and what is left of the total one.

        Raises:
            RequestTimeoutError: Nothing is left of the total one.
        """
        return min(
            (limit for limit in (self.remaining(), seconds) if limit is not None), default=None
        )

    def lost(
        self, error: Exception, *, answering: bool, connections: int | None = None
    ) -> OllamaManagerError:
        """Return what an exception of httpx means.

        Args:
            error: The exception.
            answering: Whether the answer had begun.
            connections: How many there may be at once.
        """
        meant = error_from_transport(
            error,
            self.timeouts,
            answering=answering,
            connections=connections,
            attempts=self.attempts,
            **self.context,
        )
        left = self.left()
        if left is not None and left < _TICK and meant.code != "connections_in_use":
            return self.timed_out("total")
        return meant

    def timed_out(self, which: str) -> OllamaManagerError:
        """Return the error for a limit that passed."""
        return timeout_error(which, self.timeouts, attempts=self.attempts, **self.context)

    def waited(self, seconds: float) -> None:
        """Note a wait that the budget of retries does not count."""
        self._waited += seconds

    def resend(self) -> None:
        """End the connection on which the answer is waited for: the request is sent again."""
        self.hold.hang_up_unanswered(self.waited)  # in vain, and for no fault of its own

    def end_turn(self) -> None:
        """Let another call have a connection: this one's has been given back, or is not wanted."""
        turn, self.turn = self.turn, None
        if turn is not None:
            turn.end()

    def waiting(self) -> Waiting | None:
        """Return for how long the answer has been waited for, if it is now."""
        since = self.hold.asked_at
        if since is None:
            return None
        return Waiting(self.request.operation_id, self._model, since, begun=False)

    def begin_attempt(self, headers: Mapping[str, str]) -> None:
        """Note that the request is sent now, with these headers."""
        self.attempts += 1
        if self.attempts == 1 and self._events.active:
            context = self.context
            self._events.emit(
                RequestStarted(
                    request_id=self.request_id,
                    endpoint=context["endpoint"],
                    model=self._model,
                )
            )
        if self._log.calls:
            self._log.request(
                self.request_id,
                self.request.operation_id,
                self.request.method,
                self.request.path,
                attempt=self.attempts,
                model=self._model,
                headers=headers,
                body=self.request.json,
            )

    def note_error(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        """Write down an answer that says that this attempt failed."""
        self._written = self.attempts
        if self._log.calls:
            self._log.response(
                self.request_id,
                self.request.operation_id,
                status=status,
                seconds=time.monotonic() - self._began,
                attempt=self.attempts,
                received=len(content),
                headers=headers,
                body=_readable(content) if self._log.bodies else None,
            )

    def delay_after(self, error: OllamaManagerError, *, supervised: bool) -> float:
        """Return the seconds to wait before the request is sent again.

        Args:
            error: What the last attempt ended with.
            supervised: Whether the next attempt waits until the server is known to be ready.

        Raises:
            OllamaManagerError: ``outcome`` of ``error``, when it is not sent again.
        """
        if self.over:  # its stream was closed meanwhile
            raise error
        if self.absence_is_answer and self.is_absence(error):
            self.finish(404, 0, {}, None)
            raise error
        self._failures += 1  # one that was not even sent, for want of a server, counts too
        now = time.monotonic()
        elapsed = now - self._began
        if self._failing_since is None:
            self._failing_since, self._waited = now, 0.0
        self._tried.append(
            {
                "attempt": self.attempts,
                "code": error.code,
                "message": error.message,
                "after_seconds": round(elapsed, 3),
                **({} if error.status_code is None else {"status_code": error.status_code}),
            }
        )
        decision = decide(
            self._policy,
            error,
            attempt=self._failures,
            elapsed=now - self._failing_since - self._waited,
            repeatable=self.repeatable,
            supervised=supervised,
        )
        if decision.delay is None or not self._is_in_time(elapsed + decision.delay):
            last = self.outcome(error)
            if supervised and self._failures > 1 and self._was_lost_each_time():
                again = f"{last.hint}; " if last is not error and last.hint else ""
                last.hint = f"{again}the server was lost each time: server_log() may tell why"
            self.fail(last)
            if last is error:
                raise error
            raise last from error
        if self._events.active:
            self._events.emit(
                RequestRetried(
                    request_id=self.request_id,
                    endpoint=self.context["endpoint"],
                    model=self._model,
                    attempt=self.attempts,
                    delay=decision.delay,
                    error=error,
                )
            )
        self._log.retry(
            self.request_id,
            self.request.operation_id,
            attempt=self.attempts,
            delay=decision.delay,
            reason=decision.reason,
        )
        return decision.delay

    def _is_in_time(self, elapsed: float) -> bool:
        return self.timeouts.total is None or elapsed < self.timeouts.total

    def note_progress(self) -> None:
        """Note that an attempt came further than all before: the retries are counted afresh."""
        self._failures = 0
        self._failing_since = None

    def was_done_before(self, error: OllamaManagerError) -> bool:
        """Whether what is to be deleted is gone because of an attempt whose answer was lost."""
        return (
            self.request.operation_id == "delete_model"
            and error.status_code == 404
            and any(
                tried["code"] == "connection_lost" or tried.get("status_code") in _LEFT_OPEN
                for tried in self._tried
            )
        )

    def is_absence(self, error: OllamaManagerError) -> bool:
        """Whether Ollama says that what was asked for is not there; a proxy's 404 does not."""
        if self.request.operation_id == "blob_exists":  # answered without a body to tell by
            return error.status_code == 404
        return isinstance(error, ModelNotFoundError)

    def _was_lost_each_time(self) -> bool:
        return all(tried["code"] == "connection_lost" for tried in self._tried)

    def fail(self, error: OllamaManagerError) -> None:
        """Note that the call ended with ``error``; how it ended is told once."""
        error.attempts = self.attempts
        error.request_id = self.request_id
        if self.over:
            return
        self.over = True
        if len(self._tried) > 1:
            error.details["tried"] = self._tried
            for tried in self._tried:
                error.add_note("attempt {attempt}, {after_seconds} s: {message}".format(**tried))
        if self._events.active:
            self._events.emit(
                RequestFailed(
                    request_id=self.request_id,
                    endpoint=self.context["endpoint"],
                    model=self._model,
                    attempts=self.attempts,
                    seconds=time.monotonic() - self._began,
                    error=error,
                )
            )
        self._log.failure(
            self.request_id,
            self.request.operation_id,
            error,
            seconds=time.monotonic() - self._began,
            attempts=self.attempts,
            body=_as_json(self.gathered()) if self._log.bodies else None,
        )

    def __enter__(self) -> None:
        """Have the end of the call told if something other than our errors ends this block."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None and not isinstance(error, OllamaManagerError):
            self.cancel(type(error).__name__)

    def cancel(self, reason: str) -> None:
        """Note that its caller gave the call up; how it ended is told once.

        Args:
            reason: The class of what ended it, or ``forgotten``.
        """
        if self.over:
            return
        self.over = True
        seconds = time.monotonic() - self._began
        if self._events.active:
            self._events.emit(
                RequestCancelled(
                    request_id=self.request_id,
                    endpoint=self.context["endpoint"],
                    model=self._model,
                    attempts=self.attempts,
                    seconds=seconds,
                    reason=reason,
                )
            )
        self._log.cancelled(
            self.request_id,
            self.request.operation_id,
            reason=reason,
            seconds=seconds,
            attempts=self.attempts,
            body=_as_json(self.gathered()) if self._log.bodies else None,
        )

    def finish(self, status: int, size: int, headers: Mapping[str, str], answer: object) -> None:
        """Note that the call was answered, in full or as far as its caller wanted.

        Args:
            status: The HTTP status.
            size: The size of the body in bytes.
            headers: The headers of the answer.
            answer: The decoded answer, of a stream the last line.
        """
        if self.over:
            return
        self.over = True
        if notice := explain_full_context(self.request.json, answer, self.context_length):
            self._log.notice(self.request_id, self.request.operation_id, notice)
        seconds = time.monotonic() - self._began
        if self._events.active:
            self._events.emit(
                RequestFinished(
                    request_id=self.request_id,
                    endpoint=self.context["endpoint"],
                    model=self._model,
                    attempts=self.attempts,
                    seconds=seconds,
                )
            )
        if self._log.calls and self._written != self.attempts:
            self._log.response(
                self.request_id,
                self.request.operation_id,
                status=status,
                seconds=seconds,
                attempt=self.attempts,
                received=size,
                tokens_per_second=_tokens_per_second(answer),
                headers=headers,
                body=_as_json(self.gathered() or answer) if self._log.bodies else None,
            )

    def decode(self, content: bytes) -> T:
        """Return the result that the whole body of a good answer means.

        Raises:
            ResponseDecodeError: It is no valid JSON, or not what the spec promises.
        """
        if self.request.expects == "json":
            return self.typed(self.parse(content), content)
        return self.typed(content if self.request.expects == "text" else None, content)

    def parse(self, content: bytes) -> object:
        """Return the data of a JSON document that the server sent, ``None`` for an empty one.

        Raises:
            ResponseDecodeError: It is no valid JSON.
        """
        try:
            return msgspec.json.decode(content) if content else None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise self._undecodable(content, error) from error

    def typed(self, data: object, content: bytes) -> T:
        """Return the typed form of ``data``; ``content`` is what it was parsed from.

        Raises:
            ResponseDecodeError: It is not what the spec promises.
        """
        try:
            return self.request.decode(data)
        except ValueError as error:  # SpecError
            raise self._undecodable(content, error) from error

    def line_too_long(self, error: LineTooLongError) -> ResponseDecodeError:
        """Return the error for a stream with a line that does not end."""
        return ResponseDecodeError(
            f"the server's answer cannot be read: {error}",
            hint="is `host` an Ollama server? none sends lines as long as this",
            attempts=self.attempts,
            **self.context,
        )

    def _undecodable(self, content: bytes, error: Exception) -> ResponseDecodeError:
        return ResponseDecodeError(
            f"the server's answer cannot be read: {error}",
            hint="is `host` an Ollama server, and is this package as new as it?",
            text=content[:500].decode("utf-8", "replace"),
            attempts=self.attempts,
            **self.context,
        )


def _as_it_is(error: OllamaManagerError) -> OllamaManagerError:
    return error


def _nothing() -> None:
    return None


def _as_json(answer: object) -> object:
    to_dict = getattr(answer, "to_dict", None)
    return to_dict() if callable(to_dict) else None


def _readable(content: bytes) -> object:
    try:
        return msgspec.json.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return content.decode("utf-8", "replace")


def _tokens_per_second(answer: object) -> float | None:
    tokens = getattr(answer, "eval_count", None)
    nanoseconds = getattr(answer, "eval_duration", None)
    return tokens / nanoseconds * 1e9 if tokens and nanoseconds else None
