"""What a manager tells its listeners: one frozen record per event, delivered off the hot path."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

import msgspec

from manager.errors import InvalidRequestError
from manager.forks import renew_in_children

if TYPE_CHECKING:
    from ollama_api.models import ProgressResponse

    from manager.config import ConfigChange
    from manager.errors import OllamaManagerError
    from manager.status import ServerStatus

__all__ = [
    "ConfigRejected",
    "ConfigReloaded",
    "ConfigRolledBack",
    "Event",
    "EventName",
    "Events",
    "Listener",
    "ModelProgress",
    "RequestCancelled",
    "RequestFailed",
    "RequestFinished",
    "RequestRetried",
    "RequestStarted",
    "ServerEvent",
]

EventName: TypeAlias = Literal[
    "server.starting",
    "server.ready",
    "server.adopted",
    "server.crashed",
    "server.unresponsive",
    "server.restarting",
    "server.failed",
    "server.stopped",
    "request.started",
    "request.retried",
    "request.finished",
    "request.failed",
    "request.cancelled",
    "model.progress",
    "config.reloaded",
    "config.rejected",
    "config.rolled_back",
]
EVENT_NAMES: Final[tuple[str, ...]] = get_args(EventName)

_QUEUE_LIMIT = 10_000
_FLUSH_SECONDS = 1.0
_log = logging.getLogger("ollama_manager.events")


# A tenth of the time to a first answer would go into making them as classes of attrs.
class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened.

    Attributes:
        name: What, such as ``server.ready``.
        time: When, in seconds since the epoch.
    """

    name: EventName
    time: float = msgspec.field(default_factory=time.time)


class ServerEvent(Event, frozen=True, kw_only=True):
    """The server changed its state (``server.*``)."""

    status: ServerStatus
    cause: str | None = None


class RequestStarted(Event, frozen=True, kw_only=True):
    """A request is about to be sent (``request.started``)."""

    name: EventName = "request.started"
    request_id: str
    endpoint: str
    model: str | None = None


class RequestRetried(Event, frozen=True, kw_only=True):
    """A request failed and will be sent again after ``delay`` seconds (``request.retried``)."""

    name: EventName = "request.retried"
    request_id: str
    endpoint: str
    model: str | None = None
    attempt: int
    delay: float
    error: OllamaManagerError


class RequestFinished(Event, frozen=True, kw_only=True):
    """A request was answered in full, ``seconds`` after it was made (``request.finished``)."""

    name: EventName = "request.finished"
    request_id: str
    endpoint: str
    model: str | None = None
    attempts: int
    seconds: float


class RequestFailed(Event, frozen=True, kw_only=True):
    """A request was given up with ``error`` (``request.failed``)."""

    name: EventName = "request.failed"
    request_id: str
    endpoint: str
    model: str | None = None
    attempts: int
    seconds: float
    error: OllamaManagerError


class RequestCancelled(Event, frozen=True, kw_only=True):
    """A request was given up by its caller, without an error of ours (``request.cancelled``).

    Attributes:
        reason: The class of what ended it, such as ``CancelledError`` or ``KeyboardInterrupt``;
            ``forgotten`` for a stream that nobody held any more.
    """

    name: EventName = "request.cancelled"
    request_id: str
    endpoint: str
    model: str | None = None
    attempts: int
    seconds: float
    reason: str


class ModelProgress(Event, frozen=True, kw_only=True):
    """A pull, push or create went on (``model.progress``); sizes in bytes."""

    name: EventName = "model.progress"
    model: str
    operation: str
    progress: ProgressResponse


class ConfigReloaded(Event, frozen=True, kw_only=True):
    """A new configuration is in force (``config.reloaded``), in the server too.

    ``changes`` has each key with its old value, its new value, and when that holds;
    ``awaits_restart`` says that those of the server wait for ``restart_server()``
    (``on_change = "manual"``).
    """

    name: EventName = "config.reloaded"
    changes: tuple[ConfigChange, ...]
    awaits_restart: bool = False


class ConfigRejected(Event, frozen=True, kw_only=True):
    """A new configuration is wrong; the last good one stays (``config.rejected``)."""

    name: EventName = "config.rejected"
    error: OllamaManagerError


