"""A single-threaded event loop: sockets, named timers and signals (asyncio imports in 40 ms)."""

from __future__ import annotations

import selectors
import signal
import socket
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["READ", "WRITE", "Loop"]

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE
_LONGEST_WAIT = 3600.0  # the system takes no more than some weeks
_LATE = 0.25
_LONG_STEP = 1.0


class Loop:
    """Calls back when a descriptor is ready, a timer is due, or a signal came.

    Its clock leaves out the time in which this process did not run (a suspended machine, SIGSTOP,
    a paused virtual machine): others did not run then either, so nothing of theirs is late.
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: dict[str, tuple[float, Callable[[], None]]] = {}
        self._signals: dict[int, Callable[[], None]] = {}
        self._wakeup: socket.socket | None = None
        self._running = True
        self._lost = 0.0
        self._woke: float | None = None
        self._on_gap: Callable[[float], None] | None = None

    def watch(self, fd: int, events: int, callback: Callable[[], None]) -> None:
        """Call back whenever a descriptor is ready; replaces an earlier watch on it.

        Args:
            fd: The descriptor.
            events: ``READ``, ``WRITE`` or both.
            callback: What to call.
        """
        try:
            self._selector.modify(fd, events, callback)
        except KeyError:
            self._selector.register(fd, events, callback)

    def unwatch(self, fd: int) -> None:
        """Forget a descriptor, before it is closed; one that is not watched is no error."""
        try:  # noqa: SIM105  contextlib would be one more import
            self._selector.unregister(fd)
        except (KeyError, ValueError):
            pass

    def set_timer(self, name: str, seconds: float, callback: Callable[[], None]) -> None:
        """Call back once, later; replaces an earlier timer of that name.

        Args:
            name: What the timer is for.
            seconds: From now.
            callback: What to call.
        """
        self._timers[name] = (self.now() + seconds, callback)

    def clear_timer(self, name: str) -> None:
        """Forget a timer; one that is not there is no error."""
        self._timers.pop(name, None)

    def on_signal(self, number: int, callback: Callable[[], None]) -> None:
        """Call back, in the loop, after a signal.

        Args:
            number: The signal.
            callback: What to call.
        """
        if self._wakeup is None:
            self._wakeup, sender = socket.socketpair()
            self._wakeup.setblocking(False)
            sender.setblocking(False)
            signal.set_wakeup_fd(sender.detach(), warn_on_full_buffer=False)
            self.watch(self._wakeup.fileno(), READ, self._signalled)
        self._signals[number] = callback
        # The handler does nothing: the wakeup descriptor carries the number into the loop.
        signal.signal(number, lambda _number, _frame: None)

    def on_gap(self, callback: Callable[[float], None]) -> None:
        """Call back when this process was found not to have run for a while.

        Args:
            callback: Gets the seconds by which the clock of this loop has fallen behind.
        """
        self._on_gap = callback

    def now(self) -> float:
        """Return the clock that timers go by: monotonic, in seconds of running."""
        return time.monotonic() - self._lost

    def stop(self) -> None:
        """Leave ``run`` after the callback that calls this."""
        self._running = False

    def run(self) -> None:
        """Serve until ``stop``."""
        while self._running:
            self.step(self._timeout())

    def step(self, timeout: float | None = 0.0) -> None:
        """Serve what is ready and due.

        Args:
            timeout: Seconds to wait for a descriptor; None: for ever.
        """
        begun = self.now()
        ready = self._selector.select(timeout)
        self._notice_gap(begun, timeout)
        for key, _ in ready:
            # An earlier callback of this round may have closed it.
            if self._selector.get_map().get(key.fd) is key:
                key.data()
        now = self.now()
        for name, (when, callback) in list(self._timers.items()):
            if when <= now and self._timers.get(name) == (when, callback):
                del self._timers[name]
                callback()

    def _notice_gap(self, begun: float, timeout: float | None) -> None:
        now = self.now()
        late = 0.0 if timeout is None else now - begun - timeout
        between = 0.0 if self._woke is None else begun - self._woke
        gap = (late if late > _LATE else 0.0) + (between if between > _LONG_STEP else 0.0)
        if gap:
            self._lost += gap
            if self._on_gap is not None:
                self._on_gap(gap)
        self._woke = self.now()

    def _timeout(self) -> float | None:
        if not self._timers:
            return None
        left = min(when for when, _ in self._timers.values()) - self.now()
        return min(max(0.0, left), _LONGEST_WAIT)

    def _signalled(self) -> None:
        assert self._wakeup is not None
        for number in dict.fromkeys(self._wakeup.recv(4096)):
            callback = self._signals.get(number)
            if callback is not None:
                callback()
