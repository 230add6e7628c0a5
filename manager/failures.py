"""What the server answers, as errors of this package: statuses and error lines."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, cast

import msgspec

from manager.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    CapabilityError,
    InternalServerError,
    ModelNotFoundError,
    PermissionDeniedError,
    ServerBusyError,
)
from manager.redaction import without_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from manager.errors import (
        OllamaManagerError,
    )

__all__ = [
    "as_object",
    "error_from_line",
    "error_from_status",
]

_MAX_TEXT = 500
_MAX_RAW = 2000
_CAPABILITY = re.compile(
    r"does not support|this model is missing support|(image|audio|video) input is not supported",
    re.IGNORECASE,
)
_CONTEXT_SIZE = re.compile(
    r"exceeds the (available )?context (size|length)|exceed_context_size_error", re.IGNORECASE
)
# What the system says when a push looks for the manifest of a model that is not there.
_NO_MANIFEST = re.compile(
    r"^open .*manifests.*: (no such file or directory|the system cannot find)", re.IGNORECASE
)
_MISSING_MODEL = re.compile(
    r"model .*not found|file does not exist|manifest unknown|no such model", re.IGNORECASE
)
_QUEUE_FULL = "maximum pending requests exceeded"  # of Ollama itself, rather than of a proxy
# 500s after which the same request may succeed: the runner of the model died, not the request.
_RUNNER_DIED = re.compile(
    r"runner process (has terminated|no longer running)|unexpected EOF|\bEOF\b|connection refused"
    r"|connection reset|broken pipe|runner (has )?(died|exited|terminated|unexpectedly stopped)"
    r"|signal: killed",
    re.IGNORECASE,
)
# What Ollama says when it cannot reach the hub, though it may in a moment.
_NETWORK_FAILED = re.compile(
    r"\bEOF\b|i/o timeout|connection reset|dial tcp|TLS handshake|max retries exceeded",
    re.IGNORECASE,
)
# What waiting does not mend, whatever stands before it.
_LASTING = re.compile(
    r"unauthorized|no space left|disk quota|read-only file system|permission denied|x509"
    r"|file does not exist",
    re.IGNORECASE,
)
_LOOK_INTO_LOG = "the server's log may tell more: server_log(), where a manager has started it"
_SECONDS = re.compile(r"[0-9]+(\.[0-9]*)?")
_MAX_RETRY_AFTER = 86_400.0


def error_from_status(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    **context: Any,
) -> OllamaManagerError:
    """Return the error that an answer with a status of 300 or more means.

    Args:
        status: The HTTP status.
        headers: The headers of the answer, with lower-case names.
        body: The body: Ollama's ``{"error": ...}``, or whatever a proxy made of it.
        context: What is known of the call: ``model``, ``endpoint``, ``request_id``.
    """
    data = _read_json(body)
    message, raw = _error_text(data) if data is not None else (_plain_text(body), None)
    details = {**context, "status_code": status}
    if raw is not None:
        details["raw"] = raw
    if 300 <= status < 400:
        return _redirected(headers.get("location"), details)
    if (retry_after := _retry_after(headers)) is not None:
        details["retry_after"] = retry_after
    if isinstance(url := as_object(data).get("signin_url"), str):
        details["signin_url"] = url
    return _classified(
        status,
        message or f"the server answered with status {status}",
        details,
        by_ollama=isinstance(data, dict),
    )


def error_from_line(line: Mapping[str, Any], **context: Any) -> APIError:
    """Return the error that a line ``{"error": ...}`` in a stream means."""
    message, raw = _error_text(line)
    message = message or "the server reported an error without saying which"
    if raw is not None:
        context["raw"] = raw
    if (known := _recognised(message, context)) is not None:
        return known
    if _MISSING_MODEL.search(message):
        return ModelNotFoundError(
            f"the hub does not have {context.get('model') or 'the model'}: {message}",
            hint="check the name at https://ollama.com/search",
            **context,
        )
    if _CAPABILITY.search(message):
        return CapabilityError(message, **context)
    if "unauthorized" in message.lower():
        return AuthenticationError(message, hint="sign in with `ollama signin`", **context)
    return APIError(message, retryable=_may_pass(message), **context)


def _may_pass(message: str) -> bool:
    if _LASTING.search(message):
        return False
    return bool(_RUNNER_DIED.search(message) or _NETWORK_FAILED.search(message))


def _recognised(message: str, details: dict[str, Any]) -> APIError | None:
    """Return the error that these words mean with any status, and in a stream."""
    if _CONTEXT_SIZE.search(details.get("raw", message)):
        return BadRequestError(
            message,
            code="context_size_exceeded",
            hint='make room with options={"num_ctx": ...}, or send less',
            **details,
        )
    if _NO_MANIFEST.search(message):
        details.setdefault("raw", message)
        return ModelNotFoundError(
            f"the server does not have {details.get('model') or 'the model'}",
            hint="list_models() says what is there",
            **details,
        )
    return None


def _redirected(location: str | None, details: dict[str, Any]) -> APIError:
    where = f" to {without_secrets(location)[:_MAX_TEXT]}" if location else ""
    return APIError(
        f"the server redirects{where}, and redirects are not followed",
        code="redirected",
        hint="set `host` to the address that answers itself",
        **details,
    )


def _classified(
    status: int, message: str, details: dict[str, Any], *, by_ollama: bool
) -> OllamaManagerError:
    if (known := _recognised(message, details)) is not None:
        return known
    if status == 501 or _CAPABILITY.search(message):
        return CapabilityError(
            message,
            hint="`show_model(...)` lists the capabilities of a model",
            **details,
        )
    if status == 400:
        return BadRequestError(message, **details)
    if status == 401:
        return AuthenticationError(
            message, hint="sign in with `ollama signin`, or set api_key under [client]", **details
        )
    if status == 403:
        return PermissionDeniedError(
            message, hint="`whoami()` tells which account is signed in", **details
        )
    if status == 404 and by_ollama and details.get("model") is not None:
        return ModelNotFoundError(message, **details)
    if status in (404, 405):
        return APIError(
            message,
            code="endpoint_not_found",
            hint="the server is too old for this call, or `host` is not an Ollama server",
            **details,
        )
    if status in (429, 503):
        return ServerBusyError(message, hint=_explain_queue(message), **details)
    if status >= 500:
        passing = status in (502, 504) or bool(_RUNNER_DIED.search(message))
        return InternalServerError(message, retryable=passing, hint=_LOOK_INTO_LOG, **details)
    return APIError(message, retryable=status == 408, **details)


def _read_json(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _error_text(data: object) -> tuple[str, str | None]:
    """Return what an error says, and the text that was dug out of, where it was JSON itself.

    Runners answer with JSON, and Ollama 0.33 passes that on as its own message.
    """
    text = _message_of(data)
    if text[:1] == "{" and (inner := _message_of(_read_json(text.encode("utf-8", "replace")))):
        return inner[:_MAX_TEXT], text[:_MAX_RAW]
    return text[:_MAX_TEXT], None


def _message_of(data: object) -> str:
    if isinstance(data, str):
        return data
    error = as_object(data).get("error")
    # proxies and runners use the form of OpenAI's API: an object with a message
    text = error if isinstance(error, str) else as_object(error).get("message")
    return text if isinstance(text, str) else ""


def as_object(data: object) -> dict[str, object]:
    """Return parsed JSON as an object, an empty one where it is something else."""
    return cast("dict[str, object]", data) if isinstance(data, dict) else {}


def _plain_text(body: bytes) -> str:
    text = body.decode("utf-8", "replace").strip()
    if text[:1] == "<":  # a proxy's page
        title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
        text = title.group(1).strip() if title else re.sub(r"<[^>]*>", " ", text)
    return " ".join(text.split())[:_MAX_TEXT]


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return Retry-After in seconds, a day at most; it may be a date.

    Source: RFC 9110 section 10.2.3.
    """
    text = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), _MAX_RETRY_AFTER)
    then = _moment(text)
    if then is None:
        return None
    # the server's own clock, where it tells: ours may be wrong
    now = _moment(headers.get("date", ""))
    seconds = then - (time.time() if now is None else now)
    return min(max(seconds, 0.0), _MAX_RETRY_AFTER)


def _moment(date: str) -> float | None:
    """Return a date of HTTP in seconds since the epoch, or ``None`` where it is none."""
    if not date:
        return None
    from datetime import UTC
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(date)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _explain_queue(message: str) -> str:
    again = "try again when it has less to do"
    if _QUEUE_FULL not in message:
        return again
    return f"{again}, or raise max_queue or num_parallel under [server]"