class ConfigRolledBack(Event, frozen=True, kw_only=True):
    """The server did not come up with new settings; the last good ones are back.

    ``changes`` has what of ``[server]`` is as it was before; nothing where the server was not
    touched, since it was clear beforehand.
    """

    name: EventName = "config.rolled_back"
    error: OllamaManagerError
    changes: tuple[ConfigChange, ...] = ()


Listener: TypeAlias = Callable[[Event], object]


class Events:
    """Delivers events to listeners, each on a thread of its own.

    A listener that raises is logged to ``ollama_manager.events`` and goes on being called. One
    that is so slow that 10,000 events wait for it loses the newest, which is logged once.
    """

    def __init__(self) -> None:
        self._subscriptions: tuple[_Subscription, ...] = ()
        self._lock = threading.Lock()
        renew_in_children(self)

    def after_fork(self) -> None:
        """In a forked child: go on with threads and locks of its own."""
        self._lock = threading.Lock()
        for subscription in self._subscriptions:
            subscription.begin()

    def subscribe(self, listener: Listener, *names: EventName) -> Callable[[], None]:
        """Call ``listener`` with every event of the given names, in order.

        Args:
            listener: Called with one event record at a time, on a thread of its own.
            names: Names such as ``"server.ready"``; none means all.

        Returns:
            A function that ends the subscription.

        Raises:
            InvalidRequestError: A name that no event has, or a listener that is not callable.

        Example:
            >>> unsubscribe = m.events.subscribe(print, "server.crashed", "server.ready")
        """
        if not callable(listener):
            raise InvalidRequestError("listener must be callable", argument="listener")
        for name in names:
            _check_event_name(name)
        subscription = _Subscription(listener, frozenset(names or EVENT_NAMES))
        with self._lock:
            self._subscriptions = (*self._subscriptions, subscription)

        def unsubscribe() -> None:
            with self._lock:
                self._subscriptions = tuple(
                    other for other in self._subscriptions if other is not subscription
                )
            subscription.stop()

        return unsubscribe

    @property
    def active(self) -> bool:
        """Whether anybody listens; lets a hot path skip making the record."""
        return bool(self._subscriptions)

    def emit(self, event: Event) -> None:
        """Hand ``event`` to whoever listens; returns at once."""
        for subscription in self._subscriptions:
            if event.name in subscription.names:
                subscription.put(event)

    def close(self) -> None:
        """End every subscription after the events that wait have been delivered (1 s at most)."""
        with self._lock:
            subscriptions, self._subscriptions = self._subscriptions, ()
        deadline = time.monotonic() + _FLUSH_SECONDS
        for subscription in subscriptions:
            subscription.stop()
        for subscription in subscriptions:
            subscription.join(max(0.0, deadline - time.monotonic()))


class _Subscription:
    def __init__(self, listener: Listener, names: frozenset[str]) -> None:
        self.names = names
        self._listener = listener
        self.begin()

    def begin(self) -> None:
        self._queue: queue.Queue[Event | None] = queue.Queue(_QUEUE_LIMIT)
        self._reported_full = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ollama-events", daemon=True)
        self._thread.start()

    def put(self, event: Event) -> None:
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            if not self._reported_full:
                self._reported_full = True
                _log.warning("listener %r is too slow; events are dropped", self._listener)

    def stop(self) -> None:
        self._stopping.set()
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            return  # the thread looks at the flag after each event

    def join(self, seconds: float) -> None:
        if threading.current_thread() is not self._thread:
            self._thread.join(seconds)

    def _run(self) -> None:
        while (event := self._queue.get()) is not None:
            try:
                self._listener(event)
            except Exception:
                _log.exception("listener %r failed on %s", self._listener, event.name)
            if self._stopping.is_set() and self._queue.empty():
                return


def _check_event_name(name: str) -> None:
    if name in EVENT_NAMES:
        return
    from difflib import get_close_matches

    near = get_close_matches(str(name), EVENT_NAMES, 1)
    raise InvalidRequestError(
        f"no event is called {name!r}",
        argument="names",
        hint=f"did you mean {near[0]!r}?" if near else "one of " + ", ".join(EVENT_NAMES),
    )
