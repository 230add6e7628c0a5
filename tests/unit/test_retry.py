from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ollama_api.api.models import list_models

from manager.config import RetryConfig
from manager.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    CapabilityError,
    ConfigError,
    InternalServerError,
    InvalidRequestError,
    ModelNotFoundError,
    OutputParseError,
    PermissionDeniedError,
    RequestTimeoutError,
    ResponseDecodeError,
    ServerBusyError,
    ServerCrashedError,
    ServerNotFoundError,
    ServerNotOwnedError,
    ServerStartError,
    ServerUnavailableError,
    StreamInterruptedError,
)
from manager.events import Events
from manager.failures import error_from_status
from manager.logs import CallLog
from manager.timeouts import ResolvedTimeouts
from manager.transport.call import Call
from manager.transport.retry import decide

if TYPE_CHECKING:
    from manager.errors import (
        OllamaManagerError,
    )

STEADY = RetryConfig(
    max_attempts=4, initial_delay=0.25, max_delay=8, multiplier=2, jitter=False, budget=None
)

AGAIN = [
    ServerUnavailableError("lost"),
    ServerBusyError("full", status_code=503),
    ServerBusyError("full", status_code=429),
    InternalServerError("gateway", status_code=502, retryable=True),
    InternalServerError("the runner died", status_code=500, retryable=True),
    APIError("slow request", status_code=408, retryable=True),
]
NEVER = [
    BadRequestError("exceeds the available context size", status_code=503),
    ServerUnavailableError("stopped on purpose", retryable=False),
    InternalServerError("option has the wrong type", status_code=500),
    BadRequestError("bad", status_code=400),
    AuthenticationError("who", status_code=401),
    PermissionDeniedError("no", status_code=403),
    ModelNotFoundError("none", status_code=404),
    CapabilityError("cannot", status_code=501),
    APIError("gone", status_code=410),
    RequestTimeoutError("late"),
    StreamInterruptedError("cut"),
    ResponseDecodeError("garbage"),
    OutputParseError("no fit"),
    ServerStartError("exited"),
    ServerCrashedError("gave up"),
    ServerNotFoundError("no program"),
    ServerNotOwnedError("not ours"),
    ConfigError("bad"),
    InvalidRequestError("bad"),
]


@pytest.mark.parametrize("error", AGAIN, ids=repr)
def test_what_is_sent_again(error: OllamaManagerError) -> None:
    assert decide(STEADY, error, attempt=1, elapsed=0).delay == 0.25


@pytest.mark.parametrize("error", NEVER, ids=repr)
def test_what_is_not(error: OllamaManagerError) -> None:
    decision = decide(STEADY, error, attempt=1, elapsed=0)
    assert decision.delay is None
    assert decision.reason


def test_not_when_it_must_not_be_repeated() -> None:
    assert decide(STEADY, AGAIN[0], attempt=1, elapsed=0, repeatable=False).delay is None


def test_delays_grow_to_the_longest() -> None:
    policy = RetryConfig(
        max_attempts=9, initial_delay=1, max_delay=5, multiplier=2, jitter=False, budget=None
    )
    delays = [decide(policy, AGAIN[0], attempt=n, elapsed=0).delay for n in range(1, 10)]
    assert delays == [1, 2, 4, 5, 5, 5, 5, 5, None]


def test_jitter_takes_a_share() -> None:
    policy = RetryConfig(initial_delay=4, jitter=True, budget=None)
    decision = decide(policy, AGAIN[0], attempt=1, elapsed=0, rand=lambda: 0.25)
    assert decision.delay == 1


def test_the_budget_counts_the_wait() -> None:
    policy = RetryConfig(initial_delay=2, jitter=False, budget=10)
    assert decide(policy, AGAIN[0], attempt=1, elapsed=8).delay == 2
    decision = decide(policy, AGAIN[0], attempt=1, elapsed=8.1)
    assert decision.delay is None
    assert "budget of 10 s" in decision.reason


@pytest.mark.parametrize(
    ("retry_after", "delay"),
    [("3", 3.0), ("0", 0.25), ("86399", 60.0), ("99999999999", 60.0), ("-1", 0.25), ("x", 0.25)],
)
def test_retry_after_is_obeyed_up_to_a_minute(retry_after: str, delay: float) -> None:
    error = error_from_status(503, {"retry-after": retry_after}, b'{"error":"busy"}')
    assert decide(STEADY, error, attempt=1, elapsed=0).delay == delay


