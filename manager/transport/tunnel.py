"""The request for a tunnel through a proxy, and what its answer means. No I/O.

Source: RFC 9110 section 9.3.6.
"""

from __future__ import annotations

from manager.transport.exceptions import ProxyFailed
from manager.transport.http1 import ResponseParser

__all__ = ["Tunnel"]


class Tunnel:
    """Asks a proxy to connect to the server.

    Args:
        target: The server, ``host:port``.
        fields: Header lines for the proxy.
    """

    def __init__(self, target: str, fields: bytes) -> None:
        name = target.encode("idna" if not target.isascii() else "ascii")
        self.request: bytes = b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (name, name, fields)
        # a tunnel has no body, whatever the head of the answer says of one
        self.answer: ResponseParser = ResponseParser("HEAD")

    def check(self) -> None:
        """Do nothing if the tunnel is there.

        Raises:
            ProxyFailed: The proxy refused.
        """
        status = self.answer.status
        if 200 <= status < 300:
            return
        reasons = {
            403: "it does not allow connections to that server",
            407: "it wants credentials: put them into its URL, http://user:password@proxy:port",
            502: "it cannot reach that server",
            503: "it cannot reach that server",
            504: "it cannot reach that server",
        }
        reason = f": {reasons[status]}" if status in reasons else ""
        raise ProxyFailed(f"the proxy refused the connection with status {status}{reason}", status)
