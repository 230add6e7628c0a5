"""The supervisor's edges: the wire, the probe, the log, the program."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager import errors
from manager.supervisor import failures
from manager.supervisor.binary import find_command
from manager.supervisor.logfile import log_path, open_log, read_tail
from manager.supervisor.probe import Verdict, probe_now
from manager.supervisor.processes import Process, children_of, find, kill, mark
from manager.supervisor.protocol import (
    MAX_LINE,
    LineBuffer,
    SupervisorRunningError,
    abstract_name,
    encode,
    listen,
    listen_path,
    peer_of,
    receive_with_fd,
    send_with_fd,
    socket_path,
)

from ..ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MESSAGES = st.lists(
    st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=9)),
    max_size=4,
)


# The wire


@given(MESSAGES, st.lists(st.integers(1, 40)))
def test_messages_survive_any_cutting(messages: list[dict[str, Any]], cuts: list[int]) -> None:
    stream = b"".join(encode(message) for message in messages)
    buffer = LineBuffer()
    received: list[dict[str, Any]] = []
    for size in (*cuts, len(stream)):
        received += buffer.feed(stream[:size])
        stream = stream[size:]
    assert received == messages


@pytest.mark.parametrize("line", [b"[]\n", b"nonsense\n", b"\xff\n", b"x" * (MAX_LINE + 1)])
def test_what_is_not_our_protocol_is_an_error(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"message|JSON|Expecting|utf"):
        list(LineBuffer().feed(line))


def test_long_addresses_fit_and_differ() -> None:
    names = {abstract_name(f"{'x' * 200}{n}:1") for n in range(3)}
    assert len(names) == 3
    assert all(len(name) <= 107 for name in names)


def test_binding_is_the_lock_and_death_frees_it() -> None:
    address = f"test-{os.getpid()}:1"
    first = listen(address)
    with pytest.raises(SupervisorRunningError):
        listen(address)
    first.close()
    listen(address).close()


@pytest.fixture
def short_folder() -> Iterator[str]:
    """Socket paths have a limit of about 100 bytes."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield folder


