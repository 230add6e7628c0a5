"""What the machine asks of the world: probes, processes, timers, each answered by an event."""

from __future__ import annotations

import os
import signal
import time

from manager.supervisor.inherited import few_files
from manager.supervisor.listeners import Owner, owner_of
from manager.supervisor.logfile import log_path
from manager.supervisor.loop import READ, WRITE
from manager.supervisor.machine import Machine
from manager.supervisor.phases import Phase
from manager.supervisor.probe import CUT_PATIENCE, Probe, Verdict
from manager.supervisor.processes import descendants_of, kill, leftovers
from manager.supervisor.server_process import ServerProcess, reap_others, reap_strays
from manager.supervisor.serverlog import CHECK_INTERVAL
from manager.supervisor.settings import connect_host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from manager.supervisor.loop import Loop
    from manager.supervisor.settings import ServerSettings
    from manager.supervisor.states import Snapshot

__all__ = ["World"]

_ANSWERS = (Verdict.OLLAMA, Verdict.OTHER)
_PORT_CHECK_TIMEOUT = 2.0
_ANSWER_TIMEOUT = 10.0
_CHILD_INTERVAL = 1.0  # between looks at a child that there is no handle of
_NO_LOG = "it has no log: the file cannot be written, or its disk is full"
_LOG_LINES = 200  # a Go program's last words are followed by what all its threads did


