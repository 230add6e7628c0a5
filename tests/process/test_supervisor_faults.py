"""What must be withstood: crashes, kills, foreign servers, taken ports, programs that fail."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from manager.errors import (
    ServerCrashedError,
    ServerNotFoundError,
    ServerNotOwnedError,
    ServerStartError,
    ServerUnavailableError,
)
from manager.supervisor.client import inspect, stop_managed
from manager.supervisor.processes import find
from manager.supervisor.restarts import RestartPolicy
from manager.supervisor.settings import LivenessPolicy
from manager.supervisor.states import Ownership, ServerState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.process.conftest import World

DEADLINE = 20.0


QUICK = RestartPolicy(initial_delay=0.01, max_delay=0.05, max_failures=3)

HOLDER = """
import json, sys
from manager.supervisor.link import SupervisorLink
from manager.supervisor.settings import ServerSettings
link = SupervisorLink(ServerSettings.from_dict(json.loads(sys.argv[1])))
snapshot = link.acquire().result(30)
print(snapshot.pid, snapshot.supervisor_pid, flush=True)
sys.stdin.readline()
"""


def hold(world: World, mode: str = "", program: str = HOLDER) -> subprocess.Popen[str]:
    """Start a manager in a process of its own that waits for a line."""
    import json

    settings = json.dumps(world.settings(mode).to_dict())
    return subprocess.Popen(
        [sys.executable, "-c", program, settings],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


@pytest.fixture
def foreign(world: World) -> Iterator[subprocess.Popen[bytes]]:
    """An Ollama server that no manager started."""
    process = start_foreign(world)
    yield process
    process.terminate()
    process.wait()


def start_foreign(world: World) -> subprocess.Popen[bytes]:
    environ = {**os.environ, "OLLAMA_HOST": f"127.0.0.1:{world.port}"}
    process = subprocess.Popen([*world.fake, "serve"], env=environ, stdout=subprocess.DEVNULL)
    world.eventually(lambda: inspect("127.0.0.1", world.port))
    return process


def test_crash_is_answered_with_a_new_server_at_once(world: World) -> None:
    link, snapshot = world.ready()
    world.stable(snapshot)
    world.seen.clear()
    assert snapshot.pid is not None
    runner = world.starts()[0]["runner"]
    os.kill(snapshot.pid, signal.SIGKILL)
    fresh = world.eventually(
        lambda: link.snapshot.ready and link.snapshot.pid != snapshot.pid
    ) and (link.snapshot)
    world.note(fresh)
    assert fresh.restarts == 1
    assert fresh.generation == 2
    assert find(runner) is None  # the orphan is gone before the new server is there
    events = [s.event for s in world.seen if s.event]
    assert events == ["server.crashed", "server.restarting", "server.ready"]
    crashed = next(s for s in world.seen if s.event == "server.crashed")
    assert crashed.exit_code == -signal.SIGKILL
    assert crashed.cause == "it was ended by SIGKILL"


def test_crash_loop_ends_in_failed_and_an_explicit_start_tries_afresh(world: World) -> None:
    link, _ = world.ready("exit-after=0.05", restart=QUICK)
    world.eventually(lambda: link.snapshot.state is ServerState.FAILED)
    with pytest.raises(ServerCrashedError) as caught:
        link.acquire().result(DEADLINE)
    assert caught.value.details["exit_code"] == 3
    assert caught.value.details["log"] == [f"Listening on 127.0.0.1:{world.port}"]
    assert len(world.starts()) == QUICK.max_failures
    assert "server.failed" in [s.event for s in world.seen]
    world.note(link.start().result(DEADLINE))
    assert len(world.starts()) == QUICK.max_failures + 1


def test_program_that_exits_at_once(world: World) -> None:
    link = world.link("exit=7")
    with pytest.raises(ServerStartError) as caught:
        link.acquire().result(DEADLINE)
    assert caught.value.details["exit_code"] == 7
    assert caught.value.details["log"] == ["Error: the fake was told to fail"]
    assert "exited with code 7" in str(caught.value)
    assert link.snapshot.state is ServerState.FAILED
    world.eventually(lambda: inspect("127.0.0.1", world.port) is None)  # nobody waits for a miracle
    fixed = link.configure(world.settings())
    fixed.result(DEADLINE)
    snapshot = link.acquire().result(DEADLINE)  # a new call is a new try
    world.note(snapshot)
    assert snapshot.ready


def test_program_that_never_answers(world: World) -> None:
    link = world.link("mute", start_timeout=0.5)
    with pytest.raises(ServerStartError) as caught:
        link.acquire().result(DEADLINE)
    assert "within 0.5 s" in str(caught.value)
    world.eventually(world.all_gone)


def test_slow_start_is_waited_for(world: World) -> None:
    link = world.link("slow=0.7")
    waiting = link.acquire()
    world.eventually(lambda: link.snapshot.pid)
    assert link.snapshot.state is ServerState.STARTING
    assert link.snapshot.cause is not None
    assert "first answer" in link.snapshot.cause
    world.note(waiting.result(DEADLINE))


def test_missing_program(world: World) -> None:
    link = world.link(binary=("/nowhere/ollama",))
    with pytest.raises(ServerNotFoundError) as caught:
        link.acquire().result(DEADLINE)
    assert caught.value.hint is not None
    assert "ollama.com/download" in caught.value.hint
    assert inspect("127.0.0.1", world.port) is None


def test_no_program_on_path(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(world.folder))
    monkeypatch.setattr("manager.supervisor.binary._well_known", lambda _: ())
    with pytest.raises(ServerNotFoundError, match="no `ollama` program"):
        world.link(binary=None).acquire().result(DEADLINE)


def test_missing_program_can_still_join(world: World) -> None:
    _, snapshot = world.ready()
    assert world.link(binary=None).acquire().result(DEADLINE).pid == snapshot.pid


def test_file_that_is_no_program(world: World) -> None:
    program = world.folder / "ollama"
    program.write_bytes(b"\x7fnot really")
    program.chmod(0o755)
    with pytest.raises(ServerStartError, match="cannot be executed") as caught:
        world.link(binary=(str(program),)).acquire().result(DEADLINE)
    assert str(program) in str(caught.value)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", b""])
def test_port_taken_by_another_program(world: World, answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", world.port)) as listener:

        def serve() -> None:
            while True:
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
            with pytest.raises(ServerStartError) as caught:
                world.link().acquire().result(DEADLINE)
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
    assert caught.value.code == "port_in_use"
    assert str(world.port) in str(caught.value)
    assert world.starts() == []


def test_foreign_server_is_adopted_and_never_stopped(
    world: World, foreign: subprocess.Popen[bytes]
) -> None:
    link = world.link()
    snapshot = link.acquire().result(DEADLINE)
    assert snapshot.ownership is Ownership.FOREIGN
    assert snapshot.version == "0.0.0-fake"
    assert snapshot.event == "server.adopted"
    for refused in (link.stop(), link.restart(), link.log()):
        with pytest.raises(ServerNotOwnedError):
            refused.result(DEADLINE)
    with pytest.raises(ServerNotOwnedError):
        stop_managed("127.0.0.1", world.port)
    assert link.acquire().result(DEADLINE).generation == 1
    link.close().result(DEADLINE)
    assert foreign.poll() is None
    assert inspect("127.0.0.1", world.port) is not None


def test_foreign_server_that_vanishes_is_noticed_then_replaced(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manager.supervisor.session._COMEBACK", 0.3)
    process = start_foreign(world)
    link = world.link()
    assert link.acquire().result(DEADLINE).ownership is Ownership.FOREIGN
    process.terminate()
    process.wait()
    world.eventually(lambda: link.snapshot.state is ServerState.STOPPED)  # without any request
    begun = time.monotonic()
    snapshot = link.acquire().result(DEADLINE)
    world.note(snapshot)
    assert snapshot.ownership is Ownership.MANAGED
    assert snapshot.generation == 2
    assert time.monotonic() - begun >= 0.2


def test_foreign_server_that_comes_back_is_adopted_again(world: World) -> None:
    process = start_foreign(world)
    link = world.link()
    link.acquire().result(DEADLINE)
    process.terminate()
    process.wait()
    waiting = link.acquire()
    process = start_foreign(world)
    try:
        snapshot = waiting.result(DEADLINE)
        assert snapshot.ownership is Ownership.FOREIGN
        assert snapshot.generation == 2
    finally:
        process.terminate()
        process.wait()


def test_port_stolen_by_a_foreign_server_while_restarting(world: World) -> None:
    link, snapshot = world.ready("exit-after=0.3", restart=RestartPolicy(initial_delay=1.0))
    assert snapshot.pid is not None
    world.eventually(lambda: link.snapshot.state is ServerState.RESTARTING)
    process = start_foreign(world)
    try:
        fresh = link.acquire().result(DEADLINE)
        assert fresh.ownership is Ownership.FOREIGN
        assert fresh.generation > snapshot.generation
    finally:
        process.terminate()
        process.wait()


def test_autostart_off(world: World) -> None:
    link = world.link(autostart=False)
    with pytest.raises(ServerUnavailableError, match="autostart"):
        link.acquire().result(DEADLINE)
    snapshot = link.start().result(DEADLINE)  # named explicitly
    world.note(snapshot)
    assert snapshot.ready


def test_many_processes_at_once_get_one_server(world: World) -> None:
    holders = [hold(world) for _ in range(8)]
    try:
        lines = [holder.stdout.readline().split() for holder in holders if holder.stdout]
        assert len(lines) == 8
        assert len({tuple(line) for line in lines}) == 1
        assert len(world.starts()) == 1
        seen = inspect("127.0.0.1", world.port)
        assert seen is not None
        assert seen.leases == 8
        world.note(seen)
        for holder in holders[:-1]:
            end(holder)
        world.eventually(lambda: (inspect("127.0.0.1", world.port) or seen).leases == 1)
        assert seen.pid is not None
        assert find(seen.pid) is not None
    finally:
        for holder in holders:
            end(holder)
    world.eventually(world.all_gone)


def test_many_threads_at_once_get_one_server(world: World) -> None:
    links = [world.link() for _ in range(4)]
    futures = [link.acquire() for link in links for _ in range(4)]
    pids = {future.result(DEADLINE).pid for future in futures}
    world.note(links[0].snapshot)
    assert len(pids) == 1
    assert len(world.starts()) == 1


def test_killed_manager_leaves_nothing(world: World) -> None:
    holder = hold(world)
    assert holder.stdout is not None
    holder.stdout.readline()
    seen = inspect("127.0.0.1", world.port)
    assert seen is not None
    world.note(seen)
    assert not world.all_gone()
    end(holder)
    world.eventually(world.all_gone)


FORKING = HOLDER.replace(
    "print(",
    """import os, time
