"""The desk of a supervisor in a world and a time that a test owns, and managers that come to it."""

from __future__ import annotations

import os
import socket
import tempfile
from typing import TYPE_CHECKING, Any, cast

from manager.supervisor.desk import Desk
from manager.supervisor.loop import Loop
from manager.supervisor.machine import Machine
from manager.supervisor.probe import Verdict
from manager.supervisor.protocol import LineBuffer, encode, send_with_fd

if TYPE_CHECKING:
    from collections.abc import Callable

    from manager.supervisor.settings import ServerSettings
    from manager.supervisor.states import Snapshot
    from manager.supervisor.world import World

PORT_CHECK_TIMEOUT = 2.0
NO_PID = 1 << 30
"""Beyond what any system gives: a test must not look at, let alone end, a real process."""
DYING = 0.01
"""Seconds from SIGKILL to the exit."""


class FakeLoop(Loop):
    """A loop whose time stands still until it is moved."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 1000.0
        self._due: dict[str, tuple[float, Callable[[], None]]] = {}

    def now(self) -> float:
        return self.time

    def set_timer(self, name: str, seconds: float, callback: Callable[[], None]) -> None:
        self._due[name] = (self.time + max(seconds, 0.0), callback)

    def clear_timer(self, name: str) -> None:
        self._due.pop(name, None)

    @property
    def ended(self) -> bool:
        return not self._running

    def next_timer(self) -> float | None:
        return min((when for when, _ in self._due.values()), default=None)

    def serve_sockets(self) -> None:
        while self._running and self._selector.select(0):
            self.step(0)

    def serve_timer(self) -> bool:
        """Serve one timer that is due, if there is one."""
        when = self.next_timer()
        if when is None or when > self.time or not self._running:
            return False
        name = next(name for name, (due, _) in self._due.items() if due == when)
        self._due.pop(name)[1]()
        return True

    def close(self) -> None:
        self._selector.close()


class FakeServer:
    """A server process, with what the machine did to it."""

    def __init__(self, number: int, now: float, env: dict[str, str], command: tuple[str, ...]):
        self.number = number
        self.env = env
        self.command = command
        self.spawned_at = now
        self.ready_at: float | None = None
        self.silent = 0
        self.terminated_at: float | None = None
        self.killed = False
        self.exited_at: float | None = None
        self.cleared = False

    @property
    def alive(self) -> bool:
        return self.exited_at is None


class Watcher:
    """Hears of what the machine does at the moment that it does it."""

    def spawning(self, env: dict[str, str], command: tuple[str, ...]) -> None: ...
    def ending(self, server: FakeServer, *, kill: bool) -> None: ...


class FakeWorld:
    """What the machine acts on: one probe at a time, and effects that take time, as in the real."""

    def __init__(
        self,
        loop: FakeLoop,
        settings: ServerSettings,
        *,
        watcher: Watcher,
        published: Callable[[Snapshot], None],
        ask_in_flight: Callable[[], None],
        foreign: Callable[[], None],
        **_: object,
    ) -> None:
        self.command: tuple[str, ...] = ()
        self.machine = Machine(settings, self, loop.now, lambda: 0.5)
        self.ask_in_flight = ask_in_flight
        self.foreign = foreign
        self.probe: str | None = None  # "port", "answer" or "alive"
        self.clearing = False
        self.server: FakeServer | None = None
        self.spawned = 0
        self.not_executable = False
        self.prompt = False  # free ports are found free, and runners are gone, within the call
        self.shown: list[Snapshot] = []
        self._published = published
        self._loop = loop
        self._watcher = watcher

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Effects that have nothing to do with leases and states."""
        return lambda *_, **__: None

    def environ(self) -> dict[str, str]:
        return dict(self.machine.settings.env)

    def log_path(self) -> str:
        return "/server.log"

    def arm(self) -> None:
        deadline = self.machine.deadline
        if deadline is None:
            self._loop.clear_timer("machine")
        else:
            self._loop.set_timer("machine", deadline - self._loop.now(), self._tick)

    # Effects

    def check_port(self) -> None:
        self._ask("port", PORT_CHECK_TIMEOUT, lambda: self.port_found(Verdict.SILENT))
        if self.prompt:
            self.port_found(Verdict.FREE)

    def spawn(self) -> int:
        self._watcher.spawning(self.environ(), self.command)
        if self.not_executable:
            raise OSError(8, "Exec format error", "ollama")
        self.spawned += 1
        self.server = FakeServer(self.spawned, self._loop.now(), self.environ(), self.command)
        return NO_PID + self.spawned

    def await_answer(self) -> None:
        self._ask("answer", None, lambda: None)

    def check_alive(self, timeout: float) -> None:
        self._ask("alive", timeout, self.is_silent)

    def terminate(self) -> None:
        if self.server is not None and self.server.alive:
            self._watcher.ending(self.server, kill=False)
            self.server.terminated_at = self._loop.now()

    def kill(self) -> None:
        if self.server is not None and self.server.alive:
            self._watcher.ending(self.server, kill=True)
            self.server.killed = True
            self._loop.set_timer("dying", DYING, lambda: self.exits(-9))

    def clear(self) -> None:
        self.clearing = True
        if self.prompt:
            self.cleared()

    def published(self, snapshot: Snapshot) -> None:
        self.shown.append(snapshot)
        self._published(snapshot)

    # Events

    def port_found(self, verdict: Verdict) -> None:
        self._end_probe()
        self.machine.port_checked(verdict)
        self.arm()

    def answers(self) -> None:
        assert self.server is not None
        self._end_probe()
        self.server.silent = 0
        if self.server.ready_at is None:
            self.server.ready_at = self._loop.now()
        self.machine.answered("0.24.0")
        self.arm()

    def is_silent(self) -> None:
        assert self.server is not None
        self._end_probe()
        self.server.silent += 1
        self.machine.silent()
        self.arm()

    def exits(self, code: int, *log: str) -> None:
        assert self.server is not None
        self._loop.clear_timer("dying")
        self._end_probe()
        self.server.exited_at = self._loop.now()
        self.machine.exited(code, log)
        self.arm()

    def cleared(self) -> None:
        assert self.server is not None
        self.clearing = False
        self.server.cleared = True
        self.machine.cleared()
        self.arm()

    def _tick(self) -> None:
        self.machine.tick()
        self.arm()

    def _ask(self, what: str, timeout: float | None, silent: Callable[[], None]) -> None:
        self._end_probe()
        self.probe = what
        if timeout is not None:
            self._loop.set_timer("probe", timeout, silent)

    def _end_probe(self) -> None:
        self.probe = None
        self._loop.clear_timer("probe")


