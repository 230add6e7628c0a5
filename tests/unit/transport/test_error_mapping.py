"""What a failure on the way to the server means for the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from manager.errors import RequestTimeoutError, ResponseDecodeError, ServerUnavailableError
from manager.timeouts import ResolvedTimeouts
from manager.transport.error_mapping import error_from_transport, timeout_error
from manager.transport.exceptions import (
    ConnectFailed,
    ConnectionLost,
    ConnectionsInUse,
    ConnectTimedOut,
    InvalidAnswer,
    InvalidEncoding,
    NeverSent,
    ProxyFailed,
    TransferTimedOut,
)

if TYPE_CHECKING:
    from manager.transport.exceptions import TransportError

LIMITS = ResolvedTimeouts(connect=2, first_token=300, chunk=60, total=None)
CONTEXT = {"model": "m", "endpoint": "POST /api/chat", "request_id": "1"}


@pytest.mark.parametrize(
    ("error", "cls", "code"),
    [
        (ConnectFailed("refused"), ServerUnavailableError, "connection_refused"),
        (ProxyFailed("no", 403), ServerUnavailableError, "proxy_refused"),
        (ProxyFailed("later", 503), ServerUnavailableError, "proxy_refused"),
        (ConnectionLost("reset"), ServerUnavailableError, "connection_lost"),
        (ConnectionLost(), ServerUnavailableError, "connection_lost"),
        (InvalidAnswer("this is not HTTP"), ServerUnavailableError, "connection_lost"),
        (NeverSent("file is gone"), ServerUnavailableError, "transport_failed"),
        (InvalidEncoding("not gzip"), ResponseDecodeError, "response_invalid"),
    ],
)
def test_transport(error: TransportError, cls: type[Exception], code: str) -> None:
    result = error_from_transport(error, LIMITS, answering=False, **CONTEXT)
    assert type(result) is cls
    assert result.code == code
    passes = code in ("connection_refused", "connection_lost") or "later" in str(error)
    assert result.retryable is passes
    assert result.endpoint == "POST /api/chat"
    assert result.message.strip().endswith(str(error) or type(error).__name__)


@pytest.mark.parametrize(
    ("error", "answering", "which", "seconds"),
    [
        (ConnectTimedOut("t"), False, "connect", 2),
        (TransferTimedOut("t"), False, "first_token", 300),
        (TransferTimedOut("t"), True, "chunk", 60),
    ],
)
def test_timeouts(error: TransportError, answering: bool, which: str, seconds: float) -> None:
    result = error_from_transport(error, LIMITS, answering=answering, **CONTEXT)
    assert type(result) is RequestTimeoutError
    assert (result.timeout, result.seconds) == (which, seconds)
    assert f"{seconds:g} s" in result.message
    assert result.hint is not None
    assert which in result.hint


def test_the_wait_for_a_connection_is_a_timeout_of_its_own() -> None:
    error = error_from_transport(
        ConnectionsInUse(), LIMITS, answering=False, connections=7, **CONTEXT
    )
    assert type(error) is RequestTimeoutError
    assert (error.code, error.timeout, error.seconds) == ("connections_in_use", "first_token", 300)
    assert "all 7 connections are in use" in error.message


@pytest.mark.parametrize("which", ["connect", "first_token", "chunk", "total"])
def test_timeout_error_without_a_limit(which: str) -> None:
    none = ResolvedTimeouts(connect=None, first_token=None, chunk=None, total=None)
    assert timeout_error(which, none).seconds is None
