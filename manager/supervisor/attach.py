"""Getting to the supervisor of an address, for whoever wants something of it.

These functions wait, for milliseconds as a rule; they run on a thread of the link's, or in a
program's own thread in ``client``.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
import time
from contextlib import suppress

from manager.errors import ServerUnavailableError
from manager.supervisor import failures
from manager.supervisor.processes import find, kill
from manager.supervisor.protocol import (
    PROTOCOL,
    LineBuffer,
    connect,
    encode,
    peer_of,
    send_with_fd,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Self

__all__ = ["Channel", "attach", "kill_hung", "supported"]

_HELLO_TIMEOUT = 5.0
_SEND_TIMEOUT = 5.0
_TRIES = 20
_MOST_HUNG = 2  # one may be followed by another; what outlives SIGKILL is left to people


class _NoHelloError(Exception):
    """The supervisor ended."""


class _HungError(_NoHelloError):
    """The supervisor did not answer, and was killed."""


class Channel:
    """A greeted connection to a supervisor.

    Args:
        connection: The socket.
        supervisor_pid: The supervisor's pid, as the kernel tells it; 0: in another namespace.
    """

    def __init__(self, connection: socket.socket, supervisor_pid: int) -> None:
        self.socket = connection
        self.supervisor_pid = supervisor_pid
        self.ended: bool = False
        self._buffer = LineBuffer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        """Return the descriptor, for selectors."""
        return self.socket.fileno()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message; a supervisor that has gone is noticed by the next ``receive``.

        Args:
            message: JSON-ready data.
        """
        self.socket.settimeout(_SEND_TIMEOUT)
        with suppress(OSError):
            self.socket.sendall(encode(message))

    def receive(self, timeout: float = 0.0) -> list[dict[str, Any]] | None:
        """Take what has come.

        Args:
            timeout: Seconds to wait for something to come.

        Returns:
            The messages, possibly none; None when the connection has ended.
        """
        self.socket.settimeout(timeout)
        try:
            data = self.socket.recv(65536)
            messages = list(self._buffer.feed(data))
        except (BlockingIOError, InterruptedError, TimeoutError):
            return []
        except (OSError, ValueError):
            data, messages = b"", []
        self.ended = not data
        return messages if data else None

    def request(self, message: Mapping[str, Any], timeout: float) -> dict[str, Any] | None:
        """Send a request and wait for its answer, on a connection that nobody else reads.

        Args:
            message: The request; gets the id 0.
            timeout: Seconds.

        Returns:
            The answer; None when none came.
        """
        deadline = time.monotonic() + timeout
        self.send({"id": 0, **message})
        while (left := deadline - time.monotonic()) > 0:
            messages = self.receive(left)
            if messages is None:
                return None
            for answer in messages:
                if answer.get("id") == 0:
                    return answer
        return None

    def close(self) -> None:
        """End the connection, and with it the lease."""
        self.socket.close()


def supported() -> bool:
    """Whether this platform can run a supervisor; elsewhere servers are only adopted."""
    return sys.platform != "win32" and hasattr(socket, "AF_UNIX")


def attach(address: str) -> Channel | None:
    """Connect to the supervisor of an address and exchange hellos.

    One that ends meanwhile is waited for, one that hangs is killed, an idle one of another
    version is asked to go.

    Args:
        address: The server's address, ``host:port``.

    Returns:
        The connection; None when there is no supervisor.

    Raises:
        ServerUnavailableError: When another user sits there, or a leased one of another version,
            or one that neither answers nor ends.
    """
    if not supported():
        return None
    hung = 0
    for attempt in range(_TRIES):
        try:
            connection = connect(address, _HELLO_TIMEOUT)
        except ConnectionRefusedError:
            return None
        except PermissionError as error:
            raise ServerUnavailableError(
                f"another user holds the meeting place of {address}",
                hint="Choose another `host`.",
                code="supervisor_not_ours",
                retryable=False,
            ) from error
        except OSError as error:
            if error.errno not in (errno.ECONNRESET, errno.EAGAIN, errno.EPIPE):
                raise
            time.sleep(0.005 * (attempt + 1))
            continue
        channel = Channel(connection, peer_of(connection).pid)
        try:
            hello = _greet(channel, address)
        except _NoHelloError as ended:
            channel.close()
            hung += isinstance(ended, _HungError)
            if hung > _MOST_HUNG:
                break
            time.sleep(0.002 * (attempt + 1))
            continue
        except BaseException:
            channel.close()
            raise
        if hello["protocol"] == PROTOCOL:
            return channel
        _replace(channel, hello, address)
    raise failures.not_answering(address)


def kill_hung(channel: Channel, address: str) -> None:
    """Kill a supervisor that does not answer.

    Args:
        channel: A connection to it.
        address: The server's address, ``host:port``.

    Raises:
        ServerUnavailableError: When that is not possible.
    """
    pid = channel.supervisor_pid
    # Without /proc nobody knows whether that number is still its.
    if pid in (0, os.getpid()) or sys.platform != "linux":
        raise failures.not_answering(address)
    process = find(pid)
    try:
        if process is not None:
            kill(process, signal.SIGKILL)
    except OSError as error:
        raise failures.not_answering(address) from error


def _greet(channel: Channel, address: str) -> Mapping[str, Any]:
    hello = {"hello": {"protocol": PROTOCOL, "pid": os.getpid()}}
    handle = _own_handle()
    try:
        send_with_fd(channel.socket, encode(hello), handle)
    except OSError as error:
        raise _NoHelloError from error
    finally:
        if handle is not None:
            os.close(handle)
    started = time.monotonic()
    messages = channel.receive(_HELLO_TIMEOUT)
    if messages:
        return dict(messages[0]["hello"])
    if messages is not None and time.monotonic() - started >= _HELLO_TIMEOUT:
        kill_hung(channel, address)
        raise _HungError
    raise _NoHelloError


def _own_handle() -> int | None:
    """A descriptor of this process: its end is seen even if a forked child keeps the socket."""
    if sys.platform == "linux" and hasattr(os, "pidfd_open"):
        try:
            return os.pidfd_open(os.getpid())
        except OSError:
            return None  # an old kernel, or a sandbox
    return None


def _replace(channel: Channel, hello: Mapping[str, Any], address: str) -> None:
    try:
        if hello.get("leases"):
            raise ServerUnavailableError(
                f"the server at {address} is looked after by another version of this package",
                hint="Close the programs that use it (or run `ollama-manager stop`), then retry.",
                code="supervisor_version",
                retryable=False,
            )
        channel.request({"op": "stop"}, timeout=30.0)
    finally:
        channel.close()
