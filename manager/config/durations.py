"""Durations in the forms that Ollama reads from its environment."""

from __future__ import annotations

import re

from manager.errors import InvalidRequestError

__all__ = ["is_duration"]

_SECONDS = re.compile(r"[+-]?[0-9]{1,18}")
_MAX_SECONDS = (2**63 - 1) // 10**9
_MAX_LENGTH = 100


def is_duration(text: str) -> bool:
    """Say whether Ollama takes a text for a duration: ``5m``, ``1h30m``, ``-1``, ``300``.

    Unlike in a request, a number without a unit is good: seconds.

    Source: Ollama ``envconfig.KeepAlive``, Go ``time.ParseDuration``.
    """
    from manager.keep_alive import check_keep_alive  # rarely needed, and not cheap to import

    if len(text) > _MAX_LENGTH:
        return False
    if _SECONDS.fullmatch(text):
        return abs(int(text)) <= _MAX_SECONDS
    try:
        check_keep_alive(text)
    except InvalidRequestError:
        return False
    return True
