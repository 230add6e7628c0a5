"""The life of one server: events in, effects out, no I/O and no clock of its own.

``phases`` has the table.
"""

from __future__ import annotations

from manager.supervisor.booting import Booting
from manager.supervisor.causes import Cause, describe, explain_exit
from manager.supervisor.deaths import Deaths
from manager.supervisor.phases import Phase
from manager.supervisor.probe import Verdict
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
        clock: A monotonic clock, in seconds; it may leave out time that ``slept`` tells of.
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
        self.doubted: bool = False  # shown as ready, but being asked at this moment
        self.snapshot: Snapshot = Snapshot(_S.STOPPED, Ownership.NONE, settings.base_url)
        self._effects = effects
        self._clock = clock
        self._deaths = Deaths(clock, chance)
        self._goal = Phase.IDLE  # what follows `clearing`
        self._delay = 0.0
        self._silent = 0
        self._slept = 0.0
        self._booting: Booting | None = None
        self._hopeless: Cause | None = None
        self._remark: str | None = None
        self._failure: dict[str, Any] | None = None
        self._before: ServerSettings | None = None  # those it ran with, while others are tried

    @property
    def trying(self) -> bool:
        """Whether settings are tried, so that there are others to go back to."""
        return self._before is not None

    @property
    def again(self) -> bool:
        """Whether a server that is started now comes back by itself, after a death or a hang."""
        return self._deaths.again

    @property
    def leaving(self) -> bool:
        """Whether the server is on its way out, and none is to follow."""
        return self.snapshot.state is _S.STOPPING and self._goal is Phase.IDLE

    # Commands

    def start(self, settings: ServerSettings | None = None, *, explicit: bool = False) -> None:
        """Want a server; a given-up one is tried again only on an explicit wish."""
        self.settings = settings or self.settings
        if self.phase is Phase.IDLE or (self.phase is Phase.FAILED and explicit):
            self._deaths.forget()
            self._check(_S.STARTING, "server.starting", restarts=0)
        elif self.snapshot.state is _S.STOPPING:
            self._deaths.forget()
            self._goal = Phase.CHECKING

    def adopt(self, settings: ServerSettings) -> None:
        """Use the patience and the answers to faults of other settings from now on."""
        self.settings = self.settings.with_policies_of(settings)
        if self.phase is Phase.UP and self.snapshot.state is _S.READY:
            self._enter(Phase.UP, self.settings.liveness.interval or None)

    def try_settings(self, settings: ServerSettings, *, drain: bool = True) -> None:
        """Want a fresh server with other settings; if none comes up with them, one as before.

        Args:
            settings: What is tried.
            drain: Whether requests in flight come first.
        """
        has_run = self._deaths.was_ready or self.snapshot.started_at is not None
        given_up = self.phase in (Phase.IDLE, Phase.FAILED)
        if self._before is None and has_run and not given_up:
            self._before = self.settings
        self.restart(settings, drain=drain)

    def restart(self, settings: ServerSettings | None = None, *, drain: bool = True) -> None:
        """Want a fresh server, with other settings if need be; requests in flight come first."""
        self.settings = settings or self.settings
        self._deaths.forget()
        if self.phase in (Phase.IDLE, Phase.FAILED):
            self.start(explicit=True)
        elif self.phase in (Phase.UP, Phase.BOOTING):
            self._wind_down(
                Phase.CHECKING, _S.RESTARTING, "server.restarting", "asked to restart", drain=drain
            )
        elif self.phase is Phase.WAITING:
            self._check(self.snapshot.state, None)
        else:
            self._goal = Phase.CHECKING
            if self.phase is Phase.DRAINING and not drain:
                self._end()

    def stop(self, cause: str, *, drain: bool = True) -> None:
        """Want no server; requests in flight come first if ``drain``."""
        self._before = None
        if self.phase in (Phase.UP, Phase.BOOTING):
            self._wind_down(Phase.IDLE, _S.STOPPING, None, cause, drain=drain)
        elif self.phase in (Phase.CHECKING, Phase.WAITING, Phase.FAILED):
            self._stopped(cause)
        elif self.phase is not Phase.IDLE:
            self._goal = Phase.IDLE
            self._delay = 0.0
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

    def answered(self, version: str | None, remark: str | None = None) -> None:
        """The server gave Ollama's answer.

        Args:
            version: Its version, if it told.
            remark: What is worth knowing about it, though nothing follows from that.
        """
        self._silent = 0
        doubted, self.doubted = self.doubted, False
        if self.phase is Phase.BOOTING:
            self._deaths.ready()
            self._before = None
            self._remark = remark
            self._enter(Phase.UP, self.settings.liveness.interval or None)
            self._show(
                _S.READY,
                "server.ready",
                version=version,
                started_at=self._clock() + self._slept,
                cause=remark,
                last_error=None,
            )
        elif self.phase is Phase.UP:
            self._enter(Phase.UP, self.settings.liveness.interval or None)
            if self.snapshot.state is _S.UNRESPONSIVE:
                self._show(_S.READY, "server.ready", cause=self._remark)
            elif doubted:
                self._show(_S.READY)

    def doubt(self) -> None:
        """A request was lost on its way: a server that is said to be ready has to show it."""
        if self.phase is Phase.UP and not self.doubted:
            self.doubted = True
            self._effects.check_alive(self.settings.liveness.timeout)

    def heard(self, verdict: Verdict, *, another: bool = False) -> bool:
        """A probe of the server that boots found something else than Ollama's answer from it.

        Args:
            verdict: What it found.
            another: Whether a program that we did not start certainly gave it.

        Returns:
            Whether its answer is still waited for.
        """
        if self.phase is Phase.BOOTING and self._booting is not None:
            hopeless = self._booting.heard(verdict, self._clock(), another=another)
            if hopeless is not None:
                self._give_up(hopeless)
        return self.phase is Phase.BOOTING

    def slept(self, seconds: float) -> None:
        """Nobody ran for a while, and the clock leaves that out; what is shown does not."""
        self._slept += seconds

    def silent(self) -> None:
        """A liveness probe got no answer of Ollama's."""
        if self.phase is not Phase.UP:
            return
        self.doubted = False
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
            if self._hopeless is not None:
                self._failure = self._error(self._hopeless, None, log)
            self._show(self.snapshot.state, pid=None, started_at=None, exit_code=exit_code)
        self._hopeless = None
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
            if self._fall_back():
                return
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
        if phase is Phase.BOOTING and self._booting is not None:
            self._give_up(self._booting.too_late())
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
        again = self.again
        try:
            pid = self._effects.spawn()
        except OSError as error:
            self._not_spawned(error)
            return
        self._deaths.spawned()
        settings = self.settings
        self._booting = Booting(settings.address, settings.start_timeout)
        self._enter(Phase.BOOTING, settings.start_timeout)
        self._show(
            self.snapshot.state,
            ownership=Ownership.MANAGED,
            pid=pid,
            cause="waiting for its first answer; discovery of GPUs can take a while",
            generation=self.snapshot.generation + 1,
            restarts=self.snapshot.restarts + (1 if again else 0),
        )
        self._effects.await_answer()

    def _not_spawned(self, error: OSError) -> None:
        where = f": {error.filename}" if error.filename else ""
        reason = f"the program cannot be executed: {error.strerror}{where}"
        cause = Cause("not_executable", reason, "Check `binary`.")
        delay = self._deaths.not_spawned(self.settings.restart)
        if delay is None:
            self._fail(cause)
            return
        self._enter(Phase.WAITING, delay)
        self._show(self.snapshot.state, cause=cause.message)

    def _died(self, exit_code: int, log: Sequence[str]) -> None:
        ready = self.snapshot.started_at is not None
        cause = explain_exit(exit_code, log, ready=ready)
        error = self._error(cause, exit_code, log)
        event = "server.crashed" if ready else None
        delay = self._deaths.died(self.settings.restart, exit_code, cause)
        if self.trying and cause.code != "port_in_use":
            delay = None  # not worth another try: there are settings that do better
        self._goal = Phase.FAILED if delay is None else Phase.CHECKING
        self._delay = delay or 0.0
        self._failure = error
        restarting = _S.RESTARTING if self._deaths.was_ready else self.snapshot.state
        self._show(
            restarting,
            event,
            cause=cause.message,
            exit_code=exit_code,
            last_error=error,
            pid=None,
            started_at=None,
        )
        if self._goal is Phase.CHECKING and self._deaths.was_ready:
            self._show(restarting, "server.restarting")

    def _give_up(self, cause: Cause) -> None:
        self._goal = Phase.FAILED
        self._hopeless = cause
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

    def _fall_back(self) -> bool:
        """Go back to the settings that the server ran with, if others were tried."""
        before, self._before = self._before, None
        if before is None:
            return False
        self.settings = before
        self._deaths.forget()
        self._effects.rolled_back(self._failure or {})
        self._check(self.snapshot.state, None)
        return True

    def _fail(self, cause: Cause) -> None:
        self._failure = self._error(cause, None, ())
        if self._fall_back():
            return
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
        return describe(cause, started=self._deaths.was_ready, exit_code=exit_code, log=log)

    def _enter(self, phase: Phase, seconds: float | None = None) -> None:
        self.phase = phase
        self.doubted = self.doubted and phase is Phase.UP
        self.deadline = None if seconds is None else self._clock() + seconds

    def _show(self, state: ServerState, event: str | None = None, **changes: Any) -> None:
        self.snapshot = self.snapshot.replace(state=state, event=event, **changes)
        self._effects.published(self.snapshot)
