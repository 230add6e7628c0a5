"""What all groups of methods share: configuration, server, transport, events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from manager._async import late
from manager._async.closing import end_each
from manager._async.reloading import AsyncReloading, call_log
from manager._async.server import AsyncServer
from manager._async.transport import AsyncTransport
from manager.default import DEFAULT
from manager.errors import (
    APIError,
    ModelNotFoundError,
    OllamaManagerError,
    ServerUnavailableError,
)
from manager.events import Events
from manager.in_flight import InFlight
from manager.logs import configure_logging
from manager.transport.settings import http_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx
    from ollama_api.types import Request

    from manager._async.lines import AsyncLines
    from manager.config import ConfigChange, ConfigSources, ManagerConfig, Verbosity
    from manager.timeouts import TimeoutInput
    from manager.transport.retry import RetryInput

__all__ = ["AsyncSession"]

T = TypeVar("T")

_SUGGESTION_SECONDS = 2.0


class AsyncSession:
    """The parts of one manager and the order in which they end.

    Args:
        sources: What the configuration is read from.
        transport: What carries the calls, if that is the user's.

    Raises:
        ConfigError: It is wrong.
    """

    def __init__(
        self, sources: ConfigSources, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        config = sources.read()
        self.events = Events()
        self._closed = False
        configure_logging(config.logging)
        in_flight: InFlight[AsyncLines[Any]] = InFlight()
        self.server = AsyncServer(
            config, self.events, in_flight.count, in_flight.report, in_flight.resend
        )
        self._transport = AsyncTransport(
            http_settings(config), self.server, self.events, call_log(config), in_flight, transport
        )
        self.reloading = AsyncReloading(config, sources, self.server, self._transport, self.events)

    @property
    def transport(self) -> AsyncTransport:
        """Sends requests without an explanation of what is missing."""
        return self._transport

    async def send(
        self,
        request: Request[T],
        *,
        model: str | None = None,
        timeout: TimeoutInput = DEFAULT,
        retry: RetryInput = DEFAULT,
    ) -> T:
        """Send ``request``; a missing model is explained, and so is a server that is too old."""
        return (await self.ask(request, model=model, timeout=timeout, retry=retry))[0]

    async def ask(
        self,
        request: Request[T],
        *,
        model: str | None = None,
        timeout: TimeoutInput = DEFAULT,
        retry: RetryInput = DEFAULT,
    ) -> tuple[T, Mapping[str, Any]]:
        """Do as ``send``; return also what an error about the answer is to say of the call."""
        await self.reloading.follow()
        try:
            return await self._transport.ask(request, model=model, timeout=timeout, retry=retry)
        except ModelNotFoundError as error:
            raise await self._explained(error) from error.__cause__
        except APIError as error:
            if error.code != "endpoint_not_found":
                raise
            raise await self._dated(error, request.operation_id) from error.__cause__

    async def stream(
        self,
        request: Request[T],
        *,
        model: str | None = None,
        timeout: TimeoutInput = DEFAULT,
        retry: RetryInput = DEFAULT,
    ) -> AsyncLines[T]:
        """Send ``request`` and return the lines of its answer; a missing model is explained."""
        await self.reloading.follow()
        try:
            return await self._transport.stream(request, model=model, timeout=timeout, retry=retry)
        except ModelNotFoundError as error:
            raise await self._explained(error) from error.__cause__

    async def _explained(self, error: ModelNotFoundError) -> ModelNotFoundError:
        """Add the local models that are close in name, and how to get the one that was meant."""
        try:
            local = await self._transport.send(
                late.list_models.build_request(), timeout=_SUGGESTION_SECONDS
            )
        except OllamaManagerError:
            return error
        return late.explain_missing(error, [entry.name for entry in local.models])

    async def _dated(self, error: APIError, operation_id: str) -> APIError:
        """Say so if the server is too old for what was asked of it."""
        if not late.is_recent(operation_id):
            return error
        try:
            answer = await self._transport.send(
                late.version.build_request(), timeout=_SUGGESTION_SECONDS
            )
        except OllamaManagerError:
            return error
        return late.explain_age(error, operation_id, answer.version)

    def check_open(self) -> None:
        """Raise ``ServerUnavailableError`` if the manager is closed."""
        if self._closed:
            raise ServerUnavailableError(
                "this manager is closed",
                code="manager_closed",
                retryable=False,
                hint="make a new one",
            )

    @property
    def config(self) -> ManagerConfig:
        """The configuration in force."""
        return self.reloading.config

    async def start_server(self) -> None:
        """Start the server, or adopt the one that is there."""
        await self.reloading.follow()
        await self.server.start()

    async def restart_server(self) -> None:
        """Stop the managed server and start it again, with what its settings are by now."""
        await self.reloading.follow()
        if not await self.reloading.restart_with_unapplied():
            await self.server.restart()

    def set_log_level(self, level: Verbosity) -> None:
        """Log the calls that start from now on at another verbosity.

        Raises:
            InvalidRequestError: There is no such verbosity.
            ConfigError: The file to log to cannot be written.
        """
        self.reloading.set_log_level(level)

    async def reload_config(self) -> tuple[ConfigChange, ...]:
        """Read the configuration again and put it in force for the calls that follow.

        Raises:
            ConfigError: It is wrong; the one in force stays.
        """
        self.check_open()
        return await self.reloading.reload()

    async def close(self) -> None:
        """End the streams, the connections, the lease and the subscriptions, in this order.

        Each of them ends, whatever the others meet; the first error is raised.
        """
        self._closed = True
        try:
            self.reloading.stop()
        finally:
            try:
                await end_each((self._transport.close, self.server.close))
            finally:
                self.events.close()
