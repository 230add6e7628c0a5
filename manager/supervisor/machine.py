"""The life of one server: events in, effects out, no I/O and no clock of its own.

``phases`` has the table.
"""

from __future__ import annotations

from manager.supervisor.causes import Cause, describe, explain_exit
from manager.supervisor.phases import Phase
from manager.supervisor.probe import Verdict
from manager.supervisor.restarts import decide_restart
from manager.supervisor.states import Ownership, ServerState, Snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from manager.supervisor.phases import Effects
    from manager.supervisor.settings import ServerSettings


__all__ = ["Machine"]

_CLEAR_TIMEOUT = 2.0
_S = ServerState


class Machine:
    """The state of one server and the rules for changing it.

    Args:
        settings: What was asked for; ``restart`` with others replaces them.
        effects: The world.
        clock: The monotonic clock, in seconds.
        chance: Random numbers from 0 to 1, for the jitter of waits.
    """

    def __init__(
        self,
        settings: ServerSettings,
        effects: Effects,
        clock: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        self.settings: ServerSettings = settings
        self.phase: Phase = Phase.IDLE
        self.deadline: float | None = None
        self.snapshot: Snapshot = Snapshot(_S.STOPPED, Ownership.NONE, settings.base_url)
        self._effects = effects
        self._clock = clock
        self._chance = chance
        self._goal = Phase.IDLE  # what follows `clearing`
        self._delay = 0.0
        self._failures = 0
        self._silent = 0
        self._was_ready = False
        self._failure: dict[str, Any] | None = None

    # Commands

    def start(self, settings: ServerSettings | None = None, *, explicit: bool = False) -> None:
        """Want a server; a given-up one is tried again only on an explicit wish."""
        self.settings = settings or self.settings
        if self.phase is Phase.IDLE or (self.phase is Phase.FAILED and explicit):
            self._failures = 0
            self._was_ready = False
            self._check(_S.STARTING, "server.starting", restarts=0)
        elif self.snapshot.state is _S.STOPPING:
            self._failures = 0
            self._was_ready = False
            self._goal = Phase.CHECKING

    def restart(self, settings: ServerSettings | None = None) -> None:
        """Want a fresh server, with other settings if need be; requests in flight come first."""
        self.settings = settings or self.settings
        self._failures = 0
        self._was_ready = False  # what fails now fails to start
        if self.phase in (Phase.IDLE, Phase.FAILED):
            self.start(explicit=True)
        elif self.phase in (Phase.UP, Phase.BOOTING):
            self._wind_down(Phase.CHECKING, _S.RESTARTING, "server.restarting", "asked to restart")
        elif self.phase is Phase.WAITING:
            self._check(self.snapshot.state, None)
        else:
            self._goal = Phase.CHECKING

    def stop(self, cause: str, *, drain: bool = True) -> None:
        """Want no server; requests in flight come first if ``drain``."""
        if self.phase in (Phase.UP, Phase.BOOTING):
            self._wind_down(Phase.IDLE, _S.STOPPING, None, cause, drain=drain)
        elif self.phase in (Phase.CHECKING, Phase.WAITING, Phase.FAILED):
            self._stopped(cause)
        elif self.phase is not Phase.IDLE:
            self._goal = Phase.IDLE
            self._show(_S.STOPPING, cause=cause)
            if not drain and self.phase is Phase.DRAINING:
                self._end()

    # Events

    def port_checked(self, verdict: Verdict) -> None:
        """The port was probed before a spawn."""
        if self.phase is not Phase.CHECKING:
            return
        if verdict is Verdict.OLLAMA:
            self._enter(Phase.IDLE)
            self._effects.foreign()
        elif verdict is Verdict.FREE:
            self._spawn()
        else:
            address = self.settings.address
            self._fail(
                Cause(
                    "port_in_use",
                    f"{address} is taken by a program that is not Ollama",
                    "Stop that program, or choose another `host`.",
                )
            )

    def answered(self, version: str | None) -> None:
        """The server gave Ollama's answer."""
        self._silent = 0
        if self.phase is Phase.BOOTING:
            self._was_ready = True
            self._enter(Phase.UP, self.settings.liveness.interval or None)
            self._show(
                _S.READY,
                "server.ready",
                version=version,
                started_at=self._clock(),
                cause=None,
                last_error=None,
            )
        elif self.phase is Phase.UP:
            self._enter(Phase.UP, self.settings.liveness.interval or None)
            if self.snapshot.state is _S.UNRESPONSIVE:
                self._show(_S.READY, "server.ready", cause=None)

    def silent(self) -> None:
        """A liveness probe got no answer of Ollama's."""
        if self.phase is not Phase.UP:
            return
        self._silent += 1
        if self.snapshot.state is not _S.UNRESPONSIVE:
            self._show(_S.UNRESPONSIVE, "server.unresponsive", cause="it does not answer")
        if self._silent < self.settings.liveness.threshold:
            self._enter(Phase.UP, self.settings.liveness.interval)
            return
        self._goal = Phase.CHECKING
        self._show(_S.RESTARTING, "server.restarting", cause="it hung and was killed")
        self._kill()

    def exited(self, exit_code: int, log: Sequence[str]) -> None:
        """The server process is gone."""
        if self.phase in (Phase.BOOTING, Phase.UP):
            self._died(exit_code, log)
        else:
            self._delay = 0.0
            self._show(self.snapshot.state, pid=None, started_at=None, exit_code=exit_code)
        self._enter(Phase.CLEARING, _CLEAR_TIMEOUT)
        self._effects.clear()

    def cleared(self) -> None:
        """Nothing of the dead server is left."""
        if self.phase is not Phase.CLEARING:
            return
        if self._goal is Phase.CHECKING:
            booting = self.snapshot.state is _S.STARTING
            if self._delay > 0:
                self._enter(Phase.WAITING, self._delay)
            elif self.snapshot.state is _S.STOPPING:
                self._check(_S.STARTING, "server.starting", restarts=0)
            else:
                self._check(_S.STARTING if booting else _S.RESTARTING, None)
        elif self._goal is Phase.FAILED:
            self._enter(Phase.FAILED)
            self._show(
                _S.FAILED,
                "server.failed",
                last_error=self._failure,
                pid=None,
                ownership=Ownership.NONE,
            )
        else:
            self._stopped(self.snapshot.cause)

    def in_flight(self, requests: int) -> None:
        """The managers said how many requests are in flight, all together."""
        if self.phase is Phase.DRAINING and requests == 0:
            self._end()

    def tick(self) -> None:
        """The deadline has passed."""
        phase, self.deadline = self.phase, None
        if phase is Phase.BOOTING:
            self._never_ready()
        elif phase is Phase.UP:
            self._effects.check_alive(self.settings.liveness.timeout)
        elif phase is Phase.DRAINING:
            self._end()
        elif phase is Phase.ENDING:
            self._kill()
        elif phase is Phase.CLEARING:
            self.cleared()  # what is left cannot be killed: not worth waiting for
        elif phase is Phase.WAITING:
            self._check(self.snapshot.state, None)

    # Steps

    def _check(self, state: ServerState, event: str | None, **changes: Any) -> None:
        self._enter(Phase.CHECKING)
        self._show(state, event, cause="checking the port", pid=None, started_at=None, **changes)
        self._effects.check_port()

    def _spawn(self) -> None:
        try:
            pid = self._effects.spawn()
        except OSError as error:
            reason = f"the program cannot be executed: {error.strerror}: {error.filename}"
            self._fail(Cause("not_executable", reason, "Check `binary`."))
            return
        again = self._was_ready or self._failures > 0
        self._enter(Phase.BOOTING, self.settings.start_timeout)
        self._show(
            self.snapshot.state,
            ownership=Ownership.MANAGED,
            pid=pid,
            cause="waiting for its first answer; discovery of GPUs can take a while",
            generation=self.snapshot.generation + 1,
            restarts=self.snapshot.restarts + (1 if again else 0),
        )
        self._effects.await_answer()

    def _died(self, exit_code: int, log: Sequence[str]) -> None:
        started = self.snapshot.started_at
        ready_for = None if started is None else self._clock() - started
        cause = explain_exit(exit_code, log)
        error = self._error(cause, exit_code, log)
        event = "server.crashed" if started is not None else None
        decision = decide_restart(
            self.settings.restart,
            ready_for=ready_for,
            failures=self._failures,
            chance=self._chance(),
        )
        self._failures = decision.failures
        # A program that says no at its first start would say so again.
        hopeless = ready_for is None and (
            cause.permanent or (not self._was_ready and exit_code >= 0)
        )
        self._goal = Phase.FAILED if hopeless or decision.delay is None else Phase.CHECKING
        self._delay = decision.delay or 0.0
        self._failure = error
        restarting = _S.RESTARTING if self._was_ready else self.snapshot.state
        self._show(
            restarting,
            event,
            cause=cause.message,
            exit_code=exit_code,
            last_error=error,
            pid=None,
            started_at=None,
        )
        if self._goal is Phase.CHECKING and self._was_ready:
            self._show(restarting, "server.restarting")

    def _never_ready(self) -> None:
        seconds = self.settings.start_timeout
        cause = Cause(
            "start_timeout",
            f"it did not answer within {seconds:g} s",
            "Look at its log, or raise `start_timeout`.",
        )
        self._goal = Phase.FAILED
        self._failure = self._error(cause, None, ())
        self._show(self.snapshot.state, cause=cause.message)
        self._kill()

    def _wind_down(
        self, goal: Phase, state: ServerState, event: str | None, cause: str, *, drain: bool = True
    ) -> None:
        drain = drain and self.phase is Phase.UP and self.settings.drain_timeout > 0
        self._goal = goal
        self._delay = 0.0
        self._show(state, event, cause=cause)
        if drain:
            self._enter(Phase.DRAINING, self.settings.drain_timeout)
            self._effects.ask_in_flight()
        else:
            self._end()

    def _end(self) -> None:
        self._enter(Phase.ENDING, self.settings.stop_timeout)
        self._effects.terminate()

    def _kill(self) -> None:
        self._enter(Phase.KILLING)
        self._effects.kill()

    def _fail(self, cause: Cause) -> None:
        self._failure = self._error(cause, None, ())
        self._enter(Phase.FAILED)
        self._show(
            _S.FAILED,
            "server.failed",
            cause=cause.message,
            last_error=self._failure,
            pid=None,
            ownership=Ownership.NONE,
        )

    def _stopped(self, cause: str | None) -> None:
        self._enter(Phase.IDLE)
        self._show(
            _S.STOPPED,
            "server.stopped",
            cause=cause,
            pid=None,
            started_at=None,
            ownership=Ownership.NONE,
        )

    def _error(self, cause: Cause, exit_code: int | None, log: Sequence[str]) -> dict[str, Any]:
        return describe(cause, started=self._was_ready, exit_code=exit_code, log=log)

    def _enter(self, phase: Phase, seconds: float | None = None) -> None:
        self.phase = phase
        self.deadline = None if seconds is None else self._clock() + seconds

    def _show(self, state: ServerState, event: str | None = None, **changes: Any) -> None:
        self.snapshot = self.snapshot.replace(state=state, event=event, **changes)
        self._effects.published(self.snapshot)
