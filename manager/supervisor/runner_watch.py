"""Looks after the runners of a managed server: one that is stuck is killed, and nothing else.

A few times per timeout it looks at what the runners do. Only when one of them has done nothing
for the whole timeout are the managers asked who waits, and only for a model that is waited for is
the server asked which files that is. ``stuck`` has the rules.
"""

from __future__ import annotations

from manager.supervisor import runners
from manager.supervisor import wire_values as wire
from manager.supervisor.loop import READ, WRITE
from manager.supervisor.processes import children_of, find, kill
from manager.supervisor.records import Record
from manager.supervisor.settings import connect_host
from manager.supervisor.show import ShowModel
from manager.supervisor.states import Ownership, ServerState
from manager.supervisor.stuck import Case, Finding, Stillness, judge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from manager.supervisor.loop import Loop
    from manager.supervisor.machine import Machine
    from manager.supervisor.processes import Process

__all__ = ["Report", "RunnerWatch"]

_PARTS = 3
_ANSWER_TIMEOUT = 1.0
_SHOW_TIMEOUT = 2.0
_LONGEST_LOAD = 300.0  # Ollama's own OLLAMA_LOAD_TIMEOUT
_AT_WORK = 0.2
_MAX_NAMES = 256


class Report(Record):
    """Who waits for a runner, as a manager tells it.

    Args:
        waiting: For each that waits: the model, for how many seconds, and whether a part of the
            answer has come.
        left: The models whose answers were left before their end, and how many seconds ago.
    """

    waiting: tuple[tuple[str, float, bool], ...]
    left: Mapping[str, float]

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Report:
        """Read a report from the wire.

        Args:
            message: With ``waiting`` and ``left``, as in ``protocol``; either may be absent.

        Returns:
            The report.

        Raises:
            BadMessageError: It makes no sense.
        """
        waiting = tuple(_waiting(entry) for entry in wire.entries(message.get("waiting", [])))
        return cls(waiting, wire.mapping(message.get("left", {}), wire.seconds))


def _waiting(entry: Any) -> tuple[str, float, bool]:
    facts = wire.mapping(entry, wire.anything)
    return (
        wire.text(facts.get("model")),
        wire.seconds(facts.get("seconds", 0.0)),
        wire.flag(facts.get("begun", False)),
    )


