"""The cookies of one server, given back to it: a load balancer tells by them who is served where."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Cookies"]

# What browsers keep of one server at least (RFC 6265 section 6.1); more is nobody's intention.
_MAX_COOKIES = 50


class Cookies:
    """Names and values. There is one server, so domains and paths say nothing new.

    Source: RFC 6265 section 5.2.
    """

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def update(self, set_cookies: Iterable[str]) -> None:
        """Take in the values of the header ``Set-Cookie``; what cannot be read is ignored."""
        for text in set_cookies:
            pair, *attributes = text.split(";")
            name, equals, value = pair.partition("=")
            name = name.strip()
            if not equals or not name or not name.isprintable():
                continue
            self._values.pop(name, None)
            if not _is_expired(attributes):
                self._values[name] = value.strip()
            while len(self._values) > _MAX_COOKIES:
                del self._values[next(iter(self._values))]

    def header(self) -> str | None:
        """Return the value of the header ``Cookie``, None without cookies."""
        return "; ".join(f"{name}={value}" for name, value in self._values.items()) or None


def _is_expired(attributes: Iterable[str]) -> bool:
    for attribute in attributes:
        name, _, value = attribute.partition("=")
        if name.strip().lower() == "max-age":
            return value.strip().lstrip("-").isdecimal() and int(value) <= 0
    return False
