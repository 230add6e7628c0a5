"""Whose server answers at a port: ours, or one that was quicker? Linux tells, in ``/proc``."""

from __future__ import annotations

import os
import socket
import struct
import sys
from enum import StrEnum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

__all__ = [
    "Owner",
    "ask_kernel",
    "judge",
    "owner_of",
    "read_answer",
    "read_table",
    "sockets_of",
    "those_asked",
]

_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
_LISTENING = "0A"
_HEADER = struct.Struct("=IHHII")
_INODE = struct.Struct("=I")
_SOCK_DIAG, _BY_FAMILY, _DONE, _REQUEST_ALL, _STATE_LISTEN = 4, 20, 3, 0x301, 10
_KERNEL_TIMEOUT = 0.5
_MAPPED = b"\0" * 10 + b"\xff\xff"  # an IPv4 address in an IPv6 socket
_WILDCARDS = frozenset({b"\0" * 4, b"\0" * 16, _MAPPED + b"\0" * 4})


class Owner(StrEnum):
    """Who listens."""

    OURS = "ours"
    ANOTHER = "another"
    UNKNOWN = "unknown"


def owner_of(host: str, port: int, pids: Iterable[int]) -> Owner:
    """Find out whether one of these processes listens at an address.

    Args:
        host: The address that was connected to; a name stands for every address.
        port: The port.
        pids: The processes, the likeliest first: those after the listener are not looked at.

    Returns:
        ``ANOTHER`` only when it is certain.
    """
    sockets = ask_kernel(port)
    if sockets is None:
        sockets = [found for table in _TABLES for found in read_table(_lines(table), port)]
    return judge(those_asked(sockets, host), (sockets_of(pid) for pid in pids))


def those_asked(sockets: Collection[tuple[bytes, int]], host: str) -> set[int]:
    """Choose the sockets that connections to an address may have come to.

    Args:
        sockets: The packed addresses and inodes of all that listen at the port.
        host: The address that was connected to; a name stands for every address.

    Returns:
        The inodes of those with that very address, else of those with all addresses.
    """
    wanted = _packed(host)
    if wanted is None:
        return {inode for _, inode in sockets}
    found = {inode for address, inode in sockets if address.removeprefix(_MAPPED) == wanted}
    return found or {inode for address, inode in sockets if address in _WILDCARDS}


def judge(listening: set[int], held: Iterable[set[int] | None]) -> Owner:
    """Decide whose the listening sockets are.

    Args:
        listening: The sockets that listen at the address.
        held: The sockets of each of our processes; None: they cannot be seen.

    Returns:
        Whose they are. What nobody of ours holds is another's only if all of ours were seen.
    """
    if not listening:
        return Owner.UNKNOWN  # in another network namespace, perhaps
    seen_all = True
    for sockets in held:
        if sockets is None:
            seen_all = False
        elif sockets & listening:
            return Owner.OURS
    return Owner.ANOTHER if seen_all else Owner.UNKNOWN


def ask_kernel(port: int) -> list[tuple[bytes, int]] | None:
    """Ask for the sockets that listen at a port: far quicker than reading ``/proc/net/tcp``.

    Args:
        port: The port.

    Returns:
        Their packed addresses and inodes; None when the kernel does not say.
    """
    found: list[tuple[bytes, int]] = []
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _SOCK_DIAG) as netlink:
            netlink.settimeout(_KERNEL_TIMEOUT)
            for family in (socket.AF_INET, socket.AF_INET6):
                netlink.send(_request(family, port))
                over = False
                while not over:
                    sockets, over = read_answer(netlink.recv(65536))
                    found += sockets
    except (AttributeError, OSError, ValueError, struct.error):
        return None
    return found


def read_answer(answer: bytes) -> tuple[list[tuple[bytes, int]], bool]:
    """Read what the kernel answers about sockets.

    Args:
        answer: Messages of ``NETLINK_SOCK_DIAG``.

    Returns:
        The packed addresses and inodes of sockets, and whether nothing follows.

    Raises:
        ValueError: When it refuses.
    """
    found: list[tuple[bytes, int]] = []
    while len(answer) >= _HEADER.size:
        size, kind, _, _, _ = _HEADER.unpack_from(answer)
        body, answer = answer[_HEADER.size : size], answer[max(size + 3 & ~3, _HEADER.size) :]
        if kind == _DONE:
            return found, True
        if kind != _BY_FAMILY:
            raise ValueError(f"no answer of the kernel's: {kind}")
        length = 4 if body[0] == socket.AF_INET else 16
        found.append((body[8 : 8 + length], _INODE.unpack_from(body, 68)[0]))
    return found, False


def read_table(table: Iterable[str], port: int) -> Iterator[tuple[bytes, int]]:
    """Find the sockets that listen at a port in a table of the kernel's.

    Args:
        table: The lines of ``/proc/net/tcp`` or ``tcp6``.
        port: The port.

    Yields:
        Their packed addresses and inodes.
    """
    for line in table:
        fields = line.split(None, 10)
        if len(fields) < 10 or fields[3] != _LISTENING:
            continue
        address, _, number = fields[1].rpartition(":")
        if int(number, 16) == port:
            yield _unpacked(address), int(fields[9])


def sockets_of(pid: int) -> set[int] | None:
    """List the sockets that a process holds.

    Args:
        pid: Its number.

    Returns:
        Their inodes, none for a process that has ended; None when it may not be looked at.
    """
    folder = f"/proc/{pid}/fd"
    found: set[int] = set()
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, ProcessLookupError):
        return found
    except OSError:
        return None
    for name in names:
        try:
            target = os.readlink(f"{folder}/{name}")
        except OSError:
            continue  # closed meanwhile
        if target.startswith("socket:["):
            found.add(int(target[8:-1]))
    return found


def _request(family: int, port: int) -> bytes:
    # struct inet_diag_req_v2: family, protocol, two that are nothing, states, ports, the rest
    body = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, 1 << _STATE_LISTEN)
    body += struct.pack("!HH", port, 0) + bytes(44)
    return _HEADER.pack(_HEADER.size + len(body), _BY_FAMILY, _REQUEST_ALL, 0, 0) + body


def _lines(table: str) -> list[str]:
    try:
        with open(table, encoding="ascii", errors="replace") as file:
            return file.readlines()
    except OSError:
        return []


def _packed(host: str) -> bytes | None:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return socket.inet_pton(family, host.partition("%")[0]).removeprefix(_MAPPED)
        except OSError:
            continue
    return None


def _unpacked(address: str) -> bytes:
    """The kernel writes 32-bit words in the order of its bytes."""
    data = bytes.fromhex(address)
    if sys.byteorder == "big":
        return data
    return b"".join(data[start : start + 4][::-1] for start in range(0, len(data), 4))