class RunnerWatch:
    """Finds stuck runners.

    Args:
        loop: The loop to live in.
        machine: Knows the server.
        tell: Sends a message to all managers, and returns how many there are.
        report: Tells all managers something about the runners, in words.
    """

    def __init__(
        self,
        loop: Loop,
        machine: Machine,
        *,
        tell: Callable[[dict[str, Any]], int],
        report: Callable[[str], None],
    ) -> None:
        self._loop = loop
        self._machine = machine
        self._tell = tell
        self._report = report
        self._server: Process | None = None
        self._stillness = Stillness(0.0, 0.0)
        self._open = 0  # answers of managers that are outstanding
        self._waits: dict[str, tuple[float, float]] = {}
        self._names: list[str] = []
        self._show: ShowModel | None = None
        self._killed: set[str] = set()  # the files of their models, in this round
        self._left: dict[str, float] = {}
        self._cut_off: float | None = None
        self._reported: set[Process] = set()

    def settings_changed(self) -> None:
        """Begin anew, with the timeout that holds now."""
        self._drop()
        self._server = None
        self.server_changed()

    def server_changed(self) -> None:
        """Look after the runners of the server that there is now, if it is ready and ours."""
        snapshot = self._machine.snapshot
        managed = snapshot.ready and snapshot.ownership is Ownership.MANAGED and self._timeout > 0
        server = find(snapshot.pid) if managed and snapshot.pid is not None else None
        if server == self._server:
            return
        self._drop()
        self._server = server
        self._reported.clear()
        if server is not None:
            self._stillness = Stillness(self._timeout, self._timeout / _PARTS)
            self._loop.set_timer("runners", self._timeout / _PARTS, self._look)

    def left(self, models: Mapping[str, float]) -> None:
        """Note whose answers a manager left before their end, and how many seconds ago.

        Args:
            models: Seconds by name.
        """
        for model, seconds in models.items():
            when, name = self._loop.now() - seconds, full_name(model)
            self._left[name] = max(when, self._left.pop(name, when))
        while len(self._left) > _MAX_NAMES:
            del self._left[next(iter(self._left))]

    def manager_lost(self) -> None:
        """Note that a manager is gone without a word: whatever it was reading, it has left."""
        self._cut_off = self._loop.now()

    def heard(self, report: Report) -> None:
        """Take a manager's answer about who waits."""
        self.left(report.left)
        if not self._open:
            return  # too late
        for name, waited, has_begun in report.waiting[:_MAX_NAMES]:
            begun, unbegun = self._waits.get(name, (0.0, 0.0))
            if has_begun:
                self._waits[name] = (max(begun, waited), unbegun)
            else:
                self._waits[name] = (begun, max(unbegun, waited))
        self._open -= 1
        if not self._open:
            self._weigh()

    @property
    def _timeout(self) -> float:
        return self._machine.settings.runner_timeout

    def _drop(self) -> None:
        """Forget the round that is under way."""
        for name in ("runners", "runners-asked"):
            self._loop.clear_timer(name)
        self._open = 0
        self._names = []
        self._end_show()

    def _look(self) -> None:
        assert self._server is not None
        self._loop.set_timer("runners", self._timeout / _PARTS, self._look)
        still = [process for process in self._sample() if self._is_still(process)]
        self._reported.intersection_update(still)
        busy = self._open or self._names or self._show is not None
        if busy or not still:
            return
        self._waits = {}
        self._killed = set()
        self._open = self._tell({"ask": "waiting"})
        if self._open:
            self._loop.set_timer("runners-asked", _ANSWER_TIMEOUT, self._weigh)

    def _sample(self) -> list[Process]:
        """Look at the server and its runners; return those runners that could be seen."""
        assert self._server is not None
        seen = {
            process: done
            for process in (self._server, *children_of(self._server.pid))
            if (done := runners.activity(process)) is not None
        }
        self._stillness.add(self._loop.now(), seen)
        return [process for process in seen if process != self._server]

    def _is_still(self, process: Process) -> bool:
        return self._stillness.still(process) >= self._timeout

    def _weigh(self) -> None:
        """Those managers that do not answer in time have nothing to say."""
        self._loop.clear_timer("runners-asked")
        self._open = 0
        self._names = [name for name, waits in self._waits.items() if max(waits) >= self._timeout]
        self._next_model()

    def _next_model(self) -> None:
        """Ask the server for the files of the next model that is waited for."""
        self._end_show()
        if not self._names or self._machine.snapshot.state is not ServerState.READY:
            self._names = []
            return
        name = self._names.pop()
        settings = self._machine.settings
        show = self._show = ShowModel(connect_host(settings.host), settings.port, name)

        def advance() -> None:
            if show.socket is not None:
                self._loop.unwatch(show.socket.fileno())
            if not show.advance() and show.socket is not None:
                events = WRITE if show.wants_write else READ
                self._loop.watch(show.socket.fileno(), events, advance)
                return
            self._decide(name, show.digests)
            self._next_model()

        self._loop.set_timer("runners-asked", _SHOW_TIMEOUT, self._next_model)
        advance()

    def _end_show(self) -> None:
        self._loop.clear_timer("runners-asked")
        show, self._show = self._show, None
        if show is not None and show.socket is not None:
            self._loop.unwatch(show.socket.fileno())
            show.close()

    def _decide(self, name: str, files: set[str]) -> None:
        if not files or self._server is None or self._machine.snapshot.state != ServerState.READY:
            return
        if files & self._killed:
            self._tell({"resend": name})  # another name for the same model
            return
        family = self._sample()
        its_own = [process for process in family if runners.digests(process) & files]
        if len(its_own) != 1:
            return
        runner = its_own[0]
        case = self._case(name, runner, [other for other in family if other != runner])
        finding = judge(case, self._timeout)
        if finding is Finding.NOTHING:
            return
        facts = f"the runner of {name} (pid {runner.pid}) has done nothing for {case.still:.0f} s"
        if finding is Finding.REPORT:
            if runner not in self._reported:
                self._reported.add(runner)
                waited = f"{case.unbegun:.0f} s"
                self._report(f"{facts}, and a request has waited for {waited}; it is left alone")
            return
        # Ollama lets those wait on that were waiting, and loads nothing until they are gone. They
        # are told first, or some get an error; they come back to this loop before they ask again.
        self._killed |= files
        self._tell({"resend": name})
        # Who has waited for less, perhaps by another name of the same model, is stuck with it.
        self._names = [other for other in self._waits if other != name]
        if kill(runner):
            begun = case.begun >= self._timeout
            waits = "an answer that it has begun" if begun else "a request that cannot begin"
            self._report(f"{facts}, in spite of {waits}, and was killed; a new one will be started")

    def _case(self, name: str, runner: Process, others: list[Process]) -> Case:
        assert self._server is not None
        begun, unbegun = self._waits[name]
        now, left = self._loop.now(), self._left.get(full_name(name))
        loading = any(
            runners.age(other) < _LONGEST_LOAD and not self._is_still(other) for other in others
        )
        return Case(
            begun=begun,
            unbegun=unbegun,
            still=self._stillness.still(runner),
            resting=runners.is_resting(runner),
            age=runners.age(runner),
            left=None if left is None else now - left,
            cut_off=None if self._cut_off is None else now - self._cut_off,
            slow_reader=runners.has_slow_reader(self._server.pid, self._machine.settings.port),
            busy=loading or self._stillness.share(self._server) > _AT_WORK,
        )


def full_name(model: str) -> str:
    """Return a model's name with its tag, so that two spellings of it are one.

    Args:
        model: As somebody wrote it.
    """
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"
