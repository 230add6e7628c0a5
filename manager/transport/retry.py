"""Whether a failed request is sent again, and after how long: a decision, never a sleep.

``error.retryable`` decides; a failed call waits, backs off and gives up by the policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs

from manager.default import DEFAULT
from manager.errors import (
    APIError,
    ConfigError,
    InvalidRequestError,
    RequestTimeoutError,
    StreamInterruptedError,
)
from manager.spelling import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from manager.config import RetryConfig, RetrySettings
    from manager.default import Default
    from manager.errors import (
        OllamaManagerError,
    )

__all__ = ["RetryDecision", "RetryHistory", "RetryInput", "decide", "resolve_retry"]

RetryInput: TypeAlias = "RetryConfig | RetrySettings | Literal[False, Default.DEFAULT]"
"""The rules of one call: a record, the keys that differ from the configuration, False for none."""

_MAX_RETRY_AFTER = 60.0


def resolve_retry(retry: RetryInput, configured: RetryConfig) -> RetryConfig:
    """Return the rules of one call.

    Args:
        retry: What the caller gave: a record, a mapping with the keys that are to differ,
            ``False`` for no retries, or ``DEFAULT``.
        configured: The rules of the configuration.

    Raises:
        InvalidRequestError: It is something else, or a key or value of it is wrong.
    """
    if retry is DEFAULT:
        return configured
    if retry is False:
        return attrs.evolve(configured, max_attempts=1)
    if isinstance(retry, type(configured)):
        return retry
    if not isinstance(retry, Mapping):
        raise InvalidRequestError(
            f"retry must be False, a mapping or a RetryConfig, got {type(retry).__name__}",
            argument="retry",
            hint='for example retry=False or retry={"max_attempts": 2}',
        )
    names = [field.name for field in attrs.fields(type(configured))]
    for name in retry:
        if name not in names:
            raise InvalidRequestError(
                f"retry has no key {name!r}",
                argument="retry",
                hint=did_you_mean(name, names) or f"the keys are {', '.join(names)}",
            )
    try:
        return attrs.evolve(configured, **retry)
    except ConfigError as error:
        raise InvalidRequestError(error.message, argument="retry", hint=error.hint) from error


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
    supervised: bool = False,
    rand: Callable[[], float] | None = None,
) -> RetryDecision:
    """Decide about a request that has failed.

    Args:
        policy: The configured backoff.
        error: What the last attempt ended with.
        attempt: How many attempts there were.
        elapsed: Seconds since the first failure, without waits for the server.
        repeatable: False once something has begun that a second request would repeat.
        supervised: Whether a supervisor says when the server is ready again, so that no delay
            has to be guessed after a lost connection.
        rand: A source of numbers from 0 to 1, for the jitter; by default Python's.

    Source: "Exponential Backoff And Jitter" (AWS Architecture Blog), RFC 9110 section 10.2.3.
    """
    if not repeatable:
        return RetryDecision(None, "it has begun and must not be repeated")
    if not (_is_passing(error) or (supervised and _was_never_sent(error))):
        return RetryDecision(None, f"{error.code} does not pass by itself")
    if attempt >= policy.max_attempts:
        return RetryDecision(None, f"all {policy.max_attempts} attempts failed")
    awaited = supervised and not isinstance(error, APIError)
    delay = 0.0 if awaited else _delay(policy, error, attempt, rand)
    if policy.budget is not None and elapsed + delay > policy.budget:
        return RetryDecision(None, f"the retry budget of {policy.budget:g} s is spent")
    if awaited:
        return RetryDecision(0.0, f"{error.code}; its supervisor tells when it is ready")
    return RetryDecision(delay, error.code)


def _delay(
    policy: RetryConfig,
    error: OllamaManagerError,
    attempt: int,
    rand: Callable[[], float] | None,
) -> float:
    if rand is None:
        import random  # most programs never retry

        rand = random.random
    longest = _longest_delay(policy, attempt)
    delay = longest * rand() if policy.jitter else longest
    retry_after = error.details.get("retry_after")
    if isinstance(retry_after, int | float):
        delay = max(delay, min(float(retry_after), _MAX_RETRY_AFTER))
    return delay


def _longest_delay(policy: RetryConfig, attempt: int) -> float:
    try:
        return min(policy.max_delay, policy.initial_delay * policy.multiplier ** (attempt - 1))
    except OverflowError:  # after hundreds of attempts
        return policy.max_delay


def _was_never_sent(error: OllamaManagerError) -> bool:
    return isinstance(error, RequestTimeoutError) and error.details.get("timeout") == "connect"


def _is_passing(error: OllamaManagerError) -> bool:
    # Worth another try, but by the caller: the time that he allowed is spent, or he has a part of
    # the answer already.
    is_for_the_caller = isinstance(error, RequestTimeoutError | StreamInterruptedError)
    return error.retryable and not is_for_the_caller


class RetryHistory:
    """What was tried in one call, and failed.

    Attributes:
        tried: Each failed attempt, as data for the last error.
        failures: How many there were since the call last made progress.
        waited: Seconds that were spent waiting for the server since then; no budget counts them.
    """

    __slots__ = ("_failing_since", "failures", "tried", "waited")

    def __init__(self) -> None:
        self.tried: list[dict[str, Any]] = []
        self.failures: int = 0
        self.waited: float = 0.0
        self._failing_since: float | None = None

    def add(self, error: OllamaManagerError, attempt: int, elapsed: float) -> None:
        """Note a failed attempt, ``elapsed`` seconds after the call began."""
        self.failures += 1  # one that was not even sent, for want of a server, counts too
        if self._failing_since is None:
            self._failing_since, self.waited = elapsed, 0.0
        self.tried.append(
            {
                "attempt": attempt,
                "code": error.code,
                "message": error.message,
                "after_seconds": round(elapsed, 3),
                **({} if error.status_code is None else {"status_code": error.status_code}),
            }
        )

    def elapsed(self, elapsed: float) -> float:
        """Return the seconds since the first failure, without waits for the server."""
        since = elapsed if self._failing_since is None else self._failing_since
        return elapsed - since - self.waited

    def restart(self) -> None:
        """Count the failures afresh."""
        self.failures, self._failing_since = 0, None

    def was_lost_each_time(self) -> bool:
        """Whether there were several failures, all of them lost connections."""
        lost = all(tried["code"] == "connection_lost" for tried in self.tried)
        return self.failures > 1 and lost

    def explain(self, error: OllamaManagerError) -> None:
        """Add what was tried to the last error, if that was more than once."""
        if len(self.tried) > 1:
            error.details["tried"] = self.tried
            for tried in self.tried:
                error.add_note("attempt {attempt}, {after_seconds} s: {message}".format(**tried))