def test_hundreds_of_attempts_do_not_overflow() -> None:
    policy = RetryConfig(
        max_attempts=10_000, initial_delay=0.1, max_delay=3, multiplier=1000, jitter=False
    )
    assert decide(policy, AGAIN[0], attempt=9_000, elapsed=0).delay == 3


policies = st.builds(
    RetryConfig,
    max_attempts=st.integers(1, 50),
    initial_delay=st.floats(0, 100),
    max_delay=st.floats(0, 100),
    multiplier=st.floats(1, 1000),
    jitter=st.booleans(),
    budget=st.none() | st.floats(0, 1000),
)
errors = st.sampled_from([*AGAIN, *NEVER])
shares = st.floats(0, 1)


@given(policies, errors, st.integers(0, 60), st.floats(0, 2000), shares)
def test_never_beyond_attempts_or_budget(
    policy: RetryConfig, error: OllamaManagerError, attempt: int, elapsed: float, share: float
) -> None:
    delay = decide(policy, error, attempt=attempt, elapsed=elapsed, rand=lambda: share).delay
    if delay is None:
        return
    assert attempt < policy.max_attempts
    assert policy.budget is None or elapsed + delay <= policy.budget
    assert 0 <= delay <= policy.max_delay


@given(policies, st.sampled_from([s for s in range(400, 500) if s not in (408, 429)]))
def test_never_after_a_4xx(policy: RetryConfig, status: int) -> None:
    error = error_from_status(status, {"retry-after": "1"}, b'{"error":"no"}', model="m")
    assert decide(policy, error, attempt=1, elapsed=0).delay is None
    assert not error.retryable


@given(st.floats(allow_nan=True, allow_infinity=True), policies)
def test_retry_after_is_never_endless(retry_after: float, policy: RetryConfig) -> None:
    error = error_from_status(429, {"retry-after": str(retry_after)}, b"")
    delay = decide(policy, error, attempt=1, elapsed=0).delay
    assert delay is None or 0 <= delay <= max(60.0, policy.max_delay)


def test_a_supervised_server_is_waited_for_without_guessing() -> None:
    policy = RetryConfig(max_attempts=3, initial_delay=5, jitter=False, budget=1)
    lost = ServerUnavailableError("lost")
    again = decide(policy, lost, attempt=1, elapsed=1, supervised=True)
    assert again.delay == 0
    assert "supervisor" in again.reason
    assert decide(policy, lost, attempt=3, elapsed=0, supervised=True).delay is None
    stopped = ServerUnavailableError("stopped on purpose", retryable=False)
    assert decide(policy, stopped, attempt=1, elapsed=0, supervised=True).delay is None
    slow = RequestTimeoutError("no connection", timeout="connect")
    assert decide(policy, slow, attempt=1, elapsed=0, supervised=True).delay == 0
    assert decide(policy, slow, attempt=1, elapsed=0).delay is None, "it may be far away"
    silent = RequestTimeoutError("no answer", timeout="first_token")
    assert decide(policy, silent, attempt=1, elapsed=0, supervised=True).delay is None
    busy = ServerBusyError("full", status_code=503)
    assert decide(policy, busy, attempt=1, elapsed=0, supervised=True).delay is None, "over budget"


def test_the_budget_holds_under_a_supervisor_too() -> None:
    policy = RetryConfig(max_attempts=3, initial_delay=5, jitter=False, budget=1)
    lost = ServerUnavailableError("lost")
    decision = decide(policy, lost, attempt=1, elapsed=1.1, supervised=True)
    assert decision.delay is None
    assert "budget of 1 s" in decision.reason


def test_the_budget_begins_with_the_first_failure_and_excuses_a_killed_runner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call = Call[object](
        list_models.build_request(),  # type: ignore[arg-type]
        model="m",
        timeouts=ResolvedTimeouts(connect=2, first_token=300, chunk=60, total=None),
        policy=RetryConfig(budget=10),
        events=Events(),
        log=CallLog("off"),
    )
    now = 1000.0
    monkeypatch.setattr("manager.transport.deadlines.time.monotonic", lambda: now)
    lost = ServerUnavailableError("lost", code="connection_lost")
    now += 100  # the answer was long in the making
    assert call.delay_after(lost, supervised=True) == 0.0
    now += 100
    call.waited(99)  # in vain: the runner was killed
    assert call.delay_after(lost, supervised=True) == 0.0
    now += 100
    with pytest.raises(ServerUnavailableError, match="lost"):
        call.delay_after(lost, supervised=True)
