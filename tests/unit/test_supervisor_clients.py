"""The supervisor's end of a connection: what a manager may do to it without harm to the others."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from typing import TYPE_CHECKING, Any

import pytest

from manager.supervisor import clients as module
from manager.supervisor.clients import Client
from manager.supervisor.loop import Loop
from manager.supervisor.protocol import encode, send_with_fd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Ends:
    """Both ends of one connection, and the loop that serves the supervisor's."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.gone = 0
        self.hears: Callable[[Client], object] = lambda _: None
        self.loop = Loop()
        self.manager, connection = socket.socketpair()
        self.manager.setblocking(False)
        self.client = Client(1, connection, self.loop, self._received, self._gone)

    def _received(self, client: Client, message: dict[str, Any]) -> None:
        self.received.append(message)
        self.hears(client)

    def _gone(self, _client: Client) -> None:
        self.gone += 1

    def until(self, condition: Callable[[], object]) -> None:
        """Serve until something holds."""
        for _ in range(10_000):
            if condition():
                return
            self.loop.step(0.1)
        raise AssertionError("in vain")


@pytest.fixture
def ends() -> Iterator[Ends]:
    ends = Ends()
    yield ends
    ends.client.close()
    ends.manager.close()
    ends.loop._selector.close()


def test_what_does_not_fit_is_sent_when_there_is_room(ends: Ends) -> None:
    message = {"snapshot": {"text": "x" * 500_000}}
    line = encode(message)
    for _ in range(3):
        ends.client.send(message)
    got = b""

    def read() -> bool:
        nonlocal got
        with contextlib.suppress(BlockingIOError):
            got += ends.manager.recv(1 << 20)
        return len(got) >= 3 * len(line)

    ends.until(read)
    assert got == 3 * line
    assert ends.gone == 0


def test_a_manager_that_reads_nothing_is_let_go(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_UNREAD", 1000)
    while not ends.gone:
        ends.client.send({"snapshot": {"text": "x" * 100_000}})
    ends.client.send({"snapshot": {}})
    ends.client.close()
    assert ends.gone == 1, "it is told of once"


def test_a_connection_that_is_torn_off(ends: Ends) -> None:
    ends.manager.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    ends.client.send({"ask": "in_flight"})  # so that its end is an error for the other side
    ends.manager.close()
    ends.client.send({"ask": "in_flight"})
    ends.until(lambda: ends.gone)


def test_nothing_is_heard_after_its_end(ends: Ends) -> None:
    ends.hears = lambda client: client.close()
    ends.manager.send(encode({"id": 1}) + encode({"id": 2}))
    ends.until(lambda: ends.gone)
    assert ends.received == [{"id": 1}]


def test_only_its_first_process_is_watched(ends: Ends) -> None:
    """A manager may send as many handles as it likes: they are closed, not kept."""
    first, second = os.pipe(), os.pipe()
    before = len(os.listdir("/proc/self/fd"))
    for number, (handle, _) in enumerate((first, second), 1):
        send_with_fd(ends.manager, encode({"id": number}), handle)
        ends.until(lambda number=number: len(ends.received) == number)  # type: ignore[misc]
    assert len(os.listdir("/proc/self/fd")) == before + 1
    os.close(second[1])
    os.close(second[0])
    assert ends.gone == 0
    os.close(first[1])  # the process has ended
    ends.until(lambda: ends.gone)
    os.close(first[0])


def test_whose_connection_it_is(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ends.client.allowed()
    monkeypatch.setattr(os, "geteuid", lambda: -1)
    assert not ends.client.allowed()

    def gone(_connection: socket.socket) -> None:
        raise OSError

    monkeypatch.setattr(module, "peer_of", gone)
    assert not ends.client.allowed()
