"""The life of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manager._async import late
from manager.default import DEFAULT
from manager.errors import InvalidRequestError

if TYPE_CHECKING:
    from manager._async.session import AsyncSession
    from manager.config import ConfigChange, ManagerConfig, Verbosity
    from manager.events import Events
    from manager.status import ServerStatus
    from manager.timeouts import TimeoutInput
    from manager.transport.retry import RetryInput

__all__ = ["AsyncServerMethods"]


class AsyncServerMethods:
    """Starting, stopping and looking at the server."""

    _session: AsyncSession

    async def start_server(self) -> ServerStatus:
        """Start the server, or adopt the one that already answers at ``host``.

        Returns:
            The status once it answers.

        Raises:
            ServerNotFoundError: There is no ``ollama`` program.
            ServerStartError: It exited, was not ready in time, or the port is taken.
            ServerNotOwnedError: ``host`` is not this machine.
        """
        await self._session.start_server()
        return self._session.server.status()

    async def stop_server(self) -> None:
        """Stop the managed server for everybody: SIGTERM, then SIGKILL, its runners included.

        Calls of the managers that used it fail until ``start_server()``.

        Raises:
            ServerNotOwnedError: The server is foreign or remote; it is left alone.
        """
        await self._session.server.stop()

    async def restart_server(self) -> ServerStatus:
        """Stop the managed server and start it again, for everybody.

        Settings that wait for this (``on_change = "manual"``) are put in force.

        Returns:
            The status once it answers.

        Raises:
            ServerNotOwnedError: The server is foreign or remote; it is left alone.
            ServerStartError: It did not come up again.
        """
        await self._session.restart_server()
        return self._session.server.status()

    def status(self) -> ServerStatus:
        """Return what is known of the server: a snapshot, no I/O."""
        return self._session.server.status()

    async def server_log(self, lines: int = 50) -> list[str]:
        """Return the last lines of the managed server's log.

        Args:
            lines: How many at most.

        Raises:
            InvalidRequestError: ``lines`` is not positive.
            ServerNotOwnedError: The server is foreign or remote.
        """
        if isinstance(lines, bool) or not isinstance(lines, int) or lines < 1:
            raise InvalidRequestError(
                f"lines must be a whole number from 1, got {lines!r}", argument="lines"
            )
        return await self._session.server.log(lines)

    async def version(self, *, timeout: TimeoutInput = DEFAULT, retry: RetryInput = DEFAULT) -> str:
        """Return the version of Ollama that answers.

        Args:
            timeout: The longest wait in seconds, or a ``Timeouts`` record.
            retry: Other rules for sending it again, such as ``{"max_attempts": 1}``.

        Source: Ollama ``GET /api/version``.
        """
        request = late.version.build_request()
        return (await self._session.send(request, timeout=timeout, retry=retry)).version

    async def reload_config(self) -> tuple[ConfigChange, ...]:
        """Read the configuration file and the environment again, as the watcher does by itself.

        Calls that start afterwards use what has changed. Where a setting of the server has, it is
        started anew as ``on_change`` says, and this returns when it is ready.

        Returns:
            What has changed; nothing for a manager that was given a ``ManagerConfig``.

        Raises:
            ConfigError: The new configuration is wrong, or others use the server with settings
                that contradict it; the one in force stays.
            ServerStartError: The server did not come up with it; the last good one is back.
        """
        return await self._session.reload_config()

    def set_log_level(self, level: Verbosity) -> None:
        """Change how much is logged of the calls that start from now on.

        It holds until it is set again, or until a reload of the configuration finds another
        ``logging.level`` there than before; a reload for any other reason leaves it alone. Open
        streams and calls under way are logged as they began.

        Args:
            level: ``"off"``, ``"errors"``, ``"calls"``, ``"headers"`` or ``"bodies"``, each of
                which adds to the one before; prompts and answers are logged at the last only.

        Raises:
            InvalidRequestError: There is no such level.
            ConfigError: The file named by ``logging.file`` cannot be written.
        """
        self._session.set_log_level(level)

    @property
    def config(self) -> ManagerConfig:
        """The configuration in force."""
        self._session.reloading.watch()
        return self._session.config

    @property
    def events(self) -> Events:
        """Where to subscribe to what happens."""
        self._session.reloading.watch()
        return self._session.events
