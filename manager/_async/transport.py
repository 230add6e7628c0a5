"""Sends requests: waits for the server, retries, and turns what comes back into types or errors."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeVar

from manager._async.body import AsyncBody, give_back
from manager._async.closing import end_each
from manager._async.http_client import AsyncHttpClient, limits_now
from manager._async.lines import AsyncLines
from manager.calls import Call
from manager.default import DEFAULT
from manager.errors import APIError, OllamaManagerError, ServerUnavailableError
from manager.failures import error_from_status
from manager.forks import keep, renew_in_children
from manager.lean_httpx import httpx
from manager.retry import resolve_retry
from manager.timeouts import resolve_timeouts, whole_wait
from manager.waiting_async import (
    check_home_async,
    home_async,
    pause_async,
    wait_working_async,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ollama_api.types import Request

    from manager._async.server import AsyncServer
    from manager.events import Events
    from manager.in_flight import InFlight
    from manager.logs import CallLog
    from manager.retry import RetryInput
    from manager.timeouts import TimeoutInput
    from manager.transport.settings import HttpSettings

__all__ = ["AsyncTransport"]

T = TypeVar("T")
U = TypeVar("U")


class AsyncTransport:
    """Sends the requests of one manager.

    Args:
        settings: Where to, and with which limits.
        server: Is asked to be ready before each request.
        events: Hears of each request.
        log: Writes each request down.
        in_flight: Counts them.
    """

    def __init__(
        self,
        settings: HttpSettings,
        server: AsyncServer,
        events: Events,
        log: CallLog,
        in_flight: InFlight[AsyncLines[Any]],
    ) -> None:
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
        keep(self._client, *self._retired)
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
        call = self._begin(request, model, whole_wait(timeout), retry)
        call.absence_is_answer = True
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
                        response = await self._answer(call)
                        content = await self._read(call, response)
                        answer = call.decode(content)
                    finally:
                        self._end_attempt(call)
                        call.end_turn()
                except OllamaManagerError as error:
                    if call.was_done_before(error):
                        call.finish(404, 0, {}, None)
                        return call.typed(None, b"")
                    await self._pause(call, error)
                else:
                    call.finish(response.status_code, len(content), response.headers, answer)
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
            call, lambda answer: AsyncLines(answer, call, self._in_flight, self._server, self)
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
            lambda answer: AsyncLines(answer, call, self._in_flight, self._server, self),
        )

    async def reopen(
        self, call: Call[Any], error: OllamaManagerError, begin: Callable[[httpx.Response], U]
    ) -> U:
        """Send the request of a call again that ``error`` has ended, and begin to read its answer.

        Raises:
            OllamaManagerError: ``error``, when it is not sent again, or what an attempt met.
        """
        with call:
            await self._pause(call, error)
        return await self._open(call, begin)

    async def _open(self, call: Call[Any], begin: Callable[[httpx.Response], U]) -> U:
        with call:
            while True:
                try:
                    await self._admit(call)
                    try:
                        return begin(await self._answer(call))
                    except BaseException:
                        call.end_turn()
                        raise
                    finally:
                        self._end_attempt(call)
                except OllamaManagerError as error:
                    await self._pause(call, error)

    async def close(self) -> None:
        """End every open stream and close the connections; later calls fail."""
        self._closed = True
        for client in self._clients():
            client.turns.open()
        streams = [lines.close for lines in self._in_flight.streams()]
        await end_each([*streams, self._close_connections])

    async def _close_connections(self) -> None:
        clients = self._clients()
        for client in clients:
            client.hang_up()
        check_home_async(self._client_home)  # it alone can close them
        await self._give_back_forgotten()
        self._retired, self._client = [], None
        await end_each(client.close for client in clients)

    def _clients(self) -> list[AsyncHttpClient]:
        with self._lock:
            return [*self._retired, *([self._client] if self._client is not None else [])]

    async def _give_back_forgotten(self) -> None:
        for answer, _, call in self._in_flight.take_forgotten():
            call.cancel("forgotten")
            try:
                await give_back(answer)
            finally:
                call.end_turn()

    def _begin(
        self, request: Request[T], model: str | None, timeout: TimeoutInput, retry: RetryInput
    ) -> Call[T]:
        return Call(
            request,
            model=model,
            timeouts=resolve_timeouts(timeout, self._settings.timeouts),
            policy=resolve_retry(retry, self._settings.retry),
            events=self._events,
            log=self.log,
        )

    async def _admit(self, call: Call[Any]) -> None:
        """Return when the server is ready; the request then counts as in flight.

        One that waits does not: a server that drains before a restart would wait for it in turn.
        """
        check_home_async(self._client_home)
        await self._give_back_forgotten()
        while True:
            if call.over:
                raise ServerUnavailableError("the stream was closed", **call.context)
            if self._closed:
                raise self._is_closed(call)
            self._in_flight.begin()  # first: whoever drains has to see it before it is sent
            if self._server.is_ready:
                return
            self._in_flight.end()
            await self._server.ready(call)

    def _is_closed(self, call: Call[Any]) -> ServerUnavailableError:
        return ServerUnavailableError(
            "this manager is closed",
            code="manager_closed",
            retryable=False,
            hint="make a new one",
            **call.context,
        )

    def _end_attempt(self, call: Call[Any]) -> None:
        call.hold.answered()
        self._in_flight.answered(call)
        self._in_flight.end()

    async def _answer(self, call: Call[T]) -> httpx.Response:
        """Send the request once and return its answer, its body unread; an error status raises."""
        client = self._http_client()
        request = client.request_of(call)
        call.begin_attempt(request.headers)
        await self._wait_for_turn(call, client, request)
        try:
            response = await client.send(call, request)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            self._server.suspect()
            connections = client.settings.max_connections
            raise call.lost(error, answering=False, connections=connections) from error
        self._server.note_answer()
        call.context_length = self._server.context_length
        if not response.is_success:
            body = await self._read(call, response)
            call.note_error(response.status_code, response.headers, body)
            raise error_from_status(response.status_code, response.headers, body, **call.context)
        return response

    async def _wait_for_turn(
        self, call: Call[Any], client: AsyncHttpClient, request: httpx.Request
    ) -> None:
        call.turn = turn = client.turns.ask()
        if turn.granted is None:
            return
        limit = call.within(call.timeouts.first_token)
        try:
            # whoever has a turn may be forgotten meanwhile
            await wait_working_async(turn.granted, limit, self._give_back_forgotten)
        except TimeoutError:
            full, connections = httpx.PoolTimeout(""), client.settings.max_connections
            raise call.lost(full, answering=False, connections=connections) from None
        if self._closed:
            raise self._is_closed(call)
        request.extensions["timeout"].update(limits_now(call))

    async def _read(self, call: Call[T], response: httpx.Response) -> bytes:
        try:
            content = await AsyncBody(response).read_all()
            call.hold.answered()
            call.remaining()
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            self._server.suspect()
            raise call.lost(error, answering=False) from error
        finally:
            await give_back(response)
        return content

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
                    client = self._client = AsyncHttpClient(self._settings.client, self._in_flight)
                    self._client_home = self._client_home or home_async()
                    if self._closed:  # meanwhile
                        client.hang_up()
        check_home_async(self._client_home)
        return client
