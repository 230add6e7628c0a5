"""Whether a failed request is sent again, and after how long: a decision, never a sleep."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import attrs

from manager.errors import (
    APIError,
    InternalServerError,
    ServerBusyError,
    ServerUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from manager.config import RetryConfig
    from manager.errors import (
        OllamaManagerError,
    )

__all__ = ["RetryDecision", "decide"]

_MAX_RETRY_AFTER = 60.0
_RETRIED_STATUSES = frozenset({408, 429, 502, 503, 504})


@attrs.frozen
class RetryDecision:
    """Send it again after ``delay`` seconds, or do not when ``delay`` is ``None``; and why."""

    delay: float | None
    reason: str


def decide(
    policy: RetryConfig,
    error: OllamaManagerError,
    *,
    attempt: int,
    elapsed: float,
    repeatable: bool = True,
    rand: Callable[[], float] = random.random,
) -> RetryDecision:
    """Decide about a request that has failed.

    Args:
        policy: The configured backoff.
        error: What the last attempt ended with.
        attempt: How many attempts there were.
        elapsed: Seconds since the first one began.
        repeatable: False once something has begun that a second request would repeat.
        rand: A source of numbers from 0 to 1, for the jitter.

    Source: "Exponential Backoff And Jitter" (AWS Architecture Blog), RFC 9110 section 10.2.3.
    """
    if not repeatable:
        return RetryDecision(None, "it has begun and must not be repeated")
    if not _is_passing(error):
        return RetryDecision(None, f"{error.code} does not pass by itself")
    if attempt >= policy.max_attempts:
        return RetryDecision(None, f"all {policy.max_attempts} attempts failed")
    longest = _longest_delay(policy, attempt)
    delay = longest * rand() if policy.jitter else longest
    retry_after = error.details.get("retry_after")
    if isinstance(retry_after, int | float):
        delay = max(delay, min(float(retry_after), _MAX_RETRY_AFTER))
    if policy.budget is not None and elapsed + delay > policy.budget:
        return RetryDecision(None, f"the retry budget of {policy.budget:g} s is spent")
    return RetryDecision(delay, error.code)


def _longest_delay(policy: RetryConfig, attempt: int) -> float:
    try:
        return min(policy.max_delay, policy.initial_delay * policy.multiplier ** (attempt - 1))
    except OverflowError:  # after hundreds of attempts
        return policy.max_delay


def _is_passing(error: OllamaManagerError) -> bool:
    if isinstance(error, ServerUnavailableError):
        return error.retryable
    if isinstance(error, InternalServerError):
        return error.status_code in _RETRIED_STATUSES or error.retryable
    if isinstance(error, ServerBusyError):
        return True
    return isinstance(error, APIError) and error.status_code in _RETRIED_STATUSES
