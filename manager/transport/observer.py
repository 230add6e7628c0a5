"""What the program is told of one call: its events and its log records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from manager.context import explain_full_context
from manager.events import (
    RequestCancelled,
    RequestFailed,
    RequestFinished,
    RequestRetried,
    RequestStarted,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ollama_api.types import Request

    from manager.errors import OllamaManagerError
    from manager.events import Events
    from manager.logs import CallLog
    from manager.transport.retry import RetryDecision

__all__ = ["CallObserver"]


class CallObserver:
    """Reports one call; each of its ends only once.

    Args:
        request: What is sent.
        request_id: What ties the events and records of the call together.
        model: The model that the call is about.
        events: Gets the events.
        log: Gets the records.

    Attributes:
        is_over: Whether the end of the call was reported.
        gathered: Returns a stream's answer so far, for the log.
        context_length: The default context of the server that answers, if it is known.
    """

    __slots__ = (
        "_events",
        "_log",
        "_logged_attempt",
        "_model",
        "_request",
        "_request_id",
        "context_length",
        "gathered",
        "is_over",
    )

    def __init__(
        self,
        request: Request[Any],
        request_id: str,
        model: str | None,
        events: Events,
        log: CallLog,
    ) -> None:
        self._request = request
        self._request_id = request_id
        self._model = model
        self._events = events
        self._log = log
        self._logged_attempt = 0  # the last one whose answer is in the log
        self.is_over: bool = False
        self.gathered: Callable[[], object] = _nothing
        self.context_length: int | None = None

    @property
    def _of_call(self) -> dict[str, Any]:
        """The fields that all events have in common."""
        endpoint = f"{self._request.method} {self._request.path}"
        return {"request_id": self._request_id, "endpoint": endpoint, "model": self._model}

    def attempt(self, number: int, headers: Callable[[], Mapping[str, str]]) -> None:
        """Report that the request is sent now.

        Args:
            number: Which attempt it is, from 1.
            headers: Returns the header fields that are sent.
        """
        if number == 1 and self._events.active:
            self._events.emit(RequestStarted(**self._of_call))
        if self._log.calls:
            request = self._request
            self._log.request(
                self._request_id,
                request.operation_id,
                request.method,
                request.path,
                attempt=number,
                model=self._model,
                headers=headers(),
                body=request.json,
            )

    def refused(
        self, attempt: int, status: int, headers: Mapping[str, str], body: bytes, seconds: float
    ) -> None:
        """Report an answer that says that this attempt failed."""
        self._logged_attempt = attempt
        if self._log.calls:
            self._log.response(
                self._request_id,
                self._request.operation_id,
                status=status,
                seconds=seconds,
                attempt=attempt,
                received=len(body),
                headers=headers,
                body=_readable(body) if self._log.bodies else None,
            )

    def retried(self, attempt: int, decision: RetryDecision, error: OllamaManagerError) -> None:
        """Report that the request will be sent again."""
        delay = decision.delay or 0.0
        if self._events.active:
            self._events.emit(
                RequestRetried(**self._of_call, attempt=attempt, delay=delay, error=error)
            )
        self._log.retry(
            self._request_id,
            self._request.operation_id,
            attempt=attempt,
            delay=delay,
            reason=decision.reason,
        )

    def failed(self, attempts: int, seconds: float, error: OllamaManagerError) -> None:
        """Report that the call ended with an error."""
        self.is_over = True
        if self._events.active:
            self._events.emit(
                RequestFailed(**self._of_call, attempts=attempts, seconds=seconds, error=error)
            )
        self._log.failure(
            self._request_id,
            self._request.operation_id,
            error,
            seconds=seconds,
            attempts=attempts,
            body=self._gathered_json(None),
        )

    def cancelled(self, attempts: int, seconds: float, reason: str) -> None:
        """Report that the caller gave the call up.

        Args:
            attempts: How often the request was sent.
            seconds: How long the call took.
            reason: The class of what ended it, or ``forgotten``.
        """
        if self.is_over:
            return
        self.is_over = True
        if self._events.active:
            self._events.emit(
                RequestCancelled(**self._of_call, attempts=attempts, seconds=seconds, reason=reason)
            )
        self._log.cancelled(
            self._request_id,
            self._request.operation_id,
            reason=reason,
            seconds=seconds,
            attempts=attempts,
            body=self._gathered_json(None),
        )

    def finished(
        self,
        attempts: int,
        seconds: float,
        *,
        status: int,
        size: int,
        headers: Mapping[str, str],
        answer: object,
    ) -> None:
        """Report that the call was answered, in full or as far as its caller wanted.

        Args:
            attempts: How often the request was sent.
            seconds: How long the call took.
            status: The HTTP status.
            size: The size of the body in bytes.
            headers: The header fields of the answer.
            answer: The decoded answer, of a stream the last line.
        """
        if self.is_over:
            return
        self.is_over = True
        if notice := explain_full_context(self._request.json, answer, self.context_length):
            self._log.notice(self._request_id, self._request.operation_id, notice)
        if self._events.active:
            self._events.emit(RequestFinished(**self._of_call, attempts=attempts, seconds=seconds))
        if self._log.calls and self._logged_attempt != attempts:
            self._log.response(
                self._request_id,
                self._request.operation_id,
                status=status,
                seconds=seconds,
                attempt=attempts,
                received=size,
                tokens_per_second=_tokens_per_second(answer),
                headers=headers,
                body=self._gathered_json(answer),
            )

    def _gathered_json(self, answer: object) -> object:
        if not self._log.bodies:
            return None
        to_dict = getattr(self.gathered() or answer, "to_dict", None)
        return to_dict() if callable(to_dict) else None


def _nothing() -> None:
    return None


def _readable(content: bytes) -> object:
    try:
        return msgspec.json.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return content.decode("utf-8", "replace")


def _tokens_per_second(answer: object) -> float | None:
    tokens = getattr(answer, "eval_count", None)
    nanoseconds = getattr(answer, "eval_duration", None)
    return tokens / nanoseconds * 1e9 if tokens and nanoseconds else None
