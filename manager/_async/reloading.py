"""The configuration in force, and how another one takes its place."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import attrs

from manager.config import diff_configs
from manager.errors import (
    ConfigError,
    OllamaManagerError,
    ServerCrashedError,
    ServerNotFoundError,
    ServerStartError,
    ServerUnavailableError,
)
from manager.events import ConfigRejected, ConfigReloaded, ConfigRolledBack
from manager.forks import renew_in_children
from manager.logs import CallLog, check_level, configure_logging
from manager.transport.settings import http_settings
from manager.waiting_async import (
    home_async,
    lock_async,
    perform_async,
    run_async,
    wait_async,
    whole_async,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from manager._async.server import AsyncServer
    from manager._async.transport import AsyncTransport
    from manager.config import (
        ConfigChange,
        ConfigSources,
        ManagerConfig,
        ServerConfig,
        Verbosity,
    )
    from manager.events import Events
    from manager.supervisor.states import Snapshot
    from manager.transport.settings import HttpSettings

    Changes: TypeAlias = tuple[ConfigChange, ...]

__all__ = ["AsyncReloading", "call_log"]

_log = logging.getLogger("ollama_manager.config")

_NOT_UP = (ServerStartError, ServerCrashedError, ServerNotFoundError)
_NOWHERE = object()


@attrs.define(eq=False)
class _Trial:
    """Settings that a server is being started with.

    Attributes:
        good: The table ``[server]`` that it ran with before.
        changes: What is other than before.
        outcome: Resolves when they are in force, or fails when they are not.
    """

    good: ServerConfig
    changes: Changes
    outcome: Future[Changes] = attrs.field(factory=lambda: Future["Changes"]())


class AsyncReloading:
    """Owns the configuration in force, which is replaced whole.

    One new configuration at a time is read, checked, agreed on with the others that use the
    server, and put in force for the calls that follow. A restart of the server that comes with it
    is not waited for: a later change need not stand behind a drain.

    Args:
        config: The configuration in force.
        sources: What it is read from.
        server: Is started anew where its settings change.
        transport: Uses the new settings for later calls.
        events: Hears how it went.
    """

    def __init__(
        self,
        config: ManagerConfig,
        sources: ConfigSources,
        server: AsyncServer,
        transport: AsyncTransport,
        events: Events,
    ) -> None:
        self.config = config
        self._sources = sources
        self._server = server
        self._transport = transport
        self._events = events
        self._read = config  # what the sources said last; a new host is not in force
        self._trial: _Trial | None = None
        self._unapplied: ServerConfig | None = None  # what runs, where on_change is "manual"
        self._turn = lock_async()
        self._state = threading.Lock()  # held for moments: a trial ends on another thread
        self._behind = False
        self._home: object = _NOWHERE
        self._unwatch: Callable[[], None] | None = None
        self._follows = bool(sources.path) and config.server.watch
        renew_in_children(self)

    def after_fork(self) -> None:
        """In a forked child: watch the file anew, for want of the parent's thread."""
        self._turn = lock_async()
        self._state = threading.Lock()
        self._trial = None
        self._unwatch = None
        self._home = _NOWHERE

    def watch(self) -> None:
        """Watch the file from now on, if that is wanted."""
        if not self._follows:
            return
        if self._home is _NOWHERE:
            with suppress(RuntimeError):  # not on an event loop
                self._home = home_async()
        if self._unwatch is None:
            self._begin_to_watch()

    def _begin_to_watch(self) -> None:
        from manager.watch import watch_file

        with self._state:
            if self._unwatch is not None:
                return
            self._unwatch = watch_file(str(self._sources.path), self._note_change)
        # It may have changed since it was read.
        self._behind |= self._sources.digest() not in (None, self._read.source.digest)

    async def follow(self) -> None:
        """Watch the file, and use what it says for the calls that follow."""
        self.watch()
        if self._behind:
            # The news is not for this call alone, which may be given up.
            await whole_async(self._catch_up)

    def stop(self) -> None:
        """Do not watch any more."""
        with self._state:
            self._follows = self._behind = False
            unwatch, self._unwatch = self._unwatch, None
        if unwatch is not None:
            unwatch()

    async def reload(self) -> Changes:
        """Read the configuration again; returns when what has changed is in force.

        Raises:
            ConfigError: It is wrong, or others use the server with other settings.
            ServerStartError: The server did not come up with it, and runs as before.
            ServerUnavailableError: The manager was closed meanwhile.
        """
        outcome = await whole_async(self._reload_once)
        return await wait_async(outcome)

    async def _reload_once(self) -> Future[Changes]:
        async with self._turn:
            self._behind = False
            return await self._take_up(again=True)

    async def restart_with_unapplied(self) -> bool:
        """Start the server anew with the settings that have waited for it.

        Returns:
            Whether there were any.
        """
        async with self._turn:
            good = self._unapplied
            if good is None or not self._server.awaits_restart:
                self._unapplied = None  # the next start will do
                return False
            accepted, done = self._server.change(self.config, again=True, restart=True)
            try:
                await wait_async(accepted)
            except OllamaManagerError as error:
                if isinstance(error, _NOT_UP):
                    self._go_back(error, good)
                else:  # others have something against it: it goes on waiting
                    self._server.restore(attrs.evolve(self.config, server=good))
                    self._server.change(self.config, again=False, manual=True)
                raise
            with self._state:
                self._unapplied = None
                trial = self._trial = _Trial(good, ())
        done.add_done_callback(partial(self._tried, trial))
        await wait_async(trial.outcome)
        return True

    def _go_back(self, error: OllamaManagerError, good: ServerConfig) -> None:
        """Undo what the server cannot even be tried with."""
        with self._state:
            self._unapplied = None
            bad = self.config
            self.config = attrs.evolve(bad, server=good)
            self._server.restore(self.config)
        self._rolled_back(error, tuple(diff_configs(self.config, bad)))

    def set_log_level(self, level: Verbosity) -> None:
        """Log the calls that start from now on at another verbosity.

        Raises:
            InvalidRequestError: There is no such verbosity.
            ConfigError: The file to log to cannot be written.
        """
        checked = check_level(level)
        with self._state:
            config = _at_level(self.config, checked)
            configure_logging(config.logging, self.config.logging)
            self.config = config
            self._transport.log = call_log(config)

    def _note_change(self) -> None:
        """The file is another one; called on the thread that watches it."""
        if self._follows:
            self._behind = True
            if self._home is not _NOWHERE:
                perform_async(self._home, self._catch_up)

    async def _catch_up(self) -> None:
        """Do what the watcher asks for, once."""
        async with self._turn:
            if self._behind:
                self._behind = False
                with suppress(OllamaManagerError):  # an event says so; the last good one stays
                    await self._take_up(again=False)

    async def _take_up(self, *, again: bool) -> Future[Changes]:
        """Put what the sources say now in force for the calls that follow.

        Returns:
            What tells when the server runs with it, too.
        """
        try:
            read = await run_async(self._sources.read)
            wanted = self._with_own_level(read)
            config = self._pinned(wanted)
            changes = tuple(diff_configs(self._known(), wanted))
            settings = http_settings(config)  # refuses a key that would be sent in the clear
            configure_logging(config.logging, self.config.logging)
        except ConfigError as error:
            if again or self._sources.exists():  # it may be on its way back
                self._rejected(error)
            raise
        try:
            manual = config.server.on_change == "manual"
            accepted, done = self._server.change(config, again=again, manual=manual)
            await wait_async(accepted)
        except OllamaManagerError as error:
            if isinstance(error, _NOT_UP):  # there is no such program
                good = self.config.server
                with self._state:
                    self._put_in_force(config, read, settings)
                self._go_back(error, good)
                raise
            configure_logging(self.config.logging, config.logging)
            self._server.restore(self.config)
            if isinstance(error, ConfigError):
                self._rejected(error)
            raise
        with self._state:
            before = self.config
            self._put_in_force(config, read, settings)
            trial = _Trial(self._trial.good if self._trial else before.server, changes)
            if not self._server.awaits_restart:
                self._unapplied = None
            elif self._unapplied is None:
                self._unapplied = before.server
            if not done.done():
                self._trial = trial
        done.add_done_callback(partial(self._tried, trial))
        return trial.outcome

    def _put_in_force(
        self, config: ManagerConfig, read: ManagerConfig, settings: HttpSettings
    ) -> None:
        """Use a configuration for the calls that follow."""
        self.config, self._read = config, read
        self._transport.log = call_log(config)
        self._transport.configure(settings)
        self._server.use(config)

    def _with_own_level(self, read: ManagerConfig) -> ManagerConfig:
        """Leave a level that was set at run time, unless another one is configured now."""
        if read.logging.level != self._read.logging.level:
            return read
        return _at_level(read, self.config.logging.level)

    def _pinned(self, read: ManagerConfig) -> ManagerConfig:
        """Leave what holds for the life of a manager as it is."""
        now = self.config.server
        return attrs.evolve(read, server=attrs.evolve(read.server, host=now.host, watch=now.watch))

    def _known(self) -> ManagerConfig:
        """Return what is in force, with what was read of the rest."""
        read = self._read.server
        server = attrs.evolve(self.config.server, host=read.host, watch=read.watch)
        return attrs.evolve(self.config, server=server)

    def _tried(self, trial: _Trial, done: Future[Snapshot]) -> None:
        """The server runs with the new settings, or not; called on the link's thread."""
        error = done.exception()
        failed = isinstance(error, (*_NOT_UP, ConfigError))
        with self._state:
            newest = self._trial in (trial, None)
            undone: Changes = ()
            if newest:
                self._trial = None
            if failed and newest:
                bad = self.config
                self.config = attrs.evolve(bad, server=trial.good)
                undone = tuple(diff_configs(self.config, bad))
                self._server.restore(self.config)
        if isinstance(error, ServerUnavailableError) and error.code == "manager_closed":
            trial.outcome.set_exception(error)
            return
        if not failed:
            if trial.changes:
                waits = self._unapplied is not None
                _log.info("reloaded: %s", ", ".join(change.key for change in trial.changes))
                self._events.emit(ConfigReloaded(changes=trial.changes, awaits_restart=waits))
            trial.outcome.set_result(trial.changes)
            return
        assert isinstance(error, OllamaManagerError)
        if newest:
            self._rolled_back(error, undone)
        trial.outcome.set_exception(error)

    def _rejected(self, error: ConfigError) -> None:
        _log.warning("the configuration is rejected, the last good one stays: %s", error.message)
        self._events.emit(ConfigRejected(error=error))

    def _rolled_back(self, error: OllamaManagerError, undone: Changes) -> None:
        _log.warning("the server runs with its last good settings again: %s", error.message)
        self._events.emit(ConfigRolledBack(error=error, changes=undone))


def call_log(config: ManagerConfig) -> CallLog:
    """Return what logs the calls of a manager."""
    return CallLog(config.logging.level, config.client.headers)


def _at_level(config: ManagerConfig, level: Verbosity) -> ManagerConfig:
    return attrs.evolve(config, logging=attrs.evolve(config.logging, level=level))
