"""The request for a tunnel through a proxy, and what its answer means. No I/O.

Source: RFC 9110 section 9.3.6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from manager.transport.exceptions import ConnectFailed, ConnectionLost, ProxyFailed
from manager.transport.http1 import ResponseParser, request_line

if TYPE_CHECKING:
    from manager.transport.exceptions import TransportError

__all__ = ["Tunnel"]

_UNREACHABLE: Final = "it cannot reach that server"
_REASONS: Final = {
    403: "it does not allow connections to that server",
    407: "it wants credentials: put them into its URL, http://user:password@proxy:port",
    502: _UNREACHABLE,
    503: _UNREACHABLE,
    504: _UNREACHABLE,
}


class Tunnel:
    """Asks a proxy to connect to the server.

    Args:
        target: The server, ``host:port``.
        fields: Header lines for the proxy.

    Raises:
        ValueError: The target would break the message.
    """

    def __init__(self, target: str, fields: bytes) -> None:
        line = request_line("CONNECT", target)
        self.request: bytes = b"%bHost: %b\r\n%b\r\n" % (line, target.encode("ascii"), fields)
        # a tunnel has no body, whatever the head of the answer says of one
        self.answer: ResponseParser = ResponseParser("HEAD")

    def check(self) -> None:
        """Do nothing if the tunnel is there.

        Raises:
            ProxyFailed: The proxy refused, or cannot be used for TLS.
        """
        status = self.answer.status
        if not 200 <= status < 300:
            reason = f": {_REASONS[status]}" if status in _REASONS else ""
            raise ProxyFailed(
                f"the proxy refused the connection with status {status}{reason}", status
            )
        if self.answer.has_surplus:  # the client is the first to speak
            raise ProxyFailed("the proxy sent something before the tunnel was used")

    @staticmethod
    def broke(error: TransportError, *, by_us: bool) -> TransportError:
        """Return the error for a connection that ended before the proxy had answered properly.

        Args:
            error: What happened to it.
            by_us: Whether this program has ended it.
        """
        if by_us:
            return ConnectionLost(str(error))
        return ConnectFailed(f"the proxy did not connect to the server: {error}")
