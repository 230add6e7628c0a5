"""The thread of a link: it performs commands and watches the connections of its session."""

from __future__ import annotations

import logging
import selectors
import socket
import threading
from collections import deque
from contextlib import suppress

from manager.errors import ServerUnavailableError
from manager.supervisor import failures
from manager.supervisor.wishes import fail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from typing import Any

    from manager.supervisor.session import Session

    _Command = tuple[Future[Any], Callable[[Session], None]]
    _Watched = dict[socket.socket, Callable[[], None]]

__all__ = ["LinkThread"]

_log = logging.getLogger("ollama_manager.supervisor")


class LinkThread:
    """A daemon thread that owns a session; others only hand it commands.

    Args:
        session: The session.

    Raises:
        RuntimeError: When the interpreter is shutting down.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._lock = threading.RLock()  # a command may come from the garbage collector
        self._commands: deque[_Command] = deque()
        self._over = False
        self.ended_with: BaseException = failures.closed()
        self._receiver, self._wakeup = socket.socketpair()
        self._receiver.setblocking(False)
        self._wakeup.setblocking(False)
        self._selector = selectors.DefaultSelector()
        thread = threading.Thread(target=self._run, name="ollama-manager-link", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            self.drop_descriptors()
            raise

    def submit(self, future: Future[Any], perform: Callable[[Session], None]) -> bool:
        """Have a command performed, in the order of arrival.

        Args:
            future: Fails if the thread ends first.
            perform: The command.

        Returns:
            Whether it will be; False when the thread is over.
        """
        with self._lock:
            if self._over:
                return False
            self._commands.append((future, perform))
            with suppress(BlockingIOError):  # it has enough to wake up for
                self._wakeup.send(b"\0")
        return True

    def drop_descriptors(self) -> None:
        """Close all descriptors, in a process that the thread does not run in."""
        # The selector first: what is closed after it cannot change the parent's.
        self._selector.close()
        self.session.drop_connections()
        self._receiver.close()
        self._wakeup.close()

    def _run(self) -> None:
        error = self.ended_with
        try:
            self._serve()
        except BaseException as unexpected:  # callers must not wait for ever
            _log.exception("the link to the supervisor failed")
            error = ServerUnavailableError(f"the link to the supervisor failed: {unexpected!r}")
        finally:
            with self._lock:
                self._over = True
                self.ended_with = error
                self.drop_descriptors()
            for future, _ in self._commands:
                fail(future, error)
            self.session.abandon(error)

    def _serve(self) -> None:
        watched: _Watched = {}
        while not self.session.finished:
            watched = self._watch(watched)
            for key, _ in self._selector.select(self.session.timeout()):
                key.data()
            self.session.tick()

    def _watch(self, watched: _Watched) -> _Watched:
        session = self.session
        wanted: _Watched = {self._receiver: self._perform}
        if session.channel is not None:
            wanted[session.channel.socket] = session.channel_readable
        if session.foreign is not None and session.foreign.socket is not None:
            wanted[session.foreign.socket] = session.foreign_readable
        if wanted.keys() != watched.keys():
            for gone in watched.keys() - wanted.keys():
                self._selector.unregister(gone)
            for fresh in wanted.keys() - watched.keys():
                self._selector.register(fresh, selectors.EVENT_READ, wanted[fresh])
        return wanted

    def _perform(self) -> None:
        self._receiver.recv(4096)
        while self._commands:
            _, perform = self._commands.popleft()
            perform(self.session)
