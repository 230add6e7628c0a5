"""The wire between managers and the supervisor: lines of JSON over a Unix stream socket.

The first line each way is the hello. ``hello``, ``lease``, ``status`` and ``stop`` never change
their form, so that any version can ask any other to go:

    -> {"hello": {"protocol": 1, "pid": 7}}            with the manager's pidfd beside it, on Linux
    <- {"hello": {"protocol": 1, "pid": 8, "leases": 0}}
    -> {"id": 1, "op": "lease", "settings": {...}, "mode": "join" | "rejoin" | ...}
       a lease with other settings has "change": {"drain": true, "again": false} besides
    <- {"accepted": 1}                   nobody has anything against them; its answer follows
    -> {"id": 2, "op": "status"}    {"id": 3, "op": "stop"}    {"id": 4, "op": "release"}
    <- {"id": 1, "ok": {...snapshot}}   or   {"id": 1, "error": {...OllamaManagerError.to_dict}}
    <- {"snapshot": {...}}               every change, to every lease holder
    <- {"ask": "in_flight"}              -> {"in_flight": 3}
    <- {"ask": "waiting"}                -> {"waiting": [{"model": "x", "seconds": 31.2,
                                                          "begun": true}],
                                             "left": {"y": 7.5}}
    <- {"resend": "x"}                   its runner was killed: who waits for it, asks again
    <- {"ended": "stopped" | "foreign" | "failed" | "over", "snapshot": {...}}

``waiting`` has everybody who waits in a read for the bytes of a runner, for so many seconds, and
whether a part of the answer has come; ``left`` the models whose answers had begun and were left
before their end, and how many seconds ago. A ``release`` says what was ``left``, too.

The meeting place is an abstract socket named by effective uid and address on Linux: binding it is
the lock, and death frees it. Elsewhere it is a socket in an owner-only folder, with a lock file
that is held for life.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

__all__ = [
    "PROTOCOL",
    "LineBuffer",
    "Peer",
    "SupervisorRunningError",
    "connect",
    "encode",
    "listen",
    "peer_of",
    "receive_with_fd",
    "send_with_fd",
]

PROTOCOL = 1
"""The version of everything beyond hello, lease, status and stop."""

MAX_LINE = 1 << 20
_MAX_ABSTRACT_NAME = 100
_MAX_BASE = 50  # of the 104 bytes that a path may have


class SupervisorRunningError(OSError):
    """Another supervisor holds the address."""


class Peer:
    """Who is at the other end of a socket; ``pid`` is 0 across PID namespaces."""

    __slots__ = ("pid", "uid")

    def __init__(self, pid: int, uid: int) -> None:
        self.pid: int = pid
        self.uid: int = uid


def encode(message: Mapping[str, Any]) -> bytes:
    """Return a message as one line.

    Args:
        message: JSON-ready data.

    Returns:
        UTF-8 with a newline at the end and none inside.
    """
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


class LineBuffer:
    """Cuts received bytes into messages, however they were split on the way."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Take received bytes and give back the messages that are complete.

        Args:
            data: What was received.

        Yields:
            Each message.

        Raises:
            ValueError: On a line that is no JSON object, or that never ends.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE:
            raise ValueError("a message is too long")
        for line in lines:
            message = json.loads(line)
            if not isinstance(message, dict):
                raise ValueError("a message is no JSON object")
            yield message


def listen(address: str) -> socket.socket:
    """Bind the meeting place of an address; holding it is the right to run its server.

    Args:
        address: The server's address, ``host:port``.

    Returns:
        A listening socket, non-blocking.

    Raises:
        SupervisorRunningError: When another process holds it.
    """
    if sys.platform == "linux":
        return _listen_abstract(address)
    else:  # noqa: RET505  type checkers follow this form
        return listen_path(socket_path(address))


def connect(address: str, timeout: float = 5.0) -> socket.socket:
    """Connect to the supervisor of an address.

    Args:
        address: The server's address, ``host:port``.
        timeout: Seconds until a send or receive gives up.

    Returns:
        A connected socket.

    Raises:
        ConnectionRefusedError: When there is none.
        PermissionError: When another user sits there.
    """
    target = abstract_name(address) if sys.platform == "linux" else socket_path(address)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        connection.connect(target)
        if peer_of(connection).uid != os.geteuid():
            raise PermissionError(errno.EPERM, "the supervisor belongs to another user")
    except FileNotFoundError as error:
        connection.close()
        raise ConnectionRefusedError(errno.ECONNREFUSED, "there is no supervisor") from error
    except BaseException:
        connection.close()
        raise
    return connection


