"""A connection pool for many connections."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from httpcore import AsyncConnectionPool

if TYPE_CHECKING:
    from httpcore import AsyncConnectionInterface, Origin

__all__ = ["AsyncQuickPool", "quicken"]

# How often connections that nobody uses are looked at, in seconds.
_LOOK_INTERVAL = 1.0

# What a later httpcore may call otherwise.
_USED = (
    "_assign_requests_to_connections",
    "_connections",
    "_max_connections",
    "_max_keepalive_connections",
    "_requests",
)


class _Given:
    """Stands for the event of a request that has got its connection: nobody waits for it."""

    async def wait(self, timeout: float | None = None) -> None: ...


_given = _Given()


class AsyncQuickPool(AsyncConnectionPool):
    """httpcore's pool, without the work that grows with the square of its connections.

    Whenever a request begins or ends, httpcore asks the system about each idle connection, and
    goes through all connections for each of them. Here that is done for the connection that is
    about to be used, and for the others now and then: at most a second later, or after as many
    requests as there are connections.
    """

    # for a pool that has become one of these after it was made
    _calls = 0
    _looked_at = 0.0

    def _assign_requests_to_connections(self) -> list[AsyncConnectionInterface]:
        self._calls += 1
        closing: list[AsyncConnectionInterface] = []
        if (
            self._calls > len(self._connections)
            or time.monotonic() - self._looked_at > _LOOK_INTERVAL
            or not self._max_keepalive_connections
        ):
            closing += self._look()
        for queued in [request for request in self._requests if request.connection is None]:
            connection = self._connection_for(queued.request.url.origin, closing)
            if connection is not None:
                queued.assign_to_connection(connection)
                cast("Any", queued)._connection_acquired = _given  # its own is up to a kilobyte
        return closing

    def _look(self) -> list[AsyncConnectionInterface]:
        """Forget the connections that are closed; return those that are to be.

        These are the idle ones that the server has ended, that have been idle for long, or that
        are too many.
        """
        self._calls = 0
        self._looked_at = time.monotonic()
        kept: list[AsyncConnectionInterface] = []
        closing: list[AsyncConnectionInterface] = []
        idle = 0
        for connection in self._connections:
            if connection.is_closed():
                continue
            idle += connection.is_idle()
            surplus = idle > self._max_keepalive_connections and connection.is_idle()
            (closing if surplus or connection.has_expired() else kept).append(connection)
        self._connections[:] = kept
        return closing

    def _connection_for(
        self, origin: Origin, closing: list[AsyncConnectionInterface]
    ) -> AsyncConnectionInterface | None:
        """Return what a request can be sent on, if there is room for it."""
        for connection in list(self._connections):
            if connection.is_available() and connection.can_handle_request(origin):
                if not connection.has_expired():
                    return connection
                self._connections.remove(connection)
                closing.append(connection)
        if len(self._connections) >= self._max_connections:
            closing += self._look()
        if len(self._connections) >= self._max_connections:
            idle = next((other for other in self._connections if other.is_idle()), None)
            if idle is None:
                return None
            self._connections.remove(idle)
            closing.append(idle)
        connection = self.create_connection(origin)
        self._connections.append(connection)
        return connection


def quicken(pool: Any) -> None:
    """Make a pool of httpcore such a pool; one that is more than that stays as it is."""
    if type(pool) is AsyncConnectionPool and all(hasattr(pool, name) for name in _USED):
        pool.__class__ = AsyncQuickPool