child = os.fork()
if child == 0:
    time.sleep(600)
print(child, """,
)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_lease_ends_with_its_process_though_a_forked_child_lives_on(world: World) -> None:
    holder = hold(world, program=FORKING)
    assert holder.stdout is not None
    child = int(holder.stdout.readline().split()[0])
    try:
        seen = inspect("127.0.0.1", world.port)
        assert seen is not None
        world.note(seen)
        holder.kill()
        world.eventually(world.all_gone)
        assert find(child) is not None
    finally:
        os.kill(child, signal.SIGKILL)
        end(holder)


def test_killed_supervisor_takes_its_server_along_and_the_next_call_works(world: World) -> None:
    link, snapshot = world.ready()
    assert snapshot.supervisor_pid is not None
    os.kill(snapshot.supervisor_pid, signal.SIGKILL)
    world.eventually(lambda: link.snapshot.state is ServerState.STOPPED)
    assert link.snapshot.event == "server.crashed"
    world.eventually(world.all_gone)
    fresh = link.acquire().result(DEADLINE)
    world.note(fresh)
    assert fresh.ready
    assert fresh.generation == 2
    assert fresh.supervisor_pid != snapshot.supervisor_pid


@pytest.mark.parametrize("how", ["stubborn", "stopped"])
def test_server_that_outlives_its_killed_supervisor_is_killed_by_the_managers(
    world: World, how: str
) -> None:
    link, snapshot = world.ready(how)
    others = [world.link(how), world.link(how)]
    for other in others:
        other.acquire().result(DEADLINE)
    assert snapshot.supervisor_pid is not None
    assert snapshot.pid is not None
    if how == "stopped":
        os.kill(snapshot.pid, signal.SIGSTOP)
    os.kill(snapshot.supervisor_pid, signal.SIGKILL)
    world.eventually(lambda: link.snapshot.state is ServerState.STOPPED)
    assert find(snapshot.pid) is not None  # it does not hear the SIGTERM of its parent's death
    world.eventually(world.all_gone)


def test_managers_that_close_at_once_leave_nothing_of_a_killed_supervisor(world: World) -> None:
    link, snapshot = world.ready("stubborn")
    assert snapshot.supervisor_pid is not None
    os.kill(snapshot.supervisor_pid, signal.SIGKILL)
    world.eventually(lambda: link.snapshot.state is ServerState.STOPPED)
    link.close().result(DEADLINE)
    world.eventually(world.all_gone)


def test_successor_of_a_killed_supervisor_keeps_its_server(world: World) -> None:
    link, snapshot = world.ready("stubborn", stop_timeout=0.5)
    watcher = world.link("stubborn", stop_timeout=0.5)
    watcher.acquire().result(DEADLINE)
    assert snapshot.supervisor_pid is not None
    os.kill(snapshot.supervisor_pid, signal.SIGKILL)
    fresh = link.acquire().result(DEADLINE)
    world.note(fresh)
    assert fresh.pid != snapshot.pid
    killed = time.monotonic()
    world.eventually(lambda: time.monotonic() - killed > 1.0)  # the managers' grace is over
    assert link.acquire().result(DEADLINE).pid == fresh.pid
    assert find(snapshot.pid or 0) is None


def test_server_that_outlives_its_killed_supervisor_is_removed_not_adopted(world: World) -> None:
    holder = hold(world, "stubborn")
    assert holder.stdout is not None
    pid, supervisor = map(int, holder.stdout.readline().split())
    holder.send_signal(signal.SIGSTOP)  # it must not see the supervisor's death
    os.kill(supervisor, signal.SIGKILL)
    end(holder)
    world.eventually(lambda: find(supervisor) is None)
    assert find(pid) is not None  # it ignores the SIGTERM of its parent's death
    _, fresh = world.ready("stubborn", stop_timeout=0.3)
    assert fresh.ownership is Ownership.MANAGED
    assert fresh.pid != pid
    world.eventually(lambda: find(pid) is None)


def test_terminated_supervisor_cleans_up(world: World) -> None:
    link, snapshot = world.ready()
    assert snapshot.supervisor_pid is not None
    os.kill(snapshot.supervisor_pid, signal.SIGTERM)
    world.eventually(world.all_gone)
    world.note(link.acquire().result(DEADLINE))


def test_stopped_server_is_found_unresponsive_and_replaced(world: World) -> None:
    liveness = LivenessPolicy(interval=0.1, timeout=0.2, threshold=2)
    link, snapshot = world.ready(liveness=liveness)
    assert snapshot.pid is not None
    os.kill(snapshot.pid, signal.SIGSTOP)
    world.eventually(lambda: link.snapshot.ready and link.snapshot.pid != snapshot.pid)
    world.note(link.snapshot)
    events = [s.event for s in world.seen if s.event]
    assert "server.unresponsive" in events
    assert find(snapshot.pid) is None


def test_time_in_which_nobody_ran_is_no_silence_of_the_server(world: World) -> None:
    link, snapshot = world.ready(liveness=LivenessPolicy(interval=0.1, timeout=1.5, threshold=1))
    assert snapshot.pid is not None
    assert snapshot.supervisor_pid is not None

    def pass_time(seconds: float) -> None:
        begun = time.monotonic()
        world.eventually(lambda: time.monotonic() - begun > seconds)

    os.kill(snapshot.pid, signal.SIGSTOP)
    pass_time(0.5)  # a probe is on its way
    os.kill(snapshot.supervisor_pid, signal.SIGSTOP)
    pass_time(2.5)  # longer than the probe may take
    os.kill(snapshot.supervisor_pid, signal.SIGCONT)
    os.kill(snapshot.pid, signal.SIGCONT)
    pass_time(0.5)
    seen = inspect("127.0.0.1", world.port)
    assert seen is not None
    assert (seen.pid, seen.state) == (snapshot.pid, ServerState.READY)
    assert "server.unresponsive" not in [s.event for s in world.seen]
    assert link.snapshot.started_at == snapshot.started_at


def test_hung_supervisor_is_killed_by_the_next_manager(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manager.supervisor.attach._HELLO_TIMEOUT", 0.3)
    _, snapshot = world.ready()
    assert snapshot.supervisor_pid is not None
    os.kill(snapshot.supervisor_pid, signal.SIGSTOP)
    _, fresh = world.ready()
    assert fresh.supervisor_pid != snapshot.supervisor_pid


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_forked_child_takes_a_lease_of_its_own(world: World) -> None:
    link, snapshot = world.ready()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, f"{link.snapshot.state} ".encode())
            os.write(writing, str(link.acquire().result(DEADLINE).pid).encode())
            leases = inspect("127.0.0.1", world.port)
            os.write(writing, f" {leases.leases if leases else None}".encode())
            link.close().result(DEADLINE)
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading) as report:
        assert report.read() == f"stopped {snapshot.pid} 2"
    os.waitpid(child, 0)
    world.eventually(lambda: (inspect("127.0.0.1", world.port) or snapshot).leases == 1)
    assert link.acquire().result(DEADLINE).pid == snapshot.pid
    assert link.snapshot.ready
