"""The cookies of one server: with some load balancers they decide which machine serves a client."""

from __future__ import annotations

import math
import re
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Cookies"]

# What browsers keep of one server at least (RFC 6265 section 6.1); more is nobody's intention.
_MAX_COOKIES: Final = 50
_MAX_SIZE: Final = 4096

_SENDABLE = re.compile(r"[\x20-\x7e\x80-\xff]*")
_SECONDS = re.compile(r"-?[0-9]+")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})")
_NAMES: Final = "jan feb mar apr may jun jul aug sep oct nov dec"
_MONTHS: Final = {name: month for month, name in enumerate(_NAMES.split(), 1)}


class Cookies:
    """Names and values, for any thread. There is one server: domains and paths say nothing new.

    Args:
        clock: Returns the seconds since 1970.

    Source: RFC 6265 section 5.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()  # of updates; the dictionary is replaced, never changed
        self._cookies: dict[str, tuple[str, float]] = {}

    def update(self, set_cookies: Iterable[str]) -> None:
        """Take in the values of the header ``Set-Cookie``; what cannot be read is ignored."""
        with self._lock:
            cookies = dict(self._cookies)
            for text in set_cookies:
                pair, *attributes = text.split(";")
                name, equals, value = pair.partition("=")
                name, value = name.strip(" \t"), value.strip(" \t")
                if not equals or not name or not _can_be_sent(name, value):
                    continue
                cookies.pop(name, None)
                expires = self._expiry(attributes)
                if expires > self._clock():
                    cookies[name] = (value, expires)
            for name in list(cookies)[:-_MAX_COOKIES]:
                del cookies[name]
            self._cookies = cookies

    def header(self) -> str | None:
        """Return the value of the header ``Cookie``, None without cookies."""
        if not self._cookies:
            return None
        now = self._clock()
        pairs = [f"{name}={value}" for name, (value, end) in self._cookies.items() if end > now]
        return "; ".join(pairs) or None

    def _expiry(self, attributes: Iterable[str]) -> float:
        """Return when a cookie ends; ``Max-Age`` counts more than ``Expires``."""
        by_age: float | None = None
        by_date: float | None = None
        for attribute in attributes:
            name, _, value = attribute.partition("=")
            name, value = name.strip(" \t").lower(), value.strip(" \t")
            if name == "max-age" and _SECONDS.fullmatch(value):
                by_age = self._clock() + float(value)  # any number of digits
            elif name == "expires":
                by_date = _read_date(value)
        expiry = by_date if by_age is None else by_age
        return math.inf if expiry is None else expiry


def _can_be_sent(name: str, value: str) -> bool:
    pair = f"{name}={value}"
    return len(pair) <= _MAX_SIZE and _SENDABLE.fullmatch(pair) is not None


def _read_date(text: str) -> float | None:
    """Return the moment of a date in any of the usual forms (RFC 6265 section 5.1.1)."""
    clock: list[int] = []
    day = month = year = 0
    for word in re.split(r"[^0-9A-Za-z:]+", text):
        if not clock and (found := _TIME.fullmatch(word)):
            clock = [int(number) for number in found.groups()]
        elif not day and re.fullmatch(r"[0-9]{1,2}", word):
            day = int(word)
        elif not month and word[:3].lower() in _MONTHS:
            month = _MONTHS[word[:3].lower()]
        elif not year and re.fullmatch(r"[0-9]{2}|[0-9]{4}", word):
            year = int(word)
    if not clock or not year:
        return None
    if year < 100:
        year += 1900 if year >= 70 else 2000
    hour, minute, second = clock
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:  # a part is missing, or it is not in the calendar
        return None
