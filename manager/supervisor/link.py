"""A manager's link to its server: thread-safe, never blocking, safe across ``fork``."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from concurrent.futures import Future

from manager.supervisor import failures
from manager.supervisor.states import Ownership, ServerState, Snapshot
from manager.supervisor.wishes import fail, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from manager.supervisor.link_thread import LinkThread
    from manager.supervisor.session import Session
    from manager.supervisor.settings import ServerSettings

__all__ = ["SupervisorLink"]

_log = logging.getLogger("ollama_manager.supervisor")


class SupervisorLink:
    """One manager's lease on the server, kept by a daemon thread of its own.

    Nothing here waits: every command returns a future at once, and giving up on a future harms
    nothing. Nothing happens before the first command.

    Args:
        settings: Which server, and how to start it.
        on_change: Hears of every new snapshot, on the link's thread; ``snapshot.event`` names
            the step, such as ``server.crashed``, or is None.
        in_flight: Counts the manager's requests in flight; asked before a stop or restart.
        waiting: Tells who waits for a runner (``{"waiting": [...], "left": {...}}``, as in
            ``protocol``); asked when a runner does nothing.
        resend: Sends the requests of a model again that wait for a runner that is no more.
    """

    def __init__(
        self,
        settings: ServerSettings,
        *,
        on_change: Callable[[Snapshot], None] | None = None,
        in_flight: Callable[[], int] | None = None,
        waiting: Callable[[], Mapping[str, Any]] | None = None,
        resend: Callable[[str], None] | None = None,
    ) -> None:
        self._settings = settings
        self._on_change = on_change
        self._in_flight = in_flight
        self._waiting = waiting
        self._resend = resend
        ownership = Ownership.REMOTE if settings.remote else Ownership.NONE
        self._snapshot = Snapshot(ServerState.STOPPED, ownership, settings.base_url)
        self._close_future: Future[None] | None = None
        self._lock = threading.RLock()  # close() may come from the garbage collector, anywhere
        self._thread: LinkThread | None = None
        self._stopped = False  # by a session of before a fork
        _links.add(self)

    @property
    def snapshot(self) -> Snapshot:
        """The newest that is known; reading it does no I/O."""
        return self._snapshot

    @property
    def settings(self) -> ServerSettings:
        """What this link asks for."""
        return self._settings

    def acquire(self) -> Future[Snapshot]:
        """Get a ready server: join a managed one, adopt a foreign one, or start one.

        Returns:
            The snapshot of the ready server. Fails with ``ServerNotFoundError``,
            ``ServerStartError``, ``ServerCrashedError`` (given up), ``ConfigError`` (others use
            it with other settings) or ``ServerUnavailableError`` (stopped on purpose, closed,
            not there and ``autostart`` off).
        """
        return self._want("join")

    def reacquire(self) -> Future[Snapshot]:
        """Do as ``acquire`` after a request was lost: the server is asked whether it is ready.

        Returns:
            The snapshot of the ready server: the one that there was, if it still answers.
        """
        return self._want("rejoin")

    def start(self) -> Future[Snapshot]:
        """Do as ``acquire``, also after a stop, a crash loop, or with ``autostart`` off.

        Returns:
            The snapshot of the ready server.
        """
        return self._want("start", "started")

    def restart(self) -> Future[Snapshot]:
        """Give everybody a fresh managed server; starts one if there is none.

        Returns:
            The snapshot of the new server. Fails also with ``ServerNotOwnedError``.
        """
        return self._want("restart", "restarted")

    def stop(self) -> Future[Snapshot]:
        """Stop the managed server for everybody; that there is none is no error.

        Returns:
            The last snapshot. Fails with ``ServerNotOwnedError`` on a foreign or remote server.
        """
        future: Future[Snapshot] = Future()
        if self._settings.remote:
            future.set_exception(self._remote("stopped"))
            return future
        return self._command(future, lambda session: session.stop(future))

    def log(self, lines: int = 50) -> Future[list[str]]:
        """Read the end of the managed server's log; works when it is down, too.

        Args:
            lines: How many lines at most.

        Returns:
            The lines, oldest first.
        """
        future: Future[list[str]] = Future()
        if self._settings.remote:
            future.set_exception(self._remote("asked for its log"))
            return future
        return self._command(future, lambda session: session.log(future, lines))

    def change(
        self,
        settings: ServerSettings,
        *,
        drain: bool = True,
        again: bool = False,
        mode: str = "join",
    ) -> tuple[Future[None], Future[Snapshot]]:
        """Ask for other settings from now on; a server that is leased is started anew with them.

        Where none comes up with them, the server is started as before, and this link asks for
        what it asked for before.

        Args:
            settings: For the same address.
            drain: Whether the requests in flight of all managers come first.
            again: Whether what did not start the last time is tried once more.
            mode: ``restart`` for a fresh server also where it would not be needed.

        Returns:
            When nobody has anything against it, and the snapshot of the server with them. Both
            fail with ``ConfigError`` when others want something else, the second also with
            ``ServerStartError``.
        """
        accepted: Future[None] = Future()
        future: Future[Snapshot] = Future()
        how = {"drain": drain, "again": again}
        if self._settings.remote:
            self._settings = settings
            accepted.set_result(None)
            future.set_result(self._snapshot)
            return accepted, future
        future.add_done_callback(lambda done: _end_with(accepted, done))
        self._settings = settings
        self._command(future, lambda session: session.change(settings, accepted, future, mode, how))
        return accepted, future

    def configure(self, settings: ServerSettings) -> Future[Snapshot]:
        """Ask for settings that are known to be good from now on; nothing is started anew.

        Args:
            settings: For the same address.

        Returns:
            The snapshot of the server.
        """
        self._settings = settings
        future: Future[Snapshot] = Future()

        def perform(session: Session) -> None:
            session.configure(settings)
            if session.channel is None:
                resolve(future, session.snapshot)
            else:
                session.acquire(future, "join")

        return self._command(future, perform)

    def close(self) -> Future[None]:
        """End this lease, and nothing else. Waiting calls fail; closing twice is closing once.

        Returns:
            Resolves when the lease has ended: if it was the last, without linger, when the
            server and its runners are gone.
        """
        with self._lock:
            earlier = self._close_future
            if earlier is not None and not _has_failed(earlier):
                return earlier
            future = self._close_future = Future()
            thread = self._thread
            try:
                if thread is None or not thread.submit(future, lambda it: it.close(future)):
                    future.set_result(None)  # the lease ended with the thread
            except BaseException as error:
                fail(future, error)
                if not isinstance(error, Exception):
                    raise
        return future

    # Commands to the thread

    def _want(self, mode: str, remote_refusal: str | None = None) -> Future[Snapshot]:
        future: Future[Snapshot] = Future()
        if not self._settings.remote:
            return self._command(future, lambda session: session.acquire(future, mode))
        if remote_refusal is not None:
            future.set_exception(self._remote(remote_refusal))
        else:
            # Nothing of it can be known but by asking, which the request itself does.
            base_url = self._settings.base_url
            self._snapshot = Snapshot(ServerState.READY, Ownership.REMOTE, base_url)
            future.set_result(self._snapshot)
        return future

    def _remote(self, what: str) -> Exception:
        return failures.not_owned(self._settings.address, what, remote=True)

    def _command(self, future: Future[Any], perform: Callable[[Session], None]) -> Future[Any]:
        if self._close_future is not None:
            future.set_exception(failures.closed())
            return future
        return self._submit(future, perform)

    def _submit(self, future: Future[Any], perform: Callable[[Session], None]) -> Future[Any]:
        try:
            # a fifth of the time to a first answer, which a server on another machine does without
            from manager.supervisor.link_thread import LinkThread

            with self._lock:
                if self._thread is None or not self._thread.submit(future, perform):
                    self._thread = LinkThread(self._new_session())
                    if not self._thread.submit(future, perform):  # it has failed at once
                        fail(future, self._thread.ended_with)
        except BaseException as error:
            fail(future, error)
            if not isinstance(error, Exception):  # Ctrl-C is for the caller to see
                raise
        return future

    def _new_session(self) -> Session:
        from manager.supervisor.session import Session

        session = Session(
            self._settings,
            self._changed,
            self._count_in_flight,
            self._snapshot,
            self._who_waits,
            self._send_again,
        )
        session.stopped = self._stopped or (
            self._thread is not None and self._thread.session.stopped
        )
        return session

    def _changed(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        if snapshot.ready and snapshot.event == "server.unresponsive":  # a runner, not the server
            _log.warning("%s", snapshot.cause)
        if self._on_change is not None:
            try:
                self._on_change(snapshot)
            except Exception:
                _log.exception("on_change failed")

    def _count_in_flight(self) -> int:
        if self._in_flight is None:
            return 0
        try:
            return self._in_flight()
        except Exception:  # the link, and with it the lease, outlives whatever it calls
            _log.exception("in_flight failed")
            return 0

    def _who_waits(self) -> Mapping[str, Any]:
        if self._waiting is not None:
            try:
                return self._waiting()
            except Exception:
                _log.exception("waiting failed")
        return {"waiting": [], "left": {}}

    def _send_again(self, model: str) -> None:
        if self._resend is not None:
            try:
                self._resend(model)
            except Exception:
                _log.exception("resend failed")

    # Fork

    def after_fork(self) -> None:
        """In a forked child: let go of the parent's lease without a word; take one when needed."""
        thread, self._thread = self._thread, None
        self._lock = threading.RLock()  # the parent's may be held for ever
        if thread is not None:
            self._stopped = thread.session.stopped
            thread.drop_descriptors()
        if self._close_future is not None:
            self._close_future = Future()
            self._close_future.set_result(None)
        elif not self._settings.remote:
            base_url = self._settings.base_url
            self._snapshot = Snapshot(ServerState.STOPPED, Ownership.NONE, base_url)


def _has_failed(future: Future[None]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is not None


def _end_with(accepted: Future[None], done: Future[Snapshot]) -> None:
    """Let nobody wait for a word on what is over."""
    if done.cancelled():
        accepted.cancel()
        return
    error = done.exception()
    if error is None:
        resolve(accepted, None)
    else:
        fail(accepted, error)


def _after_fork() -> None:
    for link in list(_links):
        link.after_fork()


_links: weakref.WeakSet[SupervisorLink] = weakref.WeakSet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