def abstract_name(address: str) -> str:
    """Return the abstract socket name of an address, for this user.

    Args:
        address: The server's address, ``host:port``.

    Returns:
        A name that begins with a null character.
    """
    name = f"\0ollama-manager/{os.geteuid()}/{address}"
    return name if len(name) <= _MAX_ABSTRACT_NAME else f"{name[:60]}-{_digest(address)}"


def socket_path(address: str) -> str:
    """Return the socket path of an address, in an owner-only folder that is made if need be.

    Args:
        address: The server's address, ``host:port``.

    Returns:
        A path short enough for any system's limit.

    Raises:
        PermissionError: When the folder belongs to somebody else.
    """
    base = os.environ.get("XDG_RUNTIME_DIR") or os.environ.get("TMPDIR") or "/tmp"  # noqa: S108
    if len(base) > _MAX_BASE:
        base = "/tmp"  # noqa: S108  the folder in it is checked to be ours alone
    folder = os.path.join(base, f"ollama-manager-{os.geteuid()}")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    info = os.lstat(folder)
    if info.st_uid != os.geteuid() or info.st_mode & 0o077 or not os.path.isdir(folder):
        raise PermissionError(errno.EPERM, "the folder for sockets is not ours alone", folder)
    return os.path.join(folder, f"{_digest(address)}.sock")


def listen_path(path: str) -> socket.socket:
    """Bind a socket path under a lock file that is held until this process ends.

    Args:
        path: Where the socket goes.

    Returns:
        A listening socket, non-blocking.

    Raises:
        SupervisorRunningError: When another process holds the lock.
    """
    import fcntl

    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise SupervisorRunningError(errno.EADDRINUSE, "a supervisor is running") from error
    # The lock stays open on purpose: it is the life of the supervisor.
    if os.path.lexists(path):
        os.unlink(path)
    return _listening(path)


def peer_of(connection: socket.socket) -> Peer:
    """Return who is at the other end.

    Args:
        connection: A connected Unix socket.

    Returns:
        The peer's process and effective user.
    """
    if sys.platform == "linux":
        data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid, uid, _ = struct.unpack("3i", data)
        return Peer(pid, uid)
    else:  # noqa: RET505
        return _peer_of_bsd(connection)


def _peer_of_bsd(connection: socket.socket) -> Peer:
    # LOCAL_PEERCRED (struct xucred: version, uid, ...) and LOCAL_PEERPID of macOS and BSD.
    _, uid = struct.unpack("2I", connection.getsockopt(0, 0x001, 76)[:8])
    (pid,) = struct.unpack("i", connection.getsockopt(0, 0x002, 4))
    return Peer(pid, uid)


def send_with_fd(connection: socket.socket, data: bytes, fd: int | None) -> None:
    """Send bytes, with a file descriptor beside them.

    Args:
        connection: A connected Unix socket.
        data: What to send.
        fd: The descriptor; None: the bytes alone.
    """
    if fd is None:
        connection.sendall(data)
        return
    sent = socket.send_fds(connection, [data], [fd])
    connection.sendall(data[sent:])


def receive_with_fd(connection: socket.socket) -> tuple[bytes, list[int]]:
    """Receive bytes and the file descriptors beside them.

    Args:
        connection: A connected Unix socket.

    Returns:
        The bytes (empty at the end) and the descriptors, which are now the caller's to close.
    """
    data, fds, _, _ = socket.recv_fds(connection, 65536, 4)
    for fd in fds:
        os.set_inheritable(fd, False)
    return data, fds


def _listen_abstract(address: str) -> socket.socket:
    try:
        return _listening(abstract_name(address))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SupervisorRunningError(errno.EADDRINUSE, "a supervisor is running") from error
        raise


def _listening(target: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(target)
        listener.listen(128)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def _digest(address: str) -> str:
    from hashlib import blake2b

    return blake2b(address.encode(), digest_size=12).hexdigest()
