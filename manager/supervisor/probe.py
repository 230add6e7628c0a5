"""Is that Ollama? One HTTP request, without blocking and without a client library.

Only an HTTP 200 proves that a server is ready: Ollama binds its port long before it answers, and
a request that is sent meanwhile is answered the moment it can be.
"""

from __future__ import annotations

import errno
import json
import os
import select
import socket
import time
from enum import StrEnum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["CUT_PATIENCE", "Probe", "Verdict", "probe_now"]

_MAX_ANSWER = 65536
_ASK_AGAIN = 0.01
_NOBODY = frozenset({errno.ECONNREFUSED, errno.ENETUNREACH, errno.EADDRNOTAVAIL})
CUT_PATIENCE = 0.3
"""A server on its way out cuts connections just before it frees the port: ask again this long."""
_GREETING = b"Ollama is running"
_IN_PROGRESS = frozenset({0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR, errno.EISCONN})


class Verdict(StrEnum):
    """What a probe found; ``CUT``: the connection ended before an answer."""

    OLLAMA = "ollama"
    OTHER = "other"
    FREE = "free"
    SILENT = "silent"
    CUT = "cut"


class Probe:
    """One ``GET /api/version``, moved on by whoever watches its socket.

    A 200 with a JSON object that has a ``version`` is Ollama's. Any other answer gets a second
    question, ``GET /``, whose greeting is Ollama's too. An error status of Ollama's kind while it
    starts is not there: it answers 200 or not at all.

    Args:
        host: Where to connect; a name is looked up, which may block.
        port: The port.
    """

    __slots__ = ("_answer", "_asked", "_host", "_paths", "_port", "socket", "verdict", "version")

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._paths = ["/", "/api/version"]
        self._answer = b""
        self._asked = False
        self.verdict: Verdict | None = None
        self.version: str | None = None
        self.socket: socket.socket | None = None
        self._connect()

    @property
    def wants_write(self) -> bool:
        """Whether the socket is to be watched for writing rather than reading."""
        return not self._asked

    def advance(self) -> Verdict | None:
        """Go on as far as possible without waiting.

        Returns:
            The verdict, or None while it is open: watch ``socket`` and call again.
        """
        while self.verdict is None and self.socket is not None:
            try:
                if not (self._receive() if self._asked else self._ask()):
                    break
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                self._failed(error)
        return self.verdict

    def close(self) -> None:
        """Close the socket."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def _connect(self) -> None:
        self.close()
        self._answer = b""
        self._asked = False
        try:
            # As bytes: a text would load the codec of names in other scripts.
            name = self._host.encode() if self._host.isascii() else self._host
            family, kind, number, _, address = socket.getaddrinfo(
                name, self._port, type=socket.SOCK_STREAM
            )[0]
            self.socket = socket.socket(family, kind, number)
            self.socket.setblocking(False)
            failure = self.socket.connect_ex(address)
        except OSError as error:
            self._failed(error)
            return
        if failure not in _IN_PROGRESS:
            self._failed(OSError(failure, os.strerror(failure)))

    def _ask(self) -> bool:
        assert self.socket is not None
        failure = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failure:
            raise OSError(failure, os.strerror(failure))
        try:
            peer = self.socket.getpeername()
        except OSError:
            return False
        if peer == self.socket.getsockname():
            # A free port in the ephemeral range can be given to the asking socket itself.
            raise OSError(errno.ECONNREFUSED, "connected to itself")
        name = f"[{self._host}]" if ":" in self._host else self._host
        request = (
            f"GET {self._paths[-1]} HTTP/1.1\r\nHost: {name}:{self._port}\r\n"
            "User-Agent: ollama-manager-probe\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        )
        self.socket.send(request.encode("latin-1", "replace"))
        self._asked = True
        return True

    def _receive(self) -> bool:
        assert self.socket is not None
        data = self.socket.recv(_MAX_ANSWER)
        self._answer += data
        if not self._answer:
            raise ConnectionResetError(errno.ECONNRESET, "no answer")
        if data and len(self._answer) < _MAX_ANSWER and not self._complete():
            return True
        self._judge()
        return True

    def _complete(self) -> bool:
        head, found, body = self._answer.partition(b"\r\n\r\n")
        if not found:
            return False
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"content-length" and value.strip().isdigit():
                return len(body) >= int(value)
        return False

    def _judge(self) -> None:
        head, _, body = self._answer.partition(b"\r\n\r\n")
        status = head.split(b"\r\n", 1)[0].split(b" ")
        ok = len(status) > 1 and status[0].startswith(b"HTTP/") and status[1] == b"200"
        path = self._paths.pop()
        version = _version(body) if ok and path == "/api/version" else None
        if version is not None or (ok and path == "/" and body.strip() == _GREETING):
            self.version = version
            self._end(Verdict.OLLAMA)
        elif self._paths and status[0].startswith(b"HTTP/"):
            self._connect()
        else:
            self._end(Verdict.OTHER)

    def _failed(self, error: OSError) -> None:
        # Nothing is taken at an address that does not exist; a start there will say why.
        nobody = error.errno in _NOBODY or isinstance(error, socket.gaierror)
        self._end(Verdict.FREE if nobody else Verdict.CUT)

    def _end(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self.close()


def probe_now(host: str, port: int, timeout: float = 1.0) -> tuple[Verdict, str | None]:
    """Find out what listens at an address, waiting for the answer.

    Args:
        host: Where to connect.
        port: The port.
        timeout: Seconds after which what does not answer is called silent.

    Returns:
        What is there (never ``CUT``), and the version if it is an Ollama that tells.
    """
    deadline = time.monotonic() + timeout
    patience = time.monotonic() + CUT_PATIENCE
    while True:
        verdict, version = _probe_once(host, port, deadline)
        if verdict is not Verdict.CUT:
            return verdict, version
        if time.monotonic() > min(patience, deadline):
            return Verdict.OTHER, None
        time.sleep(_ASK_AGAIN)


def _probe_once(host: str, port: int, deadline: float) -> tuple[Verdict, str | None]:
    probe = Probe(host, port)
    try:
        while probe.advance() is None:
            left = deadline - time.monotonic()
            if left <= 0 or probe.socket is None:
                return Verdict.SILENT, None
            _wait(probe.socket, left, write=probe.wants_write)
        return probe.verdict or Verdict.SILENT, probe.version
    finally:
        probe.close()


def _wait(watched: socket.socket, timeout: float, *, write: bool) -> None:
    if hasattr(select, "poll"):  # select() cannot watch descriptors above 1023
        poll = select.poll()
        poll.register(watched, select.POLLOUT if write else select.POLLIN)
        poll.poll(max(1, timeout * 1000))
    else:
        select.select([] if write else [watched], [watched] if write else [], [], timeout)


def _version(body: bytes) -> str | None:
    # Chunked bodies begin with their length; the JSON object is what lies between the braces.
    start, end = body.find(b"{"), body.rfind(b"}")
    try:
        data: Any = json.loads(body[start : end + 1])
        version = data["version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return version if isinstance(version, str) else None
