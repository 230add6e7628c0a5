"""Every error that this package raises.

OllamaManagerError
├── ConfigError (ValueError)
├── InvalidRequestError (ValueError)
├── ServerNotFoundError
├── ServerNotOwnedError
├── ServerStartError
├── ServerCrashedError
├── ServerUnavailableError (ConnectionError)
├── RequestTimeoutError (TimeoutError)
├── APIError
│   ├── BadRequestError            400
│   ├── AuthenticationError        401
│   ├── PermissionDeniedError      403
│   ├── ModelNotFoundError         404 on a model
│   ├── CapabilityError            "does not support ...", 501
│   ├── ServerBusyError            429, 503
│   └── InternalServerError        other 5xx
├── StreamInterruptedError
├── ResponseDecodeError
└── OutputParseError
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "APIError",
    "AuthenticationError",
    "BadRequestError",
    "CapabilityError",
    "ConfigError",
    "InternalServerError",
    "InvalidRequestError",
    "ModelNotFoundError",
    "OllamaManagerError",
    "OutputParseError",
    "PermissionDeniedError",
    "RequestTimeoutError",
    "ResponseDecodeError",
    "ServerBusyError",
    "ServerCrashedError",
    "ServerNotFoundError",
    "ServerNotOwnedError",
    "ServerStartError",
    "ServerTooOldError",
    "ServerUnavailableError",
    "StreamInterruptedError",
]


class OllamaManagerError(Exception):
    """The root of every error that this package raises.

    Args:
        message: What went wrong, in one sentence.
        hint: What to do about it.
        code: A stable identifier; each class has a default.
        retryable: Whether the same call may succeed later.
        status_code: The HTTP status that the server answered with.
        model: The model that the call was about.
        endpoint: The method and path of the call, such as ``POST /api/chat``.
        attempts: How many times the request was sent.
        request_id: The id that ties together the log records of the call.
        partial: What had been received when a stream broke off.
        details: Further JSON-ready facts, such as ``argument`` or ``log``.
    """

    default_code: ClassVar[str] = "error"
    default_retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: str | None = None,
        retryable: bool | None = None,
        status_code: int | None = None,
        model: str | None = None,
        endpoint: str | None = None,
        attempts: int | None = None,
        request_id: str | None = None,
        partial: Any = None,
        **details: Any,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code: str = code or self.default_code
        self.retryable: bool = self.default_retryable if retryable is None else retryable
        self.status_code = status_code
        self.model = model
        self.endpoint = endpoint
        self.attempts = attempts
        self.request_id = request_id
        self.partial = partial
        self.details: dict[str, Any] = details

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message

    def __getattr__(self, name: str) -> Any:
        # Only reached for names that are no attribute: `error.argument`, `error.log`.
        details = self.__dict__.get("details")
        if details is not None and name in details:
            return details[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        state = self.__dict__.copy()
        state["details"] = dict(self.details)
        if "__notes__" in state:  # a copy may get notes of its own
            state["__notes__"] = list(state["__notes__"])
        return (_restore, (type(self), self.message, state))

    def to_dict(self) -> dict[str, Any]:
        """Return all of the error as JSON-ready data; what does not apply is ``None``."""
        partial = self.partial
        to_dict = getattr(partial, "to_dict", None)
        data: dict[str, Any] = {
            "error": type(self).__name__,
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "retryable": self.retryable,
            "status_code": self.status_code,
            "model": self.model,
            "endpoint": self.endpoint,
            "attempts": self.attempts,
            "request_id": self.request_id,
            "partial": to_dict() if callable(to_dict) else partial,
            **self.details,
        }
        return data


def _restore(
    cls: type[OllamaManagerError], message: str, state: dict[str, Any]
) -> OllamaManagerError:
    error = cls(message)
    error.__dict__.update(state)
    return error


class ConfigError(OllamaManagerError, ValueError):
    """The configuration file, an environment variable or a keyword is wrong."""

    default_code = "config_invalid"


class InvalidRequestError(OllamaManagerError, ValueError):
    """An argument is wrong; nothing was sent. ``argument`` names it."""

    default_code = "invalid_request"


class ServerNotFoundError(OllamaManagerError):
    """There is no ``ollama`` program to start."""

    default_code = "server_not_found"


class ServerNotOwnedError(OllamaManagerError):
    """The server is foreign or remote: it is never stopped or restarted by us."""

    default_code = "server_not_owned"


class ServerStartError(OllamaManagerError):
    """The server exited or was not ready in time. ``log`` holds the end of its log."""

    default_code = "server_start_failed"


class ServerCrashedError(OllamaManagerError):
    """The server died and restarting it was given up."""

    default_code = "server_crashed"


class ServerUnavailableError(OllamaManagerError, ConnectionError):
    """The server cannot be reached, was lost before it answered, or was stopped on purpose."""

    default_code = "server_unavailable"
    default_retryable = True


class RequestTimeoutError(OllamaManagerError, TimeoutError):
    """One of the timeouts passed. ``timeout`` names which, ``seconds`` how long it was."""

    default_code = "timeout"
    default_retryable = True


class APIError(OllamaManagerError):
    """The server answered with an error."""

    default_code = "api_error"


class ServerTooOldError(APIError):
    """The server does not have this call yet (404). ``required_version`` is the first that has."""

    default_code = "server_too_old"


class BadRequestError(APIError):
    """The server refused the request (400)."""

    default_code = "bad_request"


class AuthenticationError(APIError):
    """The server wants to know who asks (401)."""

    default_code = "unauthorized"


class PermissionDeniedError(APIError):
    """The server knows who asks and refuses (403)."""

    default_code = "forbidden"


class ModelNotFoundError(APIError):
    """The model is not there (404). ``suggestions`` lists local models with a similar name."""

    default_code = "model_not_found"


class CapabilityError(APIError):
    """The model cannot do what was asked ("does not support ...", 501)."""

    default_code = "capability_missing"


class ServerBusyError(APIError):
    """The server's queue is full (429, 503)."""

    default_code = "server_busy"
    default_retryable = True


class InternalServerError(APIError):
    """The server failed (other 5xx)."""

    default_code = "internal_server_error"


class StreamInterruptedError(OllamaManagerError):
    """A stream ended without its last line, or with an error line. ``partial`` holds the rest."""

    default_code = "stream_interrupted"
    default_retryable = True


class ResponseDecodeError(OllamaManagerError):
    """The answer is no valid JSON or breaks the spec."""

    default_code = "response_invalid"


class OutputParseError(OllamaManagerError):
    """The text of the model does not fit the type asked for. ``text`` holds it."""

    default_code = "output_invalid"
