# generated from manager/_async/session.py by codegen.sh - do not edit
"""What all groups of methods share: configuration, server, transport, events."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from manager._sync import late
from manager._sync.closing import end_each
from manager._sync.server import Server
from manager._sync.transport import Transport
from manager.config import diff_configs
from manager.default import DEFAULT
from manager.errors import (
    APIError,
    ConfigError,
    ModelNotFoundError,
    OllamaManagerError,
    ServerUnavailableError,
)
from manager.events import ConfigRejected, ConfigReloaded, Events
from manager.forks import renew_in_children
from manager.http import http_settings
from manager.in_flight import InFlight
from manager.logs import CallLog, check_level, configure_logging

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ollama_api.types import Request

    from manager._sync.lines import Lines
    from manager.config import ConfigChange, ManagerConfig, Verbosity
    from manager.retry import RetryInput
    from manager.timeouts import TimeoutInput
    from manager.watch import ConfigWatcher

__all__ = ["Session"]

T = TypeVar("T")

_SUGGESTION_SECONDS = 2.0


class Session:
    """The parts of one manager and the order in which they end.

    Args:
        config: The configuration in force.
        reload: Reads the configuration again from where it came from.
    """

    def __init__(self, config: ManagerConfig, reload: Callable[[], ManagerConfig]) -> None:
        self.config = config
        self.events = Events()
        self._reload = reload
        self._watcher: ConfigWatcher | None = None
        self._file_changed = False
        self._closed = False
        configure_logging(config.logging)
        self._configured_level = config.logging.level
        in_flight: InFlight[Lines[Any]] = InFlight()
        self.server = Server(
            config, self.events, in_flight.count, in_flight.report, in_flight.resend
        )
        self._transport = Transport(
            http_settings(config), self.server, self.events, _call_log(config), in_flight
        )
        renew_in_children(self)

    def after_fork(self) -> None:
        """In a forked child: watch the file anew, for want of the parent's thread."""
        self._watcher = None

    @property
    def transport(self) -> Transport:
        """Sends requests without an explanation of what is missing."""
        return self._transport

    def send(
        self,
        request: Request[T],
        *,
        model: str | None = None,
        timeout: TimeoutInput = DEFAULT,
        retry: RetryInput = DEFAULT,
    ) -> T:
        """Send ``request``; a missing model is explained, and so is a server that is too old."""
        return self.ask(request, model=model, timeout=timeout, retry=retry)[0]

    def ask(
        self,
        request: Request[T],
        *,
        model: str | None = None,
        timeout: TimeoutInput = DEFAULT,
        retry: RetryInput = DEFAULT,
    ) -> tuple[T, Mapping[str, Any]]:
        """Do as ``send``; return also what an error about the answer is to say of the call."""
        self._follow_file()
        try:
            return self._transport.ask(request, model=model, timeout=timeout, retry=retry)
        except ModelNotFoundError as error:
            raise self._explained(error) from error.__cause__
        except APIError as error:
            if error.code != "endpoint_not_found":
                raise
            raise self._dated(error, request.operation_id) from error.__cause__

    def stream(
        self,
        request: Request[T],
        *,
        model: str | None = None,
        timeout: TimeoutInput = DEFAULT,
        retry: RetryInput = DEFAULT,
    ) -> Lines[T]:
        """Send ``request`` and return the lines of its answer; a missing model is explained."""
        self._follow_file()
        try:
            return self._transport.stream(request, model=model, timeout=timeout, retry=retry)
        except ModelNotFoundError as error:
            raise self._explained(error) from error.__cause__

    def _explained(self, error: ModelNotFoundError) -> ModelNotFoundError:
        """Add the local models that are close in name, and how to get the one that was meant."""
        try:
            local = self._transport.send(
                late.list_models.build_request(), timeout=_SUGGESTION_SECONDS
            )
        except OllamaManagerError:
            return error
        return late.explain_missing(error, [entry.name for entry in local.models])

    def _dated(self, error: APIError, operation_id: str) -> APIError:
        """Say so if the server is too old for what was asked of it."""
        if not late.is_recent(operation_id):
            return error
        try:
            answer = self._transport.send(late.version.build_request(), timeout=_SUGGESTION_SECONDS)
        except OllamaManagerError:
            return error
        return late.explain_age(error, operation_id, answer.version)

    def _follow_file(self) -> None:
        """Watch the configuration file, and use what it says for the calls from now on."""
        if self._watcher is None and self.config.source.path and self.config.server.watch:
            from manager.watch import ConfigWatcher

            path = self.config.source.path
            digest = self.config.source.digest
            self._watcher = ConfigWatcher(path, self._note_change, digest=digest)
            self._watcher.start()
        if self._file_changed:
            self._file_changed = False
            with contextlib.suppress(ConfigError):  # an event says so; the last good one stays
                self.reload_config()

    def check_open(self) -> None:
        """Raise ``ServerUnavailableError`` if the manager is closed."""
        if self._closed:
            raise ServerUnavailableError(
                "this manager is closed",
                code="manager_closed",
                retryable=False,
                hint="make a new one",
            )

    def _note_change(self) -> None:
        self._file_changed = True

    def set_log_level(self, level: Verbosity) -> None:
        """Log the calls that start from now on at another verbosity.

        Raises:
            InvalidRequestError: There is no such verbosity.
            ConfigError: The file to log to cannot be written.
        """
        before = self.config
        config = _at_level(before, check_level(level))
        configure_logging(config.logging, before.logging)
        self.config = config
        self._transport.log = _call_log(config)

    def reload_config(self) -> tuple[ConfigChange, ...]:
        """Read the configuration again and put it in force for the calls that follow.

        Raises:
            ConfigError: It is wrong; the one in force stays.
        """
        self.check_open()
        before = self.config
        try:
            config = self._reload()
            # an address holds for the life of a manager
            server = attrs.evolve(config.server, host=before.server.host)
            config = attrs.evolve(config, server=server)
            configured_level = config.logging.level
            if configured_level == self._configured_level:  # one set at run time stays
                config = _at_level(config, before.logging.level)
            changes = tuple(diff_configs(before, config))
            if not changes:
                self._configured_level = configured_level
                return ()
            settings = http_settings(config)  # refuses a key that would be sent in the clear
            configure_logging(config.logging, before.logging)
        except ConfigError as error:
            self.events.emit(ConfigRejected(error=error))
            raise
        self.config = config
        self._configured_level = configured_level
        self._transport.log = _call_log(config)
        self._transport.configure(settings)
        self.server.configure(config)
        self.events.emit(ConfigReloaded(changes=changes))
        return changes

    def close(self) -> None:
        """End the streams, the connections, the lease and the subscriptions, in this order.

        Each of them ends, whatever the others meet; the first error is raised.
        """
        self._closed = True
        try:
            if self._watcher is not None:
                self._watcher.stop()
        finally:
            try:
                end_each((self._transport.close, self.server.close))
            finally:
                self.events.close()


def _call_log(config: ManagerConfig) -> CallLog:
    return CallLog(config.logging.level, config.client.headers)


def _at_level(config: ManagerConfig, level: Verbosity) -> ManagerConfig:
    return attrs.evolve(config, logging=attrs.evolve(config.logging, level=level))
