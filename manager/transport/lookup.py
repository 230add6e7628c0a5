"""Looks up the addresses of a name, on a thread of its own: nothing can interrupt ``getaddrinfo``.

A caller that has waited long enough leaves the thread alone. Nobody takes a lock here, so that an
exception from a signal handler never leaves one held: single operations on dictionaries are atomic.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
import threading
import time
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from manager.hosts import needs_lookup
from manager.transport.addresses import Address, interleave

if TYPE_CHECKING:
    from collections.abc import Callable

    from manager.transport.destination import Destination

__all__ = ["Lookup", "known_addresses", "look_up"]

_LOOPBACK = ("127.0.0.1", "::1")  # IPv4 first: where Ollama listens unless it is told otherwise
# Elsewhere a thread that waits for a lock may be deaf to Ctrl-C.
_LONGEST_WAIT = threading.TIMEOUT_MAX if sys.platform == "linux" else 1.0

# By name, port and process: a forked child does not have its parent's threads.
_under_way: dict[tuple[str, int, int], Lookup] = {}


class Lookup:
    """A name lookup under way, or its outcome; shared by all that ask for the same meanwhile.

    Args:
        host: The name.
        port: The port of the addresses.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._key = (host, port, os.getpid())
        self._outcome: list[Address] | Exception | None = None
        self._wakers: dict[Callable[[], object], None] = {}

    def joined(self) -> Lookup:
        """Start the lookup, unless one for the same is under way; return the one to wait for."""
        try:
            current = _under_way.setdefault(self._key, self)
            if current is self:
                threading.Thread(target=self._run, name="ollama-lookup", daemon=True).start()
        except BaseException as error:  # others may have joined, and no thread would wake them
            self._finish(RuntimeError("no thread for the lookup was started"))
            if isinstance(error, RuntimeError) and "new thread" in str(error):
                return self
            raise
        return current

    @property
    def is_done(self) -> bool:
        """Whether there is an outcome."""
        return self._outcome is not None

    def addresses(self, destination: Destination) -> list[Address]:
        """Return the addresses in the order to try them; the lookup must be done.

        Raises:
            ConnectFailed: The name cannot be resolved.
        """
        outcome = self._outcome
        assert outcome is not None
        if isinstance(outcome, list):
            return outcome
        raise destination.not_resolved(_reason(outcome)) from outcome

    def add_waker(self, wake: Callable[[], object]) -> None:
        """Call ``wake``, on any thread and perhaps twice, once the lookup is done."""
        self._wakers[wake] = None
        if self.is_done:  # perhaps since the line before
            wake()

    def remove_waker(self, wake: Callable[[], object]) -> None:
        """Forget ``wake``: its caller does not wait any more."""
        self._wakers.pop(wake, None)

    def wait(self, deadline: float | None) -> bool:
        """Block until the lookup is done or the deadline (monotonic) passes; return ``is_done``."""
        done = threading.Lock()
        done.acquire()

        def wake() -> None:
            with suppress(RuntimeError):  # called a second time
                done.release()

        try:
            self.add_waker(wake)
            while not self.is_done:
                left = _LONGEST_WAIT if deadline is None else deadline - time.monotonic()
                if left <= 0:
                    break
                done.acquire(timeout=min(left, _LONGEST_WAIT))
        finally:
            self.remove_waker(wake)
        return self.is_done

    def _run(self) -> None:
        try:
            outcome: list[Address] | Exception = _resolve(self._host, self._port)
        except Exception as error:
            # Without its traceback, which would keep this frame, and so this object, in a cycle.
            outcome = error.with_traceback(None)
        self._finish(outcome)

    def _finish(self, outcome: list[Address] | Exception) -> None:
        if self._outcome is None:
            self._outcome = outcome
        if _under_way.get(self._key) is self:
            _under_way.pop(self._key, None)
        for wake in list(self._wakers):
            with suppress(RuntimeError):  # its event loop is closed
                wake()


def look_up(host: str, port: int) -> Lookup:
    """Start to look up a name, or join a lookup of it that is under way.

    Args:
        host: The name.
        port: The port of the addresses.
    """
    return _under_way.get((host, port, os.getpid())) or Lookup(host, port).joined()


def known_addresses(host: str, port: int) -> list[Address] | None:
    """Return the addresses of an IP address or ``localhost``; None if a lookup is needed.

    Args:
        host: A name or an IP address, without brackets.
        port: The port of the addresses.
    """
    known = _known(host)
    return None if known is None else [ip.at(port) for ip in known]


class _KnownIP(NamedTuple):
    text: str
    zone: str | None

    def at(self, port: int) -> Address:
        if ":" not in self.text:
            return Address(socket.AF_INET, (self.text, port))
        # The number of a zone is asked for each time: interfaces come and go.
        zone = 0 if self.zone is None else _zone_number(self.zone)
        return Address(socket.AF_INET6, (self.text, port, 0, zone))


@lru_cache(64)  # a program has a server or a few, and connects to them often
def _known(host: str) -> list[_KnownIP] | None:
    if needs_lookup(host):
        return None
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:  # "localhost": the loopback addresses, whatever a resolver says (RFC 6761)
        return [_KnownIP(text, None) for text in _LOOPBACK]
    text, _, zone = str(ip).partition("%")
    return [_KnownIP(text, zone or None)]


def _resolve(host: str, port: int) -> list[Address]:
    # As bytes, an ASCII name costs no import of the IDNA codec.
    name = host.encode() if host.isascii() else host
    addresses = interleave(
        _found(family, sockaddr)
        for family, _, _, _, sockaddr in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
        # A Python without IPv6 returns raw bytes for such an address.
        if family in (socket.AF_INET, socket.AF_INET6) and isinstance(sockaddr[0], str)
    )
    if not addresses:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")
    return addresses


def _found(family: int, sockaddr: Any) -> Address:
    return Address(family, sockaddr)


def _zone_number(zone: str) -> int:
    if zone.isdecimal():
        return int(zone)
    try:
        return socket.if_nametoindex(zone)
    except OSError:  # no such interface: the attempt to connect will fail, and say so
        return 0


def _reason(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return _GAI_REASONS.get(error.errno or 0) or error.strerror or str(error)
    if isinstance(error, ValueError):
        # UnicodeError, too: a label is too long
        return "it is not a valid host name"
    return str(error)


def _gai_reasons() -> dict[int, str]:
    words = {
        "EAI_NODATA": "it has no address",
        "EAI_ADDRFAMILY": "it has no address",
        "EAI_AGAIN": "the name servers do not answer",
        "EAI_FAIL": "the name servers failed",
        "EAI_NONAME": "no such name",  # last: some platforms use its number for others, too
    }
    return {getattr(socket, name): text for name, text in words.items() if hasattr(socket, name)}


_GAI_REASONS = _gai_reasons()
