"""The thread of a link: it performs commands and watches the connections of its session."""

from __future__ import annotations

import logging
import selectors
import socket
import threading
from collections import deque
from contextlib import ExitStack, suppress
from functools import partial

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

_FAILED = "the link to the supervisor failed"

_log = logging.getLogger("ollama_manager.supervisor")


class LinkThread:
    """A daemon thread that owns a session; others only hand it commands.

    It keeps the future of each command until that is done, so that none is left waiting when the
    thread ends, whatever ended it and wherever the command was at that moment.

    Args:
        session: The session.

    Raises:
        Exception: No thread, socket or selector could be made.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.ended_with: BaseException = failures.closed()
        self._lock = threading.RLock()  # a command may come from the garbage collector
        self._commands: deque[_Command] = deque()
        self._unanswered: set[Future[Any]] = set()
        self._over = False
        self._selector: selectors.BaseSelector | None = None
        self._receiver, self._wakeup = socket.socketpair()
        try:
            self._receiver.setblocking(False)
            self._wakeup.setblocking(False)
            self._selector = selectors.DefaultSelector()
            thread = threading.Thread(target=self._run, name="ollama-manager-link", daemon=True)
            thread.start()
        except BaseException:
            self.drop_descriptors()
            raise

    def submit(self, future: Future[Any], perform: Callable[[Session], None]) -> bool:
        """Have a command performed, in the order of arrival.

        Args:
            future: Fails if the thread ends before it is done.
            perform: The command.

        Returns:
            Whether it will be; False when the thread is over.

        Raises:
            Exception: The thread could not be told.
        """
        command = (future, perform)
        with self._lock:
            if self._over:
                return False
            self._unanswered.add(future)
            future.add_done_callback(self._unanswered.discard)
            self._commands.append(command)
            try:
                self._wakeup.send(b"\0")
            except BlockingIOError:  # it has enough to wake up for
                pass
            except BaseException:
                with suppress(ValueError, IndexError):  # it is being performed already
                    self._commands.remove(command)
                raise
        return True

    def drop_descriptors(self) -> None:
        """Close all descriptors; in a forked child, those of a thread that does not run there."""
        with ExitStack() as closing:  # the last callback runs first, and an error stops none
            closing.callback(self._wakeup.close)
            closing.callback(self._receiver.close)
            closing.callback(self.session.drop_connections)
            if self._selector is not None:
                # Closed first: what is closed after it cannot change the parent's.
                closing.callback(self._selector.close)

    def _run(self) -> None:
        failure = _failure_of(self._serve)
        if failure is not None:
            _failure_of(self.session.forget_server)  # first: another thread may begin after `_end`
        for step in (partial(self._end, failure), self.drop_descriptors, self.session.clean_up):
            another = _failure_of(step)
            failure = another if failure is None else failure
        if failure is None:
            failure = _failure_of(self.session.tell_closed)
        for future in list(self._unanswered):
            _failure_of(partial(fail, future, self.ended_with if failure is None else failure))
        if failure is not None:  # last: a log that hangs must not keep anybody waiting
            _failure_of(partial(_log.error, _FAILED, exc_info=failure))

    def _end(self, failure: BaseException | None) -> None:
        """Take no more commands."""
        if failure is not None:
            self.ended_with = failure
        self._over = True  # outside of the lock, getting which may fail
        with self._lock:
            pass  # a command that was being handed over has been by now

    def _serve(self) -> None:
        assert self._selector is not None
        watched: _Watched = {}
        while not self.session.finished:
            watched = self._watch(self._selector, watched)
            for key, _ in self._selector.select(self.session.timeout()):
                key.data()
            self.session.tick()

    def _watch(self, selector: selectors.BaseSelector, watched: _Watched) -> _Watched:
        session = self.session
        wanted: _Watched = {self._receiver: self._perform}
        if session.channel is not None:
            wanted[session.channel.socket] = session.channel_readable
        if session.foreign is not None and session.foreign.socket is not None:
            wanted[session.foreign.socket] = session.foreign_readable
        if wanted.keys() != watched.keys():
            for gone in watched.keys() - wanted.keys():
                selector.unregister(gone)
            for fresh in wanted.keys() - watched.keys():
                selector.register(fresh, selectors.EVENT_READ, wanted[fresh])
        return wanted

    def _perform(self) -> None:
        self._receiver.recv(4096)
        while self._commands:
            _, perform = self._commands.popleft()
            perform(self.session)


def _failure_of(step: Callable[[], object]) -> BaseException | None:
    """Do a step and return what it raised, so that the next step is done all the same."""
    try:
        step()
    except BaseException as error:
        return error
    return None