def test_path_socket_is_locked_and_reused(
    short_folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", short_folder)
    path = socket_path("127.0.0.1:1")
    assert path.startswith(short_folder)
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700
    listener = listen_path(path)
    with pytest.raises(SupervisorRunningError):
        listen_path(path)
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    client.close()
    listener.close()


def test_path_that_would_be_too_long_is_avoided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/tmp/" + "x" * 100)
    assert len(socket_path("127.0.0.1:1")) <= 100


def test_folder_of_others_is_refused(short_folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", short_folder)
    folder = f"{short_folder}/ollama-manager-{os.geteuid()}"
    os.mkdir(folder, mode=0o700)
    os.chmod(folder, 0o777)
    with pytest.raises(PermissionError):
        socket_path("127.0.0.1:1")


def test_peer_and_descriptor() -> None:
    here, there = socket.socketpair()
    with here, there:
        assert peer_of(here).pid == os.getpid()
        assert peer_of(here).uid == os.geteuid()
        reading, writing = os.pipe()
        send_with_fd(here, b"hello", writing)
        os.close(writing)
        data, fds = receive_with_fd(there)
        assert data == b"hello"
        os.write(fds[0], b"through")
        os.close(fds[0])
        assert os.read(reading, 99) == b"through"
        os.close(reading)


# The probe


@contextmanager
def answering(*answers: bytes) -> Iterator[int]:
    """A server that gives these answers, one a connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for answer in answers:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def http(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


CHUNKED = (
    b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11\r\n{"version":"1.2"}\r\n0\r\n\r\n'
)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([http(b'{"version":"1.2"}')], (Verdict.OLLAMA, "1.2")),
        ([CHUNKED], (Verdict.OLLAMA, "1.2")),
        ([http(b"", b"404 Not Found"), http(b"Ollama is running")], (Verdict.OLLAMA, None)),
        ([http(b'{"version":1}'), http(b"hello")], (Verdict.OTHER, None)),
        ([http(b'{"version":"1"}', b"503 Busy"), http(b"", b"503 Busy")], (Verdict.OTHER, None)),
        ([http(b"<html>"), http(b"<html>")], (Verdict.OTHER, None)),
        ([b"SSH-2.0-OpenSSH\r\n"], (Verdict.OTHER, None)),
        ([b""] * 99, (Verdict.OTHER, None)),
    ],
)
def test_what_is_there(answers: list[bytes], expected: tuple[Verdict, str | None]) -> None:
    with answering(*answers) as port:
        assert probe_now("127.0.0.1", port, 10.0) == expected


def test_nothing_there() -> None:
    assert probe_now("127.0.0.1", free_port(), 10.0) == (Verdict.FREE, None)


def test_name_that_nobody_has(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", unknown)
    assert probe_now("no-such-name.invalid", 1, 10.0) == (Verdict.FREE, None)


def test_silence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert probe_now("127.0.0.1", listener.getsockname()[1], 0.1) == (Verdict.SILENT, None)


# Processes


def test_identity_is_more_than_a_pid() -> None:
    me = find(os.getpid())
    assert me is not None
    assert me.alive()
    other = Process(me.pid, me.started + 1)
    assert not other.alive()
    assert not kill(other)  # or this test would end here
    assert children_of(-5) == []
    assert find(2**22 + 1) is None


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("listed", [True, False])
def test_children_are_those_of_every_thread(
    monkeypatch: pytest.MonkeyPatch, *, listed: bool
) -> None:
    if not listed:  # as in a kernel that has no such list
        monkeypatch.setattr("manager.supervisor.processes._listed_children", lambda _parent: None)
    started: list[subprocess.Popen[bytes]] = []
    both, over = threading.Event(), threading.Event()

    def start_one() -> None:
        started.append(subprocess.Popen(["sleep", "60"]))
        both.set()
        over.wait()

    thread = threading.Thread(target=start_one)
    thread.start()
    try:
        assert both.wait(30)
        started.append(subprocess.Popen(["sleep", "60"]))
        dead, living = (child.pid for child in started)
        assert {dead, living} <= {child.pid for child in children_of(os.getpid())}
        started[0].kill()
        os.waitid(os.P_PID, dead, os.WEXITED | os.WNOWAIT)  # a zombie from now on
        found = {child.pid for child in children_of(os.getpid())}
        assert living in found
        assert dead not in found
    finally:
        over.set()
        thread.join()
        for child in started:
            child.kill()
            child.wait()


def test_marks_tell_addresses_and_lives_apart() -> None:
    assert mark("a:1", "x").startswith(mark("a:1"))
    assert not mark("a:11", "x").startswith(mark("a:1"))


# The log


def test_log_grows_and_is_private(tmp_path: Path) -> None:
    path = log_path("[::1]:11434", str(tmp_path / "new" / "logs"))
    for text in (b"one\n", b"two\nthree\n", b"four\n"):
        log = open_log(path)
        os.write(log, text)
        os.close(log)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700
    assert read_tail(path, 2) == ["three", "four"]
    assert read_tail(path, 5, since=4) == ["two", "three", "four"]
    assert read_tail(path, 0) == []
    assert read_tail(str(tmp_path / "none"), 5) == []


def test_log_that_cannot_be_written_is_no_reason_to_fail(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    log = open_log(str(tmp_path / "file" / "log"))
    os.write(log, b"nobody reads this")
    os.close(log)


def test_log_is_no_way_to_write_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to(tmp_path / "victim")
    os.close(open_log(str(tmp_path / "log")))
    assert not (tmp_path / "victim").exists()


# The program


def test_program_is_found(tmp_path: Path) -> None:
    program = tmp_path / "ollama"
    program.write_text("")
    program.chmod(0o755)
    environ = {"PATH": str(tmp_path), "HOME": "/nowhere"}
    assert find_command(None, environ) == (str(program),)
    assert find_command(("ollama", "-v"), environ) == (str(program), "-v")
    assert find_command((str(program),), {}) == (str(program),)


@pytest.mark.parametrize("binary", [(), (" ",), ("no-such-program",), (__file__,)])
def test_missing_program_names_the_remedy(binary: tuple[str, ...]) -> None:
    with pytest.raises(errors.ServerNotFoundError) as caught:
        find_command(binary, {"PATH": "/nowhere"})
    assert "https://ollama.com/download" in str(caught.value)


# Errors


def test_errors_cross_the_wire() -> None:
    error = errors.ServerStartError("m", hint="h", code="c", exit_code=3, log=["l"])
    again = failures.from_dict(error.to_dict())
    assert type(again) is errors.ServerStartError
    assert again.to_dict() == error.to_dict()
    assert type(failures.from_dict({"error": "Any"})) is errors.ServerUnavailableError
