"""Meeting a supervisor that is another user's, of another version, hung, or gone again."""

from __future__ import annotations

import errno
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from manager.errors import ServerUnavailableError
from manager.supervisor import attach as module
from manager.supervisor import client, finding, heartbeat, link_thread, processes, protocol, spawn
from manager.supervisor.attach import attach
from manager.supervisor.foreign import ForeignWatch
from manager.supervisor.link import SupervisorLink
from manager.supervisor.processes import find, kill
from manager.supervisor.protocol import LineBuffer, encode, listen
from manager.supervisor.settings import ServerSettings, server_address
from manager.supervisor.states import Ownership, ServerState, Snapshot

from ..ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE = 20.0


class Supervisor:
    """Something in the place of a supervisor: takes one connection after the other.

    Args:
        answers: What each connection gets, line by line; None: its end.
        port: The port of the server that it would look after.
    """

    def __init__(self, port: int, *answers: list[dict[str, Any] | None]) -> None:
        self.heard: list[dict[str, Any]] = []
        self._listener = listen(server_address("127.0.0.1", port))
        self._listener.settimeout(PATIENCE)
        self._answers = answers
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        for answers in self._answers:
            connection, _ = self._listener.accept()
            connection.settimeout(PATIENCE)
            buffer = LineBuffer()
            with connection:
                for answer in answers:
                    self.heard += buffer.feed(connection.recv(65536))
                    if answer is not None:
                        connection.sendall(encode(answer))
                while answers and answers[-1] is not None and (data := connection.recv(65536)):
                    self.heard += buffer.feed(data)


def hello(**changes: Any) -> dict[str, Any]:
    return {"hello": {"protocol": protocol.PROTOCOL, "pid": 1, "leases": 0, **changes}}


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def address(port: int) -> str:
    return server_address("127.0.0.1", port)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


