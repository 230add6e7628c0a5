"""From a host and a port to a connected TCP socket, in time; blocking."""

from __future__ import annotations

import errno
import os
import selectors
import sys
import time
from typing import TYPE_CHECKING

from manager.transport.addresses import ConnectRace
from manager.transport.destination import Destination, Failure
from manager.transport.lookup import known_addresses, look_up
from manager.transport.sockets import (
    begin_connect,
    discard,
    finish_connect,
    open_socket,
    unopened,
)

if TYPE_CHECKING:
    import socket

    from manager.transport.addresses import Address

__all__ = ["dial"]

# Only on Linux was it seen that a signal ends every wait; elsewhere Ctrl-C is noticed in between.
_WAKES_ON_SIGNALS = sys.platform == "linux"
# Milliseconds in 31 bits are what the system takes; it gives up on a connection long before.
_LONGEST_WAIT = 2_000_000.0 if _WAKES_ON_SIGNALS else 1.0

# What ``connect_ex`` returns when the limit of ``settimeout`` has passed.
_OUT_OF_TIME = {errno.EAGAIN, errno.EWOULDBLOCK}

# poll needs no descriptor of its own, unlike epoll and kqueue; Windows has select only.
_Selector: type[selectors.BaseSelector] = getattr(
    selectors, "PollSelector", selectors.SelectSelector
)


def dial(host: str, port: int, seconds: float | None) -> socket.socket:
    """Return a blocking socket that is connected to a server.

    An exception from a signal handler leaves no socket open.

    Args:
        host: A name or an IP address, without brackets.
        port: 1 to 65535.
        seconds: The limit for the name lookup and all attempts together; None for no limit.

    Raises:
        ConnectFailed: The name cannot be resolved, or no address accepts a connection.
        ConnectTimedOut: The limit passed.
    """
    destination = Destination(host, port, seconds)
    deadline = None if seconds is None else time.monotonic() + seconds
    addresses = known_addresses(host, port)
    if addresses is None:
        addresses = _look_up(destination, deadline)
    if len(addresses) == 1 and _WAKES_ON_SIGNALS:
        return _dial_one(destination, addresses[0], deadline)
    return _dial_first(destination, addresses, deadline)


def _look_up(destination: Destination, deadline: float | None) -> list[Address]:
    lookup = look_up(destination.host, destination.port)
    if not lookup.wait(deadline):
        raise destination.not_resolved_in_time()
    return lookup.addresses(destination)


def _dial_one(destination: Destination, address: Address, deadline: float | None) -> socket.socket:
    left = None if deadline is None else min(deadline - time.monotonic(), _LONGEST_WAIT)
    if left is not None and left <= 0:
        raise destination.timed_out()
    sock = unopened()
    try:
        open_socket(sock, address)
        sock.settimeout(left)
        code = sock.connect_ex(address.sockaddr)
        if code in _OUT_OF_TIME and left is not None:
            raise destination.timed_out()
        if code:
            raise OSError(code, os.strerror(code))
        sock.settimeout(None)
        finish_connect(sock, address.sockaddr)
        return sock
    except BaseException as error:
        discard(sock)
        if isinstance(error, OSError) and error.errno is not None:
            raise destination.failed([Failure(address, error)]) from error
        raise  # a signal handler's, be it an OSError: those of the system have a number


def _dial_first(
    destination: Destination, addresses: list[Address], deadline: float | None
) -> socket.socket:
    attempts = _Attempts(destination, addresses)
    try:
        winner = attempts.run(deadline)
        winner.setblocking(True)
        attempts.close(but=winner)
        return winner
    except BaseException:
        attempts.close()
        raise


class _Attempts:
    """The attempts of one dial, each on a non-blocking socket of its own.

    Args:
        destination: What is dialed.
        addresses: In the order in which they are to be tried.
    """

    def __init__(self, destination: Destination, addresses: list[Address]) -> None:
        self._destination = destination
        self._race = ConnectRace(addresses)
        self._selector = _Selector()
        self._sockets: list[socket.socket] = []
        self._failures: list[Failure] = []

    def run(self, deadline: float | None) -> socket.socket:
        """Return the socket that connects first; ``close`` then closes the others."""
        while not self._race.is_lost:
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                raise self._destination.timed_out()
            address = self._race.due(now)
            winner = self._wait(now, deadline) if address is None else self._start(address, now)
            if winner is not None:
                return winner
        raise self._destination.failed(self._failures)

    def close(self, but: socket.socket | None = None) -> None:
        """Close every socket but one."""
        for sock in self._sockets:
            if sock is not but:
                discard(sock)
        self._selector.close()

    def _start(self, address: Address, now: float) -> socket.socket | None:
        self._race.started(now)
        sock = unopened()
        self._sockets.append(sock)
        try:
            open_socket(sock, address)
            sock.setblocking(False)
            is_connected = begin_connect(sock, address.sockaddr)
        except OSError as error:
            self._failed(sock, address, error)
            return None
        if is_connected:
            return self._finish(sock, address)
        self._selector.register(sock, selectors.EVENT_WRITE, (sock, address))
        return None

    def _wait(self, now: float, deadline: float | None) -> socket.socket | None:
        to_next = self._race.seconds_to_next(now)
        left = None if deadline is None else deadline - now
        waits = [_LONGEST_WAIT, *(wait for wait in (to_next, left) if wait is not None)]
        for key, _ in self._selector.select(min(waits)):
            self._selector.unregister(key.fileobj)
            winner = self._finish(*key.data)
            if winner is not None:
                return winner
        return None

    def _finish(self, sock: socket.socket, address: Address) -> socket.socket | None:
        try:
            finish_connect(sock, address.sockaddr)
        except OSError as error:
            self._failed(sock, address, error)
            return None
        self._race.connected()
        return sock

    def _failed(self, sock: socket.socket, address: Address, error: OSError) -> None:
        if error.errno is None:
            raise error  # a signal handler's: those of the system have a number
        discard(sock)
        self._race.failed()
        # Without its traceback, which would keep this object in a cycle.
        self._failures.append(Failure(address, error.with_traceback(None)))