class _Listener(socket.socket):
    """Keeps what it accepts, to close it when its process would end."""

    def __init__(self) -> None:
        super().__init__(socket.AF_UNIX, socket.SOCK_STREAM)
        self.accepted: list[socket.socket] = []

    def accept(self) -> tuple[socket.socket, Any]:
        connection, address = super().accept()
        self.accepted.append(connection)
        return connection, address


class Supervisor:
    """One life of a supervisor process."""

    def __init__(self, watcher: Watcher) -> None:
        self.loop = FakeLoop()
        self._folder = tempfile.TemporaryDirectory(prefix="desk-")
        self.address = os.path.join(self._folder.name, "s")
        self._listener = _Listener()
        self._listener.bind(self.address)
        self._listener.listen()
        self._listener.setblocking(False)
        made: list[FakeWorld] = []

        def make_world(loop: Any, settings: ServerSettings, **hooks: Any) -> World:
            made.append(FakeWorld(loop, settings, watcher=watcher, **hooks))
            return cast("World", made[0])

        self.desk = Desk(self.loop, self._listener, "127.0.0.1", 11434, make_world)
        self.world = made[0]

    def close(self) -> None:
        """What the end of the process does."""
        for connection in self._listener.accepted:
            connection.close()
        self._listener.close()
        self.loop.close()
        self._folder.cleanup()


class FakeManager:
    """A manager's end of the wire. Its process is a socket: readable once the other end is closed.

    Args:
        address: Where the supervisor is.
        with_process: Whether it passes its process along.
    """

    def __init__(self, address: str, *, with_process: bool) -> None:
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connection.connect(address)
        self._connection.setblocking(False)
        self._lines = LineBuffer()
        self._process: socket.socket | None = None
        self.open = True
        shown: socket.socket | None = None
        if with_process:
            self._process, shown = socket.socketpair()
        hello = encode({"hello": {"protocol": 1, "pid": os.getpid()}})
        send_with_fd(self._connection, hello, None if shown is None else shown.fileno())
        if shown is not None:
            shown.close()

    @property
    def has_process(self) -> bool:
        return self._process is not None

    def send(self, message: dict[str, Any]) -> None:
        self._connection.sendall(encode(message))

    def receive(self) -> list[dict[str, Any]]:
        """Read what has come; ``open`` says whether the connection lasts."""
        messages: list[dict[str, Any]] = []
        while self.open:
            try:
                data = self._connection.recv(1 << 16)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self.open = False
            messages += self._lines.feed(data)
        return messages

    def die(self) -> None:
        """End the process; a forked child keeps the connection open."""
        assert self._process is not None
        self._process.close()

    def close(self) -> None:
        self.open = False
        self._connection.close()
        if self._process is not None:
            self._process.close()
