"""What can go wrong on the way to the server and back; ``responses`` makes errors for users of it.

TransportError
 +-- ConnectFailed          no connection: refused, no route, no such name, TLS handshake
 |    +-- ProxyFailed       the proxy refused to connect to the server
 +-- ConnectTimedOut        no connection in time, the name lookup and the handshake included
 +-- TransferTimedOut       the peer neither read nor wrote for too long
 +-- ConnectionLost         the connection ended before the answer was complete
 +-- InvalidAnswer          what arrived is not HTTP/1.1, or is larger than allowed
 +-- InvalidEncoding        the content coding of the answer (gzip) is damaged or unknown
 +-- ConnectionsInUse       no connection became free in time
 +-- NeverSent              the request cannot be sent by this transport
"""

from __future__ import annotations

__all__ = [
    "ConnectFailed",
    "ConnectTimedOut",
    "ConnectionLost",
    "ConnectionsInUse",
    "InvalidAnswer",
    "InvalidEncoding",
    "NeverSent",
    "ProxyFailed",
    "TransferTimedOut",
    "TransportError",
]


class TransportError(Exception):
    """A request was not sent, or its answer did not arrive; the message says why."""


class ConnectFailed(TransportError):
    """No connection could be made."""


class ProxyFailed(ConnectFailed):
    """The proxy refused to connect to the server.

    Args:
        message: What happened, in words.
        status: What the proxy answered with; 0 if that is not known.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status: int = status


class ConnectTimedOut(TransportError):
    """No connection could be made in time."""


class TransferTimedOut(TransportError):
    """The peer neither read nor wrote for too long."""


class ConnectionLost(TransportError):
    """The connection ended before the answer was complete."""


class InvalidAnswer(TransportError):
    """What arrived is not a valid HTTP/1.1 answer, or is larger than allowed."""


class InvalidEncoding(TransportError):
    """The content coding of the answer is damaged or unknown."""


class ConnectionsInUse(TransportError):
    """All connections were in use for too long."""


class NeverSent(TransportError):
    """The request cannot be sent by this transport."""
