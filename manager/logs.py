"""Logging of calls and answers: standard ``logging``, five levels, nothing secret.

ollama_manager           the logger of the package; silent unless the program configures logging
└── ollama_manager.calls   what this module writes: requests, answers, retries, failures
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from manager.log_output import LEVELS, JsonLinesFormatter, check_level, configure_logging
from manager.redaction import redact_headers, summarize_body

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from manager.config import Verbosity

__all__ = ["CallLog", "JsonLinesFormatter", "check_level", "configure_logging", "render_record"]

_calls = logging.getLogger("ollama_manager.calls")


class CallLog:
    """What one manager logs of its calls; each call keeps the one that it began with.

    Ask :attr:`calls` before collecting what only a log needs; each method asks again by itself.

    Args:
        level: ``off``, ``errors``, ``calls``, ``headers`` or ``bodies``.
        secret_headers: Names of headers whose values are never written down, besides those that
            are known to hold credentials.

    Attributes:
        errors: Whether retries and failures are logged.
        calls: Whether requests and answers are logged.
        headers: Whether their headers are.
        bodies: Whether their bodies are, prompts included.
    """

    __slots__ = ("_secret_headers", "bodies", "calls", "errors", "headers")

    errors: bool
    calls: bool
    headers: bool
    bodies: bool

    def __init__(self, level: Verbosity = "errors", secret_headers: Iterable[str] = ()) -> None:
        rank = LEVELS.index(level)
        self._secret_headers = frozenset(name.lower() for name in secret_headers)
        self.errors, self.calls, self.headers, self.bodies = (rank >= at for at in range(1, 5))

    def request(
        self,
        request_id: str,
        operation: str,
        method: str,
        path: str,
        *,
        attempt: int = 1,
        model: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: object = None,
    ) -> None:
        """Log a request that is being sent.

        Args:
            request_id: What ties together the records of one call over its attempts.
            operation: The operation of the API, such as ``chat``.
            method: The HTTP method.
            path: The path of the URL.
            attempt: From 1.
            model: The model that it is about.
            headers: All headers; what is secret is left out here.
            body: The JSON of the body, or bytes.
        """
        if not self.calls:
            return
        facts: dict[str, Any] = {
            "request_id": request_id,
            "operation": operation,
            "method": method,
            "path": path,
            "attempt": attempt,
            "model": model,
        }
        self._emit(logging.INFO, "request", facts, headers, body)

    def response(
        self,
        request_id: str,
        operation: str,
        *,
        status: int,
        seconds: float,
        attempt: int = 1,
        received: int | None = None,
        tokens_per_second: float | None = None,
        headers: Mapping[str, str] | None = None,
        body: object = None,
    ) -> None:
        """Log an answer, at its end where it is a stream.

        Args:
            request_id: As in :meth:`request`.
            operation: As in :meth:`request`.
            status: The HTTP status.
            seconds: From the request to the end of the answer.
            attempt: From 1.
            received: The size of the body in bytes.
            tokens_per_second: How fast the model generated.
            headers: All headers; what is secret is left out here.
            body: The JSON of the answer, the gathered one where it is a stream.
        """
        if not self.calls:
            return
        facts: dict[str, Any] = {
            "request_id": request_id,
            "operation": operation,
            "status": status,
            "seconds": round(seconds, 6),
            "attempt": attempt,
            "bytes": received,
            "tokens_per_second": None if tokens_per_second is None else round(tokens_per_second, 2),
        }
        self._emit(logging.INFO, "response", facts, headers, body)

    def retry(
        self,
        request_id: str,
        operation: str,
        *,
        attempt: int,
        delay: float,
        reason: str,
    ) -> None:
        """Log that a request will be sent again.

        Args:
            request_id: As in :meth:`request`.
            operation: As in :meth:`request`.
            attempt: The attempt that failed.
            delay: Seconds until the next.
            reason: Why, such as the code of the error.
        """
        if not self.errors:
            return
        facts: dict[str, Any] = {
            "request_id": request_id,
            "operation": operation,
            "attempt": attempt,
            "delay": round(delay, 3),
            "reason": reason,
        }
        self._emit(logging.WARNING, "retry", facts)

    def notice(self, request_id: str, operation: str, message: str) -> None:
        """Log what a user would want to know of an answer that is no failure.

        Args:
            request_id: As in :meth:`request`.
            operation: As in :meth:`request`.
            message: What it is, and what to do.
        """
        if self.errors:
            facts = {"request_id": request_id, "operation": operation, "message": message}
            self._emit(logging.WARNING, "notice", facts)

    def failure(
        self,
        request_id: str,
        operation: str,
        error: BaseException,
        *,
        seconds: float,
        attempts: int = 1,
        body: object = None,
    ) -> None:
        """Log that a call failed for good.

        Args:
            request_id: As in :meth:`request`.
            operation: As in :meth:`request`.
            error: What the caller gets; what it holds of an answer is not logged.
            seconds: How long the call took.
            attempts: How often the request was sent.
            body: The JSON of the answer as far as it came.
        """
        if not self.errors:
            return
        facts: dict[str, Any] = {
            "request_id": request_id,
            "operation": operation,
            "attempts": attempts,
            "seconds": round(seconds, 6),
            "error": type(error).__name__,
            "code": getattr(error, "code", None),
            "status": getattr(error, "status_code", None),
            "message": getattr(error, "message", None) or str(error),
        }
        self._emit(logging.WARNING, "failure", facts, body=body)

    def cancelled(
        self,
        request_id: str,
        operation: str,
        *,
        reason: str,
        seconds: float,
        attempts: int = 1,
        body: object = None,
    ) -> None:
        """Log that a call was given up by its caller.

        Args:
            request_id: As in :meth:`request`.
            operation: As in :meth:`request`.
            reason: The class of what ended it, such as ``CancelledError``.
            seconds: How long the call took.
            attempts: How often the request was sent.
            body: The JSON of the answer as far as it came.
        """
        if not self.calls:
            return
        facts: dict[str, Any] = {
            "request_id": request_id,
            "operation": operation,
            "attempts": attempts,
            "seconds": round(seconds, 6),
            "reason": reason,
        }
        self._emit(logging.INFO, "cancelled", facts, body=body)

    def _emit(
        self,
        level: int,
        kind: str,
        facts: dict[str, Any],
        headers: Mapping[str, str] | None = None,
        body: object = None,
    ) -> None:
        if not _calls.isEnabledFor(level):
            return
        if headers is not None and self.headers:
            facts["headers"] = redact_headers(headers, self._secret_headers)
        if body is not None and self.bodies:
            facts["body"] = summarize_body(body)
        call = {"event": kind} | {name: value for name, value in facts.items() if value is not None}
        _calls.log(level, "%s", _Line(call), extra={"ollama_call": call})


# Ends of a line for `str.splitlines` and for many viewers, that JSON leaves as they are.
_LINE_ENDS = {end: f"\\u{end:04x}" for end in (0x85, 0x2028, 0x2029)}


class _Line:
    """The text of a record, made when a handler asks for it."""

    __slots__ = ("_call",)

    def __init__(self, call: dict[str, Any]) -> None:
        self._call = call

    def __str__(self) -> str:
        return render_record(self._call)


def render_record(call: Mapping[str, Any]) -> str:
    """Return the facts of a record as one line: ``request chat request_id=... path=...``.

    Args:
        call: The facts by name; ``event`` and ``operation`` come first, without their names.
    """
    head = [str(call[name]) for name in ("event", "operation") if name in call]
    rest = [
        f"{name}={_render(value)}"
        for name, value in call.items()
        if name not in ("event", "operation")
    ]
    return " ".join(head + rest)


def _render(value: object) -> str:
    if isinstance(value, str) and value.isascii() and value.isprintable() and " " not in value:
        return value
    # JSON keeps a record on one line, whatever a model or a proxy wrote.
    return json.dumps(value, ensure_ascii=False, default=str).translate(_LINE_ENDS)
