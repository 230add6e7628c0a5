"""Which files is a model made of? One HTTP request, which also proves that the server answers."""

from __future__ import annotations

import json
import socket

from manager.supervisor.runners import digest_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["ShowModel"]

_MAX_ANSWER = 4 << 20


class ShowModel:
    """One ``POST /api/show``, moved on by whoever watches its socket.

    Args:
        host: Where to connect, an address of this machine.
        port: The port.
        model: The name of the model.
    """

    def __init__(self, host: str, port: int, model: str) -> None:
        self.done: bool = False
        self.digests: set[str] = set()
        self.socket: socket.socket | None = None
        body = json.dumps({"model": model}).encode()
        name = f"[{host}]" if ":" in host else host
        # By HTTP/1.0 the answer ends with the connection, and is not cut into chunks.
        head = (
            f"POST /api/show HTTP/1.0\r\nHost: {name}:{port}\r\n"
            "User-Agent: ollama-manager-probe\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._unsent = head.encode("latin-1", "replace") + body
        self._answer = b""
        try:
            family, kind, number, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM
            )[0]
            self.socket = socket.socket(family, kind, number)
            self.socket.setblocking(False)
            self.socket.connect_ex(address)  # a failure shows when it is written to
        except OSError:
            self.close()

    @property
    def wants_write(self) -> bool:
        """Whether the socket is to be watched for writing rather than reading."""
        return bool(self._unsent)

    def advance(self) -> bool:
        """Go on as far as possible without waiting.

        Returns:
            Whether it is over, and ``digests`` has what the model is made of: nothing when the
            server gave no such answer. Else watch ``socket`` and call again.
        """
        try:
            while self.socket is not None:
                if self._unsent:
                    self._unsent = self._unsent[self.socket.send(self._unsent) :]
                    continue
                data = self.socket.recv(65536)
                self._answer += data
                if not data or len(self._answer) > _MAX_ANSWER:
                    self.digests = files_of(self._answer) if not data else set()
                    self.close()
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            self.close()
        return True

    def close(self) -> None:
        """Close the socket; what has not come by then does not count."""
        self.done = True
        if self.socket is not None:
            self.socket.close()
            self.socket = None


def files_of(answer: bytes) -> set[str]:
    """Read the digests of a model's files from the answer about it.

    Args:
        answer: The whole answer, with its head.

    Returns:
        The digests of its ``FROM`` lines; none when it is no such answer.
    """
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split(b"\r\n", 1)[0].split(b" ")
    if len(status) < 2 or status[1] != b"200":
        return set()
    try:
        shown: Any = json.loads(body)
        lines = shown["modelfile"].splitlines()
    except (ValueError, KeyError, TypeError, AttributeError):
        return set()
    words = (line.partition("FROM ") for line in lines)
    found = (digest_in(path.strip()) for before, _, path in words if not before)
    return {digest for digest in found if digest}
