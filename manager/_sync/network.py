# generated from manager/_async/network.py by codegen.sh - do not edit
"""Network streams for httpcore that join the HTTP chunks which arrive together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from httpcore import NetworkBackend, NetworkStream

from manager._sync.pool import quicken
from manager.chunk_joining import ChunkJoiner

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    import httpx

__all__ = ["JoiningBackend", "JoiningStream", "join_chunks"]


def join_chunks(client: httpx.Client) -> None:
    """Let the connections that ``client`` makes from now on join chunks, also through proxies.

    httpcore takes a network backend, but httpx has no argument to hand one on. Making the
    connection pools here instead would mean to do again all that httpx does about proxies, so
    theirs are given it afterwards; should httpx or httpcore keep them elsewhere one day, they stay
    as they are.
    """
    mounted: dict[object, object] = getattr(client, "_mounts", {})
    for transport in (getattr(client, "_transport", None), *mounted.values()):
        pool: Any = getattr(transport, "_pool", None)
        backend = getattr(pool, "_network_backend", None)
        if isinstance(backend, NetworkBackend):
            pool._network_backend = JoiningBackend(backend)
            quicken(pool)


class JoiningStream(NetworkStream):
    """A connection that hands over in one HTTP chunk what arrived in one read.

    Args:
        stream: The connection itself.
    """

    def __init__(self, stream: NetworkStream) -> None:
        self._stream = stream
        self._joiner = ChunkJoiner()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what there is to read, once there is something; nothing at the end."""
        return self._joiner.received(self._stream.read(max_bytes, timeout))

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
