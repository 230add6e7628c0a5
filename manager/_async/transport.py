"""Sends requests: waits for the server, retries, and turns what comes back into types or errors."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

from manager._async.attempt import AsyncAttempt
from manager._async.closing import end_each
from manager._async.http_client import AsyncHttpClient
from manager._async.lines import AsyncLines
from manager.decoding import decode_answer
from manager.default import DEFAULT
from manager.errors import APIError, OllamaManagerError, ServerUnavailableError
from manager.failures import error_from_status
from manager.forks import renew_in_children
from manager.timeouts import resolve_timeouts, whole_wait
from manager.transport.call import Call
from manager.transport.exceptions import ConnectionsInUse, TransportError
from manager.transport.retry import resolve_retry
from manager.waiting_async import check_home_async, home_async, pause_async, signal_async

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx
    from ollama_api.types import Request

    from manager._async.server import AsyncServer
    from manager.events import Events
    from manager.in_flight import InFlight
    from manager.logs import CallLog
    from manager.timeouts import TimeoutInput
    from manager.transport.queue import Slot
    from manager.transport.retry import RetryInput
    from manager.transport.settings import HttpSettings

__all__ = ["AsyncTransport"]

T = TypeVar("T")
U = TypeVar("U")

# A slot that was dropped rather than freed is found by who waits for one, this often.
_LOOK_INTERVAL = 1.0


class AsyncTransport:
    """Sends the requests of one manager.

    Args:
        settings: Where to, and with which limits.
        server: Is asked to be ready before each request.
        events: Hears of each request.
        log: Writes each request down.
        in_flight: Counts them.
        carrier: What carries them, if that is an httpx transport of the user's.
    """

    def __init__(
        self,
        settings: HttpSettings,
        server: AsyncServer,
        events: Events,
        log: CallLog,
        in_flight: InFlight[AsyncLines[Any]],
        carrier: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._own_carrier = carrier
        self._server = server
        self._events = events
        self.log = log  # of the calls that start from now on
        self._in_flight = in_flight
        self._client: AsyncHttpClient | None = None
        self._client_home: object = None
        self._retired: list[AsyncHttpClient] = []
        self._lock = threading.Lock()
        self._closed = False
        self._settings = settings
        renew_in_children(self)

    def after_fork(self) -> None:
        """In a forked child: leave the connections to the parent."""
        for client in (self._client, *self._retired):
            if client is not None:
                client.keep_for_parent()
        self._client, self._client_home, self._retired = None, None, []
        self._lock = threading.Lock()

    def configure(self, settings: HttpSettings) -> None:
        """Use new settings for the calls that start from now on."""
        with self._lock:
            if settings.client != self._settings.client and self._client is not None:
                # open streams keep their connections: the old client is closed at the end
                self._retired.append(self._client)
                self._client = None
            self._settings = settings

    async def send(
        self,
        request: Request[T],
        *,
        model: str | None = None,
        timeout: TimeoutInput = DEFAULT,
        retry: RetryInput = DEFAULT,
    ) -> T:
        """Send ``request`` and return its whole answer.

        Raises:
            OllamaManagerError: The subclass that says what went wrong, after the last attempt.
        """
        return (await self.ask(request, model=model, timeout=timeout, retry=retry))[0]

    async def ask(
        self,
        request: Request[T],
        *,
        model: str | None = None,
        timeout: TimeoutInput = DEFAULT,
        retry: RetryInput = DEFAULT,
    ) -> tuple[T, Mapping[str, Any]]:
        """Send ``request`` and return its whole answer, and what an error about it is to say.

        Raises:
            OllamaManagerError: The subclass that says what went wrong, after the last attempt.
        """
        call = self._begin(request, model, whole_wait(timeout), retry)
        answer = await self._deliver(call)
        return answer, {**call.context, "attempts": call.attempts}

    async def exists(
        self,
        request: Request[object],
        *,
        model: str | None = None,
        timeout: TimeoutInput = DEFAULT,
        retry: RetryInput = DEFAULT,
    ) -> bool:
        """Send ``request``, whose 404 is an answer like any other, and return whether it was not.

        Raises:
            OllamaManagerError: The subclass that says what went wrong, after the last attempt.
        """
        call = self._begin(request, model, whole_wait(timeout), retry, absence_is_answer=True)
        try:
            await self._deliver(call)
        except APIError as error:
            if call.is_absence(error):
                return False
            raise
        return True

    async def _deliver(self, call: Call[T]) -> T:
        with call:
            while True:
                try:
                    await self._admit(call)
                    try:
                        return await self._answer(call)
                    finally:
                        self._in_flight.end(call)
                except OllamaManagerError as error:
                    if call.was_done_before(error):
                        call.finish(404, 0, {}, None)
                        return call.request.decode(None)
                    await self._pause(call, error)

    async def _answer(self, call: Call[T]) -> T:
        """Send the request once and return its whole answer."""
        attempt = await self._attempt(call)
        try:
            content = await self._read(attempt)
        finally:
            await attempt.end()
        answer = decode_answer(call.request, content, attempts=call.attempts, **call.context)
        call.finish(attempt.status, len(content), attempt.headers, answer)
        return answer

    async def stream(
        self,
        request: Request[T],
        *,
        model: str | None = None,
        timeout: TimeoutInput = DEFAULT,
        retry: RetryInput = DEFAULT,
    ) -> AsyncLines[T]:
        """Send ``request`` and return the lines of its answer, once that has begun.

        Raises:
            OllamaManagerError: The subclass that says what went wrong, after the last attempt.
        """
        call = self._begin(request, model, timeout, retry)
        return await self._open(
            call, lambda attempt: AsyncLines(attempt, self._in_flight, self._server, self)
        )

    async def resume(self, lines: AsyncLines[T], error: OllamaManagerError) -> AsyncLines[T]:
        """Send the request of a stream that broke off again, as the same call.

        Raises:
            OllamaManagerError: ``error``, when it is not sent again, or what an attempt met.
        """
        call = lines.call
        return await self.reopen(
            call,
            error,
            lambda attempt: AsyncLines(attempt, self._in_flight, self._server, self),
        )

    async def reopen(
        self, call: Call[Any], error: OllamaManagerError, begin: Callable[[AsyncAttempt], U]
    ) -> U:
        """Send the request of a call again that ``error`` has ended, and begin to read its answer.

        Raises:
            OllamaManagerError: ``error``, when it is not sent again, or what an attempt met.
        """
        with call:
            await self._pause(call, error)
        return await self._open(call, begin)

    async def _open(self, call: Call[Any], begin: Callable[[AsyncAttempt], U]) -> U:
        with call:
            while True:
                try:
                    await self._admit(call)
                    try:
                        return begin(await self._attempt(call))
                    finally:
                        self._in_flight.end(call)
                except OllamaManagerError as error:
                    await self._pause(call, error)

    async def close(self) -> None:
        """End every open stream and close the connections; later calls fail."""
        self._closed = True
        for client in self._clients():
            client.slots.open()
        streams = [lines.close for lines in self._in_flight.streams()]
        await end_each([*streams, self._close_connections])

    async def _close_connections(self) -> None:
        clients = self._clients()
        for client in clients:
            client.abort_all()
        check_home_async(self._client_home)  # it alone can close them
        self._report_forgotten()
        self._retired, self._client = [], None
        await end_each(client.close for client in clients)

    def _clients(self) -> list[AsyncHttpClient]:
        with self._lock:
            return [*self._retired, *([self._client] if self._client is not None else [])]

    def _report_forgotten(self) -> None:
        for call in self._in_flight.take_forgotten():
            call.cancel("forgotten")

    def _begin(
        self,
        request: Request[T],
        model: str | None,
        timeout: TimeoutInput,
        retry: RetryInput,
        *,
        absence_is_answer: bool = False,
    ) -> Call[T]:
        return Call(
            request,
            model=model,
            timeouts=resolve_timeouts(timeout, self._settings.timeouts),
            policy=resolve_retry(retry, self._settings.retry),
            events=self._events,
            log=self.log,
            absence_is_answer=absence_is_answer,
        )

    async def _admit(self, call: Call[Any]) -> None:
        """Return when the server is ready; the request then counts as in flight.

        One that waits does not: a server that drains before a restart would wait for it in turn.
        """
        check_home_async(self._client_home)
        self._report_forgotten()
        while True:
            if call.is_over:
                raise ServerUnavailableError("the stream was closed", **call.context)
            if self._closed:
                raise self._is_closed(call)
            self._in_flight.begin(call)  # first: whoever drains has to see it before it is sent
            if self._server.is_ready:
                return
            self._in_flight.end(call)
            await self._server.ready(call)

    def _is_closed(self, call: Call[Any]) -> ServerUnavailableError:
        return ServerUnavailableError(
            "this manager is closed",
            code="manager_closed",
            retryable=False,
            hint="make a new one",
            **call.context,
        )

    async def _attempt(self, call: Call[Any]) -> AsyncAttempt:
        """Send the request once and return the attempt, its body unread; an error status raises."""
        client = self._http_client()
        slot = await self._slot(call, client)
        attempt = AsyncAttempt(call, client.exchange(call), slot, client.slots)
        try:
            try:
                await attempt.open(self._in_flight)
            except TransportError as error:
                self._server.suspect()
                raise call.lost(error, answering=False) from error
            self._server.note_answer()
            call.observer.context_length = self._server.context_length
            if not 200 <= attempt.status < 300:
                raise await self._refusal(attempt)
        except BaseException:
            await attempt.end()
            raise
        return attempt

    async def _refusal(self, attempt: AsyncAttempt) -> OllamaManagerError:
        call, status, headers = attempt.call, attempt.status, attempt.headers
        body = await self._read(attempt)
        call.observer.refused(call.attempts, status, headers, body, call.deadlines.elapsed())
        return error_from_status(status, headers, body, **call.context)

    async def _slot(self, call: Call[Any], client: AsyncHttpClient) -> Slot:
        """Return a slot, once there is room for one more connection."""
        slot = client.slots.ask()
        if not slot.is_granted:
            await self._wait_for(slot, call, client)
        return slot

    async def _wait_for(self, slot: Slot, call: Call[Any], client: AsyncHttpClient) -> None:
        signal = signal_async()
        slot.notify(signal.set)
        seconds = call.deadlines.queueing()
        until = None if seconds is None else time.monotonic() + seconds
        try:
            while not slot.is_granted:
                left = _LOOK_INTERVAL if until is None else until - time.monotonic()
                if left <= 0:
                    connections = client.settings.max_connections
                    raise call.lost(ConnectionsInUse(), answering=False, connections=connections)
                await signal.wait(min(left, _LOOK_INTERVAL))
                client.slots.grant_free_slots()
            if self._closed:
                raise self._is_closed(call)
        except BaseException:
            client.slots.free(slot)
            raise

    async def _read(self, attempt: AsyncAttempt) -> bytes:
        try:
            return await attempt.read_all()
        except TransportError as error:
            self._server.suspect()
            raise attempt.call.lost(error, answering=False) from error

    async def _pause(self, call: Call[T], error: OllamaManagerError) -> None:
        """Wait until the request may be sent again; raise ``error`` if it may not."""
        delay = call.delay_after(error, supervised=self._server.is_supervised)
        if delay:
            await pause_async(delay)

    def _http_client(self) -> AsyncHttpClient:
        client = self._client
        if client is None:
            with self._lock:
                if (client := self._client) is None:
                    client = self._client = AsyncHttpClient(
                        self._settings.client, self._own_carrier
                    )
                    self._client_home = self._client_home or home_async()
                    if self._closed:  # meanwhile
                        client.abort_all()
        check_home_async(self._client_home)
        return client
