# generated from manager/transport/_async/engine.py by codegen.sh - do not edit
"""An HTTP client for one server: what its requests have in common, and its connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manager.forks import keep
from manager.transport._sync.exchange import Exchange
from manager.transport._sync.opening import open_connection
from manager.transport._sync.pool import Pool
from manager.transport.cookies import Cookies
from manager.transport.http1 import field_lines
from manager.transport.route import route_to
from manager.waiting_sync import before_end_sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from manager.transport._sync.connection import Connection
    from manager.transport.deadlines import Deadlines
    from manager.transport.settings import ClientSettings

__all__ = ["Engine"]


class Engine:
    """Makes exchanges with one server. Without redirects, which are errors here.

    Args:
        settings: Where the server is, and how to get there.
    """

    def __init__(self, settings: ClientSettings) -> None:
        self.pool: Pool = Pool(settings.max_keepalive)
        self.cookies: Cookies = Cookies()
        self._settings = settings
        self._route = route_to(settings)
        self._before_end: object = None
        headers = {"Host": self._route.authority}
        if any(name.lower() == "host" for name in settings.headers):
            headers = {}  # the user's own instead
        self._fields = field_lines({**headers, **settings.headers}.items())
        if self._route.tunnel is None:
            self._fields += self._route.proxy_fields

    def exchange(self, method: str, path: str, content_type: str | None) -> Exchange:
        """Return an exchange that has not begun.

        Args:
            method: The method, in capitals.
            path: The path below the server's address, quoted, and a query.
            content_type: What the body is; None without one.
        """
        fields = self._fields
        if content_type is not None:
            fields += b"Content-Type: %b\r\n" % content_type.encode("ascii")
        if (cookies := self.cookies.header()) is not None:
            fields += field_lines([("Cookie", cookies)])
        return Exchange(self, method, self._route.prefix + path, fields)

    def connection(self, deadlines: Deadlines, made: Callable[[Connection], object]) -> Connection:
        """Return an idle connection, or a new one.

        Args:
            deadlines: How long that may take.
            made: Called with a new one as soon as it can be aborted.

        Raises:
            ConnectTimedOut: There was none in time.
            ConnectFailed: None can be made.
            ConnectionLost: It was aborted.
        """

        def note(connection: Connection) -> None:
            self.pool.add(connection)
            made(connection)

        if self._before_end is None:
            self._before_end = before_end_sync(self.pool.abort_all)
        connection = self.pool.take()
        if connection is None:
            settings = self._settings
            # first: what is wrong with a file of certificates is to be said before all else
            context = settings.ssl_context() if settings.secure else None
            connection = open_connection(self._route, context, deadlines.connecting(), note)
        return connection

    def abort_all(self) -> None:
        """End every connection, from any thread; later ones are ended at once."""
        self.pool.abort_all()

    def close(self) -> None:
        """Close the connections that are idle, and each that is given back later."""
        self.pool.close()

    def keep_for_parent(self) -> None:
        """In a forked child: leave the connections to the parent."""
        keep(self._before_end)
        self.pool.keep_for_parent()
