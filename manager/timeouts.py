"""How long a call may wait for what."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import attrs

from manager.default import DEFAULT, Default
from manager.errors import InvalidRequestError
from manager.spelling import shown

__all__ = ["TimeoutInput", "Timeouts", "resolve_timeouts", "whole_wait"]

Limit: TypeAlias = float | Literal[Default.DEFAULT] | None


@attrs.frozen(kw_only=True)
class Timeouts:
    """The four limits of a call, in seconds; ``None`` is no limit, ``DEFAULT`` as configured.

    Attributes:
        connect: To open a connection to the server.
        first_token: From the request to the beginning of the answer, its head; a model load counts.
        chunk: The longest silence between two chunks of a stream of tokens.
        total: From the call to the end of the answer, waiting for the server and retries included.
    """

    connect: Limit = DEFAULT
    first_token: Limit = DEFAULT
    chunk: Limit = DEFAULT
    total: Limit = DEFAULT


TimeoutInput: TypeAlias = float | Timeouts | Literal[Default.DEFAULT] | None


# Longer waits do not fit into what the system takes: milliseconds in 31 bits.
_LONGEST = 2_000_000.0


def _feasible(seconds: float | None) -> float | None:
    return None if seconds is None else min(seconds, _LONGEST)


@attrs.frozen(kw_only=True)
class ResolvedTimeouts:
    """Timeouts with every default filled in; seconds (23 days at most) or ``None``."""

    connect: float | None = attrs.field(converter=_feasible)
    first_token: float | None = attrs.field(converter=_feasible)
    chunk: float | None = attrs.field(converter=_feasible)
    total: float | None = attrs.field(converter=_feasible)


def resolve_timeouts(timeout: TimeoutInput, configured: ResolvedTimeouts) -> ResolvedTimeouts:
    """Return the limits of one call.

    Args:
        timeout: What the caller gave: the longest silence in seconds, a ``Timeouts`` record,
            ``None`` for no limit at all, or ``DEFAULT``.
        configured: The limits of the configuration.

    Raises:
        InvalidRequestError: A limit is no positive, finite number.
    """
    if timeout is DEFAULT:
        return configured
    if timeout is None:
        return ResolvedTimeouts(connect=None, first_token=None, chunk=None, total=None)
    if isinstance(timeout, Timeouts):
        return ResolvedTimeouts(
            connect=_pick("timeout.connect", timeout.connect, configured.connect),
            first_token=_pick("timeout.first_token", timeout.first_token, configured.first_token),
            chunk=_pick("timeout.chunk", timeout.chunk, configured.chunk),
            total=_pick("timeout.total", timeout.total, configured.total),
        )
    silence = _checked("timeout", timeout)
    return attrs.evolve(configured, first_token=silence, chunk=silence)


def whole_wait(timeout: TimeoutInput) -> TimeoutInput:
    """Return the limits of a plain call, of which a number is all the time that it may take.

    Raises:
        InvalidRequestError: A number that is not positive and finite.
    """
    if timeout is None or timeout is DEFAULT or isinstance(timeout, Timeouts):
        return timeout
    seconds = _checked("timeout", timeout)
    return Timeouts(first_token=seconds, chunk=seconds, total=seconds)


def _pick(argument: str, given: Limit, configured: float | None) -> float | None:
    if given is DEFAULT:
        return configured
    return None if given is None else _checked(argument, given)


def _checked(argument: str, seconds: object) -> float:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise InvalidRequestError(
            f"{argument} must be a number of seconds, a Timeouts record or None,"
            f" got {type(seconds).__name__}",
            argument=argument,
            hint="for example timeout=30 or timeout=Timeouts(total=120)",
        )
    if not 0 < seconds < math.inf:
        raise InvalidRequestError(
            f"{argument} must be a positive, finite number of seconds, got {shown(seconds)}",
            argument=argument,
            hint="use None for no limit",
        )
    return float(min(seconds, _LONGEST))