class TestAttach:
    def test_one_that_ends_is_followed_by_the_next(self, port: int, address: str) -> None:
        with Supervisor(port, [None], [], [hello()]) as other:
            channel = attach(address)
            assert channel is not None
            assert channel.supervisor_pid == os.getpid()
            channel.close()
        assert [message["hello"]["pid"] for message in other.heard] == [os.getpid()] * len(
            other.heard
        )

    def test_one_of_another_version_that_nobody_uses_is_replaced(
        self, port: int, address: str
    ) -> None:
        old, stopped = hello(protocol=0), {"id": 0, "ok": {}}
        with Supervisor(port, [old, stopped], [hello()]) as other:
            channel = attach(address)
            assert channel is not None
            channel.close()
        assert [m.get("op") for m in other.heard] == [None, "stop", None]

    def test_one_of_another_version_that_is_used_is_left_alone(
        self, port: int, address: str
    ) -> None:
        other = Supervisor(port, [hello(protocol=0, leases=1)])
        with other, pytest.raises(ServerUnavailableError, match="another version") as caught:
            attach(address)
        assert (caught.value.code, caught.value.retryable) == ("supervisor_version", False)
        assert [m.get("op") for m in other.heard] == [None]

    def test_one_that_hangs_is_killed(
        self,
        port: int,
        address: str,
        monkeypatch: pytest.MonkeyPatch,
        sleeper: subprocess.Popen[bytes],
    ) -> None:
        """Who holds the meeting place and says nothing keeps everybody from the server."""
        monkeypatch.setattr(module, "_HELLO_TIMEOUT", 0.05)
        monkeypatch.setattr(module, "peer_of", lambda _: protocol.Peer(sleeper.pid, os.geteuid()))
        listener = listen(address)
        ended = threading.Thread(target=lambda: (sleeper.wait(PATIENCE), listener.close()))
        ended.start()
        assert attach(address) is None  # the meeting place went with it
        ended.join()
        assert sleeper.returncode == -signal.SIGKILL

    @pytest.mark.parametrize("pid", [0, os.getpid()], ids=["unknown", "own"])
    def test_one_that_hangs_and_cannot_be_killed(
        self, address: str, monkeypatch: pytest.MonkeyPatch, pid: int
    ) -> None:
        """In another PID namespace its number is not known; and nobody kills himself."""
        monkeypatch.setattr(module, "_HELLO_TIMEOUT", 0.05)
        monkeypatch.setattr(module, "peer_of", lambda _: protocol.Peer(pid, os.geteuid()))
        with listen(address), pytest.raises(ServerUnavailableError) as caught:
            attach(address)
        assert (caught.value.code, caught.value.retryable) == ("supervisor_hung", True)

    def test_one_that_may_not_be_killed(
        self, address: str, monkeypatch: pytest.MonkeyPatch, sleeper: subprocess.Popen[bytes]
    ) -> None:
        def refuse(*_: object) -> bool:
            raise PermissionError

        monkeypatch.setattr(module, "_HELLO_TIMEOUT", 0.05)
        monkeypatch.setattr(module, "kill", refuse)
        monkeypatch.setattr(module, "peer_of", lambda _: protocol.Peer(sleeper.pid, os.geteuid()))
        with listen(address), pytest.raises(ServerUnavailableError) as caught:
            attach(address)
        assert caught.value.code == "supervisor_hung"

    def test_one_that_outlives_being_killed(
        self, address: str, monkeypatch: pytest.MonkeyPatch, sleeper: subprocess.Popen[bytes]
    ) -> None:
        """As a process does that waits for a disk that is gone."""
        kills: list[object] = []
        monkeypatch.setattr(module, "_HELLO_TIMEOUT", 0.05)
        monkeypatch.setattr(module, "kill", lambda process, _: kills.append(process))
        monkeypatch.setattr(module, "peer_of", lambda _: protocol.Peer(sleeper.pid, os.geteuid()))
        with listen(address), pytest.raises(ServerUnavailableError) as caught:
            attach(address)
        assert caught.value.code == "supervisor_hung"
        assert len(kills) == 3

    def test_another_user(self, port: int, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(protocol, "peer_of", lambda _: protocol.Peer(1, os.geteuid() + 1))
        with listen(address), pytest.raises(ServerUnavailableError) as caught:
            attach(address)
        assert (caught.value.code, caught.value.retryable) == ("supervisor_not_ours", False)

    @pytest.mark.parametrize("number", [errno.ECONNRESET, errno.EAGAIN, errno.EPIPE])
    def test_a_meeting_place_that_is_crowded(
        self, address: str, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        errors = iter([OSError(number, "try again"), ConnectionRefusedError()])

        def connect(_address: str, _timeout: float) -> None:
            raise next(errors)

        monkeypatch.setattr(module, "connect", connect)
        assert attach(address) is None
        assert next(errors, None) is None, "it was tried again"

    def test_an_error_that_will_not_pass(
        self, address: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def connect(_address: str, _timeout: float) -> None:
            raise OSError(errno.EMFILE, "too many open files")

        monkeypatch.setattr(module, "connect", connect)
        with pytest.raises(OSError, match="too many open files"):
            attach(address)

    def test_one_that_never_says_hello(self, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_TRIES", 2)
        port = int(address.rpartition(":")[2])
        with Supervisor(port, [], []), pytest.raises(ServerUnavailableError, match="not answer"):
            attach(address)


class TestAsking:
    def test_a_server_that_does_not_stop_in_time(self, port: int) -> None:
        with Supervisor(port, [hello()]), pytest.raises(ServerUnavailableError) as caught:
            client.stop_managed("127.0.0.1", port, timeout=0.05)
        assert caught.value.code == "stop_timeout"

    def test_a_supervisor_that_ends_of_it(self, port: int) -> None:
        with Supervisor(port, [hello(), None]) as other:
            assert client.stop_managed("127.0.0.1", port) is None
        assert other.heard[-1]["op"] == "stop"

    def test_a_supervisor_that_ends_instead_of_telling(self, port: int) -> None:
        with Supervisor(port, [hello(), None]):
            assert client.inspect("127.0.0.1", port) is None

    def test_supervisors_that_end_again_and_again(
        self, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        python = tmp_path / "python"
        python.write_text("#!/bin/sh\necho listening\n")
        python.chmod(0o700)
        settings = ServerSettings(port=port, binary=(sys.executable,))
        monkeypatch.setattr(spawn, "find_python", lambda: str(python))
        with pytest.raises(ServerUnavailableError, match="again and again") as caught:
            finding.start_supervisor(settings)
        assert caught.value.code == "supervisor_failed"

    def test_a_supervisor_that_is_silent(self, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(client, "_STATUS_TIMEOUT", 0.05)
        with Supervisor(port, [hello()]), pytest.raises(ServerUnavailableError) as caught:
            client.inspect("127.0.0.1", port)
        assert caught.value.code == "supervisor_hung"

    def test_where_servers_cannot_be_started(
        self, port: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(finding, "supported", lambda: False)
        with pytest.raises(ServerUnavailableError) as caught:
            finding.start_supervisor(ServerSettings(port=port))
        assert (caught.value.code, caught.value.retryable) == ("start_unsupported", False)


class TestForeign:
    """A server of somebody else's is watched by a connection, which may end before the server."""

    @pytest.fixture
    def listener(self) -> Iterator[socket.socket]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(PATIENCE)
            yield listener

    def test_a_connection_that_ended_is_renewed(self, listener: socket.socket) -> None:
        watch = ForeignWatch(*listener.getsockname())
        listener.accept()[0].close()
        watch.renew()
        assert watch.socket is None, "who cuts it off at once is asked for no other"
        watch._since -= 3600
        watch.renew()
        assert watch.socket is not None
        connection, peer = listener.accept()
        connection.close()
        assert peer == watch.socket.getsockname()
        watch.close()
        watch.close()
        assert watch.socket is None

    def test_a_server_that_has_gone(self, listener: socket.socket) -> None:
        target = listener.getsockname()
        listener.close()
        assert ForeignWatch(*target).socket is None


class TestKilling:
    """By a handle of the process where the kernel has them, and never another than was meant."""

    @pytest.fixture(autouse=True, params=["handles", "numbers"])
    def _handles(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(_pid: int, _flags: int = 0) -> int:
            raise PermissionError(errno.EPERM, "not in this sandbox")

        if request.param == "numbers":
            monkeypatch.setattr(os, "pidfd_open", refuse, raising=False)

    def test_it_is_there(self, sleeper: subprocess.Popen[bytes]) -> None:
        process = find(sleeper.pid)
        assert process is not None
        assert kill(process)
        assert sleeper.wait(PATIENCE) == -signal.SIGKILL
        assert not kill(process)

    def test_another_has_its_number(self, sleeper: subprocess.Popen[bytes]) -> None:
        process = find(sleeper.pid)
        assert process is not None
        earlier = processes.Process(process.pid, process.started - 1)
        assert not kill(earlier)
        assert sleeper.poll() is None

    def test_it_ends_at_that_moment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ended = subprocess.Popen(["sleep", "600"])
        process = find(ended.pid)
        assert process is not None
        ended.kill()
        ended.wait()
        monkeypatch.setattr(processes, "find", lambda _: process)
        assert not kill(process)


def test_a_machine_that_shows_no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: object) -> Any:
        raise PermissionError

    monkeypatch.setattr(os, "listdir", refuse)
    monkeypatch.setattr(os, "stat", refuse)
    assert processes.leftovers("127.0.0.1:1") == []
    assert processes.mark("127.0.0.1:1", "life") == f"{os.geteuid()}/0/127.0.0.1:1/life"


def test_the_peer_as_macos_tells_it() -> None:
    class Connection:
        def getsockopt(self, level: int, name: int, size: int) -> bytes:
            assert level == 0
            return {1: struct.pack("2I", 0, 501).ljust(76, b"\0"), 2: struct.pack("i", 42)}[name][
                :size
            ]

    peer = protocol._peer_of_bsd(Connection())  # type: ignore[arg-type]
    assert (peer.pid, peer.uid) == (42, 501)


class TestLink:
    @pytest.fixture
    def make(self, port: int) -> Iterator[Callable[..., SupervisorLink]]:
        made: list[SupervisorLink] = []

        def make(**callbacks: Any) -> SupervisorLink:
            settings = ServerSettings(port=port, binary=(f"/no/such/{uuid.uuid4()}",))
            made.append(SupervisorLink(settings, **callbacks))
            return made[-1]

        yield make
        for link in made:
            link.close().result(PATIENCE)

    def test_where_no_thread_can_be_started(
        self, make: Callable[..., SupervisorLink], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def start(_thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread at interpreter shutdown")

        link = make()
        with monkeypatch.context() as patch:
            patch.setattr(link_thread.threading.Thread, "start", start)  # type: ignore[attr-defined]
            with pytest.raises(ServerUnavailableError, match="shutdown"):
                link.acquire().result(PATIENCE)

    @pytest.mark.parametrize("command", ["acquire", "stop", "close"])
    def test_a_supervisor_that_falls_silent_and_cannot_be_killed(
        self,
        port: int,
        make: Callable[..., SupervisorLink],
        monkeypatch: pytest.MonkeyPatch,
        command: str,
    ) -> None:
        monkeypatch.setattr(heartbeat, "INTERVAL", 0.02)
        link = make()
        ready = {"id": 1, "ok": Snapshot(ServerState.READY, Ownership.MANAGED, "x").to_dict()}
        with Supervisor(port, [hello(), ready]) as other:
            link.acquire().result(PATIENCE)
            answer = getattr(link, command)()
            if command == "close":
                assert answer.result(PATIENCE) is None
            else:
                with pytest.raises(ServerUnavailableError) as caught:
                    answer.result(PATIENCE)
                assert caught.value.code == "supervisor_hung"
        ops = [message.get("op") for message in other.heard]
        assert ops.count("status") == 4
        assert link.close().result(PATIENCE) is None

    @pytest.mark.parametrize("soon", [True, False])
    def test_a_thread_that_fails_tells_who_waits(
        self,
        make: Callable[..., SupervisorLink],
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        soon: bool,
    ) -> None:
        def serve(thread: Any) -> None:
            end = time.monotonic() + PATIENCE
            while not soon and not thread._commands and time.monotonic() < end:
                time.sleep(0.001)
            raise ZeroDivisionError("a mistake")

        start = threading.Thread.start

        def start_and_end(thread: threading.Thread) -> None:
            start(thread)
            thread.join(PATIENCE)

        link = make()
        with monkeypatch.context() as patch:
            patch.setattr(link_thread.LinkThread, "_serve", serve)
            if soon:  # before it is told what is wanted
                patch.setattr(threading.Thread, "start", start_and_end)
            with pytest.raises(ServerUnavailableError, match="ZeroDivisionError"):
                link.acquire().result(PATIENCE)
        end = time.monotonic() + PATIENCE
        while "the link to the supervisor failed" not in caplog.text:  # callers are told first
            assert time.monotonic() < end
            time.sleep(0.001)
        # the next call has a thread of its own
        with pytest.raises(Exception, match="no program"):
            link.acquire().result(PATIENCE)
