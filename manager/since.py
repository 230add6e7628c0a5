"""What to say of a call that the running server is too old for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from manager.errors import ServerTooOldError

if TYPE_CHECKING:
    from manager.errors import APIError

__all__ = ["explain_age", "is_recent"]


def is_recent(operation_id: str) -> bool:
    """Whether there are servers without this operation of the spec, as far as is known."""
    return _required(operation_id) is not None


def explain_age(error: APIError, operation_id: str, server_version: str) -> APIError:
    """Return the error that a call to an old server means, or ``error`` where age is no reason.

    Args:
        error: What the server answered.
        operation_id: The operation of the spec that was asked for.
        server_version: The version that the server says it is.
    """
    required = _required(operation_id)
    running = _numbers(server_version)
    # A build without a release number says 0.0.0, which tells nothing.
    if required is None or not any(running) or running >= _numbers(required):
        return error
    required = required.removeprefix("v")
    versions = {"server_version": server_version, "required_version": required}
    details: dict[str, Any] = {**error.details, **versions}
    return ServerTooOldError(
        f"the server is Ollama {server_version}, and this call needs {required}",
        hint=f"upgrade Ollama to {required} or later",
        status_code=error.status_code,
        endpoint=error.endpoint,
        request_id=error.request_id,
        attempts=error.attempts,
        model=error.model,
        **details,
    )


def _required(operation_id: str) -> str | None:
    from ollama_api.since import OPERATIONS

    return OPERATIONS.get(operation_id)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"[0-9]+", version)[:3])
