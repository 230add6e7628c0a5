"""Starts: whose answer it is, ports that are taken meanwhile, programs that are not Ollama."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from manager.errors import ServerStartError
from manager.supervisor.client import inspect
from manager.supervisor.processes import kill
from manager.supervisor.restarts import RestartPolicy
from manager.supervisor.states import Ownership, ServerState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.process.conftest import World

DEADLINE = 20.0
OLLAMA = b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{"version":"9.9"}'
NOT_OLLAMA = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def serving(port: int, answer: bytes) -> Iterator[list[bytes]]:
    """A server in this process; gives the requests that it has answered."""
    requests: list[bytes] = []
    with socket.create_server(("127.0.0.1", port)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    requests.append(connection.recv(4096))
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield requests
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def managed_and_ready(world: World) -> list[object]:
    return [s for s in world.seen if s.ready and s.ownership is Ownership.MANAGED]


def test_ready_is_the_answer_of_our_own_server(world: World) -> None:
    go = world.folder / "go"
    link = world.link(f"wait-for={go}")
    waiting = link.acquire()
    world.eventually(lambda: link.snapshot.pid)
    with serving(world.port, OLLAMA) as requests:  # quicker than ours, which is not bound yet
        world.eventually(lambda: len(requests) >= 3)
        assert link.snapshot.state is ServerState.STARTING
        go.touch()
        snapshot = waiting.result(DEADLINE)
        assert snapshot.ownership is Ownership.FOREIGN
        assert snapshot.version == "9.9"
        assert managed_and_ready(world) == []
        link.close().result(DEADLINE)


def test_server_behind_a_script_is_ours(world: World) -> None:
    script = world.folder / "wrapper"
    script.write_text(f'#!/bin/sh\n{" ".join(world.fake)} "$@" &\nwait\n')
    script.chmod(0o755)
    snapshot = world.link(binary=(str(script),)).acquire().result(DEADLINE)
    world.note(snapshot)
    assert snapshot.ownership is Ownership.MANAGED
    assert snapshot.pid != world.starts()[0]["pid"]


def test_port_that_is_taken_before_ours_could_bind_it(world: World) -> None:
    go = world.folder / "go"
    link = world.link(f"wait-for={go}")
    waiting = link.acquire()
    world.eventually(lambda: link.snapshot.pid)
    with serving(world.port, NOT_OLLAMA) as requests:
        world.eventually(lambda: requests)
        go.touch()
        with pytest.raises(ServerStartError) as caught:
            waiting.result(DEADLINE)
    assert caught.value.code == "port_in_use"
    world.note(link.acquire().result(DEADLINE))  # free again: no harm done


def test_port_that_is_free_again_is_used(world: World) -> None:
    link = world.link(f"in-use-once={world.folder / 'once'}")
    snapshot = link.acquire().result(DEADLINE)
    world.note(snapshot)
    assert snapshot.ready
    assert len(world.starts()) == 1


def test_port_that_is_never_free_is_given_up(world: World) -> None:
    quick = RestartPolicy(initial_delay=0.01, max_delay=0.05, max_failures=3)
    program = world.folder / "ollama"
    program.write_text(
        f"#!/bin/sh\necho x >> {world.folder}/starts\n"
        "echo 'Error: listen tcp: bind: address already in use'\nexit 1\n"
    )
    program.chmod(0o755)
    link = world.link(binary=(str(program),), restart=quick)
    with pytest.raises(ServerStartError) as caught:
        link.acquire().result(DEADLINE)
    assert caught.value.code == "port_in_use"
    assert (world.folder / "starts").read_text().count("x") == 3


def test_port_stolen_by_another_program_while_restarting(world: World) -> None:
    link, _ = world.ready("exit-after=0.3", restart=RestartPolicy(initial_delay=1.0))
    world.eventually(lambda: link.snapshot.state is ServerState.RESTARTING)
    with serving(world.port, NOT_OLLAMA):
        with pytest.raises(ServerStartError) as caught:
            link.acquire().result(DEADLINE)
        assert caught.value.code == "port_in_use"
        assert str(world.port) in str(caught.value)
        assert link.snapshot.state is ServerState.FAILED
    world.note(link.configure(world.settings()).result(DEADLINE))
    snapshot = link.acquire().result(DEADLINE)
    world.note(snapshot)
    assert snapshot.ready


def test_program_that_answers_but_is_not_ollama(world: World) -> None:
    link = world.link("other", start_timeout=300.0)
    with pytest.raises(ServerStartError, match="not as Ollama does") as caught:
        link.acquire().result(DEADLINE)
    assert caught.value.hint is not None
    assert "binary" in caught.value.hint
    assert len(world.starts()) == 1
    world.eventually(world.all_gone)


@pytest.mark.parametrize(
    ("mode", "seen"),
    [("mute", "took connections, but gave no HTTP answer"), ("no-bind", "nothing listened")],
)
def test_time_over_says_what_was_seen(world: World, mode: str, seen: str) -> None:
    with pytest.raises(ServerStartError, match=seen) as caught:
        world.link(mode, start_timeout=0.5).acquire().result(DEADLINE)
    assert "within 0.5 s" in str(caught.value)
    world.eventually(world.all_gone)


def test_program_that_ends_at_once_without_an_error(world: World) -> None:
    with pytest.raises(ServerStartError, match="exit code 0") as caught:
        world.link("leave").acquire().result(DEADLINE)
    assert caught.value.hint is not None
    assert "binary" in caught.value.hint


def environ(world: World) -> dict[str, str]:
    seen = world.eventually(
        lambda: (s := inspect("127.0.0.1", world.port)) and s.ready and s.pid and s
    )
    world.note(seen)
    entries = Path(f"/proc/{seen.pid}/environ").read_text().split("\0")
    return dict(entry.split("=", 1) for entry in entries if entry)


@pytest.mark.parametrize("explicit", [None, "0"])
def test_paused_downloads_survive_restarts_after_a_crash(
    world: World, explicit: str | None
) -> None:
    env = {} if explicit is None else {"OLLAMA_NOPRUNE": explicit}
    link, snapshot = world.ready(env=env)
    assert environ(world).get("OLLAMA_NOPRUNE") == explicit
    world.stable(snapshot)
    process = next(p for p in world.known if p.pid == snapshot.pid)
    kill(process)
    fresh = world.eventually(lambda: link.snapshot.ready and link.snapshot.generation == 2)
    assert fresh
    assert environ(world)["OLLAMA_NOPRUNE"] == (explicit or "1")
    # It is none of the settings, so others may join,
    assert world.link(env=env).acquire().result(DEADLINE).pid == link.snapshot.pid
    # and whoever restarts the server wants it as it would be.
    world.note(link.restart().result(DEADLINE))
    assert environ(world).get("OLLAMA_NOPRUNE") == explicit


def test_program_that_is_replaced_while_its_server_runs(world: World) -> None:
    program = world.folder / "ollama"
    text = f'#!/bin/sh\nexec {" ".join(world.fake)} "$@"\n'
    program.write_text(text)
    program.chmod(0o755)
    link, snapshot = world.ready(
        binary=(str(program),), restart=RestartPolicy(initial_delay=0.2, jitter=0.0)
    )
    world.stable(snapshot)
    program.unlink()
    kill(next(p for p in world.known if p.pid == snapshot.pid))
    world.eventually(lambda: "cannot be executed" in (link.snapshot.cause or ""))
    program.write_text(text)
    program.chmod(0o755)
    world.eventually(lambda: link.snapshot.ready and link.snapshot.generation == 2)
    world.note(link.snapshot)
