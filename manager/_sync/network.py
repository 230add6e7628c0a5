# generated from manager/_async/network.py by codegen.sh - do not edit
"""Connections for httpcore: made in time, and with the HTTP chunks joined that arrive together."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from httpcore import ConnectTimeout, NetworkBackend, NetworkStream

from manager._sync.pool import quicken
from manager.chunk_joining import ChunkJoiner
from manager.hosts import needs_lookup
from manager.waiting_sync import connect_sync

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    import httpx

__all__ = [
    "JoiningBackend",
    "JoiningStream",
    "TimelyBackend",
    "connect_in_time",
    "join_chunks",
    "pools_of",
]


_MOST_AT_ONCE = 2**20


def connect_in_time(client: httpx.Client) -> None:
    """Have the connect limit hold for name lookups too, of which httpcore knows nothing."""
    for pool in pools_of(client):
        pool._network_backend = TimelyBackend(pool._network_backend)


def join_chunks(client: httpx.Client) -> None:
    """Let the connections that ``client`` makes from now on join chunks, also through proxies."""
    for pool in pools_of(client):
        pool._network_backend = JoiningBackend(pool._network_backend)
        quicken(pool)


def pools_of(client: httpx.Client) -> list[Any]:
    """Return the connection pools of ``client``, whose network backend can be another one.

    httpcore takes a network backend, but httpx has no argument to hand one on. Making the
    connection pools here instead would mean to do again all that httpx does about proxies, so
    theirs are given it afterwards; should httpx or httpcore keep them elsewhere one day, they stay
    as they are.
    """
    mounted: dict[object, object] = getattr(client, "_mounts", {})
    transports = (getattr(client, "_transport", None), *mounted.values())
    pools = [getattr(transport, "_pool", None) for transport in transports]
    return [
        pool
        for pool in pools
        if isinstance(getattr(pool, "_network_backend", None), NetworkBackend)
    ]


class JoiningStream(NetworkStream):
    """A connection that hands over in one HTTP chunk what arrived in one read.

    Chunks can also be taken off it past h11, which sees no trace of them.

    Args:
        stream: The connection itself.
    """

    def __init__(self, stream: NetworkStream) -> None:
        self._stream = stream
        self._joiner = ChunkJoiner()
        self._unread = b""
        self._is_for_h11 = False  # what is unread

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what there is to read, once there is something; nothing at the end."""
        data, self._unread, self._is_for_h11 = self._unread, b"", False
        joiner = self._joiner
        if not data:
            was_at_head = joiner.is_at_head
            data = self._stream.read(max_bytes, timeout)
            end = data.find(b"\r\n\r\n") if was_at_head else -1
            if end >= 0:  # a head goes to h11 alone: the chunks behind it may be taken past it
                end += 4
                head = joiner.received(data[:end])
                if joiner.is_at_chunk:
                    self._unread = data[end:]
                    return head
                return head + joiner.received(data[end:])
        return joiner.received(data)

    def may_be_read(self, taken: int) -> bool:
        """Whether chunks may be read past h11: it has handed over all that it was given.

        Args:
            taken: The bytes of the body that have come by way of it.
        """
        joiner = self._joiner
        return joiner.is_at_chunk and joiner.handed_over == taken and not self._is_for_h11

    def read_chunks(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what arrives next in chunks; nothing where that is for h11 to understand."""
        while True:
            data = self._unread
            if not data:
                # each read of a long chunk costs as much as that of a short one
                most = max(max_bytes, min(self._joiner.to_take, _MOST_AT_ONCE))
                data = self._stream.read(most, timeout)
            payloads, self._unread = self._joiner.take(data)
            self._is_for_h11 = bool(self._unread) or not data
            if payloads or self._is_for_h11:
                return payloads[0] if len(payloads) == 1 else b"".join(payloads)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of ``buffer``."""
        self._joiner.sent(buffer)
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        """End the connection."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> NetworkStream:
        """Return the connection that is encrypted from here on."""
        return JoiningStream(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """Return what is known of the connection itself, its socket for one."""
        return self._stream.get_extra_info(info)


class JoiningBackend(NetworkBackend):
    """Makes such connections.

    Args:
        backend: Makes the connections themselves.
    """

    def __init__(self, backend: NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> NetworkStream:
        """Return a connection to a port."""
        return JoiningStream(
            self._backend.connect_tcp(host, port, timeout, local_address, socket_options)
        )

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> NetworkStream:
        """Return a connection to a UNIX socket."""
        return JoiningStream(self._backend.connect_unix_socket(path, timeout, socket_options))

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        self._backend.sleep(seconds)


class TimelyBackend(NetworkBackend):
    """Makes connections within their limit, name lookups included.

    Args:
        backend: Makes the connections themselves.
    """

    def __init__(self, backend: NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> NetworkStream:
        """Return a connection to a port."""
        connect = partial(
            self._backend.connect_tcp, host, port, timeout, local_address, socket_options
        )
        if timeout is None or not needs_lookup(host):
            return connect()
        try:
            return connect_sync(connect, timeout)
        except TimeoutError:
            raise ConnectTimeout(f"no address of {host} answered in time") from None

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> NetworkStream:
        """Return a connection to a UNIX socket."""
        return self._backend.connect_unix_socket(path, timeout, socket_options)

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        self._backend.sleep(seconds)
