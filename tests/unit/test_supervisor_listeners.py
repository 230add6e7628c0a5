"""Whose server answers at a port: what the kernel says, and what follows from it."""

from __future__ import annotations

import os
import socket
import struct
import sys
from pathlib import Path

import pytest

from manager.supervisor.listeners import (
    Owner,
    ask_kernel,
    judge,
    owner_of,
    read_answer,
    read_table,
    sockets_of,
    those_asked,
)

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")

V4 = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2CAA 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0
   1: 00000000:2CAA 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12 1 0
   2: 0100007F:2CAB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 13 1 0
   3: 0100007F:2CAA 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 14 1 0
   nonsense
"""
V6 = """\
  sl  local_address                         remote_address                        st tx_queue
   0: 00000000000000000000000001000000:2CAA 00000000000000000000000000000000:0000 0A 0 0 0 0 0 21
   1: 0000000000000000FFFF00000100007F:2CAA 00000000000000000000000000000000:0000 0A 0 0 0 0 0 22
"""
LITTLE = pytest.mark.skipif(sys.byteorder == "big", reason="tables of a little-endian kernel")


@LITTLE
def test_table_of_the_kernel() -> None:
    local = socket.inet_aton("127.0.0.1")
    assert list(read_table(V4.splitlines(), 11434)) == [(local, 11), (bytes(4), 12)]
    assert list(read_table(V6.splitlines(), 11434)) == [
        (socket.inet_pton(socket.AF_INET6, "::1"), 21),
        (socket.inet_pton(socket.AF_INET6, "::ffff:127.0.0.1"), 22),
    ]
    assert list(read_table([], 1)) == []


def message(kind: int, body: bytes = b"") -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


def listening(family: int, address: str, inode: int) -> bytes:
    packed = socket.inet_pton(family, address).ljust(16, b"\0")
    return message(20, struct.pack("=BBBB4x16s44xI", family, 10, 0, 0, packed, inode))


def test_answer_of_the_kernel() -> None:
    first = listening(socket.AF_INET, "127.0.0.1", 7)
    second = listening(socket.AF_INET6, "::1", 8)
    assert read_answer(first + second) == (
        [(bytes([127, 0, 0, 1]), 7), (bytes(15) + b"\1", 8)],
        False,
    )
    assert read_answer(first + message(3, bytes(4))) == ([(bytes([127, 0, 0, 1]), 7)], True)
    assert read_answer(b"") == ([], False)
    with pytest.raises(ValueError, match="kernel"):
        read_answer(message(2, bytes(20)))


V4_LOCAL, V4_ALL = bytes([127, 0, 0, 1]), bytes(4)
V6_ALL = bytes(16)
V4_IN_V6 = bytes(10) + b"\xff\xff" + V4_LOCAL


@pytest.mark.parametrize(
    ("sockets", "host", "inodes"),
    [
        ([(V4_LOCAL, 1), (V4_ALL, 2)], "127.0.0.1", {1}),  # the kernel prefers it, too
        ([(bytes([127, 0, 0, 2]), 1), (V4_ALL, 2), (V6_ALL, 3)], "127.0.0.1", {2, 3}),
        ([(V4_IN_V6, 1)], "127.0.0.1", {1}),
        ([(V4_LOCAL, 1)], "::1", set[int]()),
        ([(V4_LOCAL, 1), (V6_ALL, 2)], "a.name", {1, 2}),
    ],
)
def test_sockets_that_may_have_been_asked(
    sockets: list[tuple[bytes, int]], host: str, inodes: set[int]
) -> None:
    assert those_asked(sockets, host) == inodes


@pytest.mark.parametrize(
    ("sockets", "held", "owner"),
    [
        (set[int](), [{1}], Owner.UNKNOWN),
        ({1}, [{1}], Owner.OURS),
        ({1}, [{2}, {1, 3}], Owner.OURS),
        ({1}, [None, {1}], Owner.OURS),
        ({1}, [{2}, set[int]()], Owner.ANOTHER),
        ({1}, [{2}, None], Owner.UNKNOWN),  # the one that cannot be seen may have it
    ],
)
def test_another_only_when_it_is_certain(
    sockets: set[int], held: list[set[int] | None], owner: Owner
) -> None:
    assert judge(sockets, held) is owner


@linux
@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize(
    ("bound", "connected"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("::1", "::1"),
        ("::", "::1"),
        ("127.0.0.1", "some.name"),
    ],
)
def test_real_sockets(
    monkeypatch: pytest.MonkeyPatch, asked: bool, bound: str, connected: str
) -> None:
    if not asked:
        monkeypatch.setattr("manager.supervisor.listeners.ask_kernel", lambda _: None)
    family = socket.AF_INET6 if ":" in bound else socket.AF_INET
    try:
        listener = socket.create_server((bound, 0), family=family)
    except OSError:
        pytest.skip(f"no {bound} here")
    with listener:
        port = int(listener.getsockname()[1])
        assert owner_of(connected, port, [os.getpid()]) is Owner.OURS
        assert owner_of(connected, port, [2**22 + 1]) is Owner.ANOTHER  # has ended: holds nothing
    assert owner_of(connected, port, [os.getpid()]) is Owner.UNKNOWN


@linux
def test_both_ways_of_asking_agree() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
        table = Path("/proc/net/tcp").read_text("ascii").splitlines()
        asked = ask_kernel(port)
        if asked is None:
            pytest.skip("this kernel does not say")
        assert asked == list(read_table(table, port))
        assert {inode for _, inode in asked} <= (sockets_of(os.getpid()) or set())