class World:
    """The effects of one machine, in one loop.

    Args:
        loop: The loop that everything happens in.
        settings: The first settings.
        published: Hears of every new snapshot.
        ask_in_flight: Asks the managers for their requests in flight.
        foreign: Hears that somebody else's Ollama has the port.
        rolled_back: Hears that no server came up with other settings, and why.
    """

    def __init__(
        self,
        loop: Loop,
        settings: ServerSettings,
        *,
        published: Callable[[Snapshot], None],
        ask_in_flight: Callable[[], None],
        foreign: Callable[[], None],
        rolled_back: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self.command: tuple[str, ...] = ()
        self.nonce: str = f"{os.getpid()}-{time.monotonic_ns()}"
        self.machine: Machine = Machine(settings, self, loop.now, _chance)
        self.ask_in_flight = ask_in_flight
        self.foreign = foreign
        self._rolled_back = rolled_back
        self._published = published
        self._loop = loop
        self._server: ServerProcess | None = None
        self._probe: Probe | None = None
        self._cleaned = False
        loop.on_signal(signal.SIGCHLD, self._child_exited)
        loop.on_gap(self.machine.slept)

    def environ(self) -> dict[str, str]:
        """The environment that a server started now would get."""
        return {**os.environ, **self.machine.settings.env}

    def log_path(self) -> str:
        """Where the server's log goes."""
        settings = self.machine.settings
        return log_path(settings.address, settings.log_dir)

    def arm(self) -> None:
        """Set the loop's timer to the machine's deadline; called after every event."""
        deadline = self.machine.deadline
        if deadline is None:
            self._loop.clear_timer("machine")
        else:
            self._loop.set_timer("machine", deadline - self._loop.now(), self._tick)

    # The machine's effects

    def check_port(self) -> None:
        """Find out who has the port; what an earlier life left there is removed first."""
        begun = self._loop.now()
        until: float | None = None  # when what was killed has to be gone
        answers = 0

        def done(verdict: Verdict, _version: str | None) -> None:
            nonlocal answers, until
            now = self._loop.now()
            if verdict is not Verdict.FREE or not self._cleaned:
                found = leftovers(self.machine.settings.address, self.nonce)
                for process in found:
                    kill(process)
                if found and until is None:
                    until = now + _PORT_CHECK_TIMEOUT
                # One that is dying answers once, perhaps, but not twice.
                answers += verdict is Verdict.OLLAMA
                cut = verdict is Verdict.CUT and now < (until or begun + CUT_PATIENCE)
                dying = bool(found) and until is not None and now < until
                self._cleaned = not found
                if dying or cut or answers == 1:
                    self._loop.set_timer("probe", 0.005, begin)
                    return
            self.machine.port_checked(verdict)

        def begin() -> None:
            self._ask(_PORT_CHECK_TIMEOUT, done)

        begin()

    def spawn(self) -> int:
        """Start the server."""
        settings = self.machine.settings
        environ = self.environ()
        if self.machine.again and "OLLAMA_NOPRUNE" not in settings.env:
            environ["OLLAMA_NOPRUNE"] = "1"  # else it deletes what was downloaded in part
        self._server = ServerProcess(settings, self.command, environ, self.nonce)
        self._watch_log()
        self._watch_child()
        return self._server.pid

    def await_answer(self) -> None:
        """Probe until the server answers: closely at first, since most are quick."""
        begun = self._loop.now()

        def done(verdict: Verdict, version: str | None) -> None:
            if self.machine.phase is not Phase.BOOTING:
                return
            another = verdict in _ANSWERS and self._another_answers()
            if verdict is Verdict.OLLAMA and not another:
                self.machine.answered(version, self._remark())
                return
            if not self.machine.heard(verdict, another=another):
                return
            waited = self._loop.now() - begun
            delay = 0.003 if waited < 0.2 else 0.02 if waited < 2 else 0.1
            self._loop.set_timer("probe", delay, begin)

        def begin() -> None:
            self._ask(_ANSWER_TIMEOUT, done)

        begin()

    def check_alive(self, timeout: float) -> None:
        """Probe a ready server once."""
        begun = self._loop.now()

        def done(verdict: Verdict, version: str | None) -> None:
            waited = self._loop.now() - begun
            if verdict is Verdict.OLLAMA:
                self.machine.answered(version)
            elif verdict in (Verdict.FREE, Verdict.CUT) and waited < CUT_PATIENCE:
                # It is on its way out: its exit, which says more, will be heard of any moment.
                self._loop.set_timer("probe", 0.005, begin)
            else:
                self.machine.silent()

        def begin() -> None:
            self._ask(timeout, done)

        begin()

    def terminate(self) -> None:
        """SIGTERM."""
        if self._server is not None:
            self._server.terminate()

    def kill(self) -> None:
        """SIGKILL, to its whole group."""
        if self._server is not None:
            self._server.kill()

    def clear(self) -> None:
        """Remove the runners of the dead server."""
        if reap_others():
            self._loop.clear_timer("clear")
            self.machine.cleared()
            self.arm()
        else:
            self._loop.set_timer("clear", 0.005, self._clear_again)

    def rolled_back(self, error: Mapping[str, Any]) -> None:
        """Pass on that no server came up with other settings."""
        self._rolled_back(error)

    def published(self, snapshot: Snapshot) -> None:
        """Pass a snapshot on."""
        self._published(snapshot)

    # Events of the loop

    def _tick(self) -> None:
        if self._probe is not None and not self._probe.wants_write:
            self.machine.heard(Verdict.SILENT)  # connected, but not answered until now
        self.machine.tick()
        self.arm()

    def _clear_again(self) -> None:
        if self.machine.phase is Phase.CLEARING:
            self.clear()

    def _child_exited(self) -> None:
        if self._server is None:
            self._clear_again()
            return
        exit_code = self._server.reap()
        if exit_code is None:
            reap_strays(self._server.pid)
            return
        server, self._server = self._server, None
        self._end_probe()
        self._loop.clear_timer("log")
        self._loop.clear_timer("child")
        if server.handle is not None:
            self._loop.unwatch(server.handle)
        log = server.log.tail(_LOG_LINES)
        server.close()
        self.machine.exited(exit_code, log)
        self.arm()

    def _watch_child(self) -> None:
        """Hear of the server's end even if no SIGCHLD comes."""
        if self._server is None:
            return
        if self._server.handle is not None:
            self._loop.watch(self._server.handle, READ, self._child_exited)
        else:
            self._loop.set_timer("child", _CHILD_INTERVAL, self._look_at_child)

    def _look_at_child(self) -> None:
        self._watch_child()
        self._child_exited()

    def _remark(self) -> str | None:
        """What is worth knowing about a server that is ready."""
        no_log = None if self._server is not None and self._server.log.kept else _NO_LOG
        return "; ".join(filter(None, (no_log, few_files()))) or None

    def _watch_log(self) -> None:
        if self._server is not None:
            self._server.log.look()
            interval = self.machine.settings.liveness.interval or CHECK_INTERVAL
            self._loop.set_timer("log", min(interval, CHECK_INTERVAL), self._watch_log)

    def _another_answers(self) -> bool:
        """Whether it is certain that the port belongs to a process that is none of ours."""
        settings = self.machine.settings
        return owner_of(connect_host(settings.host), settings.port, self._ours()) is Owner.ANOTHER

    def _ours(self) -> Iterator[int]:
        if self._server is not None:
            yield self._server.pid
        yield from descendants_of(os.getpid())  # what a script has started, possibly detached

    def _ask(self, timeout: float, done: Callable[[Verdict, str | None], None]) -> None:
        self._end_probe()
        settings = self.machine.settings
        probe = self._probe = Probe(connect_host(settings.host), settings.port)

        def advance() -> None:
            if probe.socket is not None:
                self._loop.unwatch(probe.socket.fileno())
            verdict = probe.advance()
            if verdict is not None or probe.socket is None:
                finish(verdict or Verdict.SILENT)
                return
            events = WRITE if probe.wants_write else READ
            self._loop.watch(probe.socket.fileno(), events, advance)

        def finish(verdict: Verdict) -> None:
            self._end_probe()
            done(verdict, probe.version)
            self.arm()

        self._loop.set_timer("probe", timeout, lambda: finish(Verdict.SILENT))
        advance()

    def _end_probe(self) -> None:
        self._loop.clear_timer("probe")
        probe, self._probe = self._probe, None
        if probe is not None and probe.socket is not None:
            self._loop.unwatch(probe.socket.fileno())
            probe.close()


def _chance() -> float:
    return os.urandom(1)[0] / 255  # importing random costs more than all of its use here
