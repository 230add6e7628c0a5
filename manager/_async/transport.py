"""Sends requests: waits for the server, retries, and turns what comes back into types or errors."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from manager._async.closing import end_each
from manager._async.lines import AsyncLines
from manager._async.wire import AsyncWire, sent_now
from manager.calls import Call
from manager.connections import shut_down
from manager.default import DEFAULT
from manager.errors import (
    APIError,
    ConfigError,
    OllamaManagerError,
    ServerUnavailableError,
)
from manager.failures import error_from_status
from manager.forks import keep, renew_in_children
from manager.retry import resolve_retry
from manager.timeouts import resolve_timeouts, whole_wait
from manager.turns import Turns
from manager.waiting_async import check_home_async, home_async, pause_async, wait_working_async

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from ollama_api.types import Request

    from manager._async.server import AsyncServer
    from manager.events import Events
    from manager.http import ClientSettings, HttpSettings
    from manager.in_flight import InFlight
    from manager.logs import CallLog
    from manager.retry import RetryInput
    from manager.timeouts import TimeoutInput

    _Head: TypeAlias = tuple[httpx.URL, list[tuple[bytes, bytes]]]

__all__ = ["AsyncTransport"]

T = TypeVar("T")
U = TypeVar("U")

# What httpcore traces when a request is about to be sent, when it has been, when the head of the
# answer has come, when the connection is about to be given back, and when there is a new one.
_SENDING = "http11.send_request_headers.started"
_ASKED = "http11.receive_response_headers.started"
_ANSWERED = "http11.receive_response_headers.complete"
_RETURNED = "http11.response_closed.started"
_CONNECTED = (
    "connection.connect_tcp.complete",
    "connection.start_tls.complete",
    "proxy.start_tls.complete",
    "socks.connect_tcp.complete",
    "socks.start_tls.complete",
)
# A body of so many bytes at most is sent together with its head: each piece wakes the server up.
_SMALL = 65_536


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
        self._client: httpx.AsyncClient | None = None
        self._client_pid = 0
        self._turns = Turns(None)  # of the client
        self._client_home: object = None
        self._lock = threading.Lock()
        self._retired: list[httpx.AsyncClient] = []
        self._heads: dict[tuple[httpx.AsyncClient, str, str], _Head] = {}
        self._connections: weakref.WeakSet[Any] = weakref.WeakSet()
        self._closed = False
        self._settings = settings
        renew_in_children(self)

    def after_fork(self) -> None:
        """In a forked child: leave the connections to the parent."""
        keep(*self._retired)
        self._retired = []
        self._connections = weakref.WeakSet()
        self._lock = threading.Lock()
        self._turns = Turns(None)

    def configure(self, settings: HttpSettings) -> None:
        """Use new settings for the calls that start from now on."""
        if settings.client != self._settings.client:
            # open streams keep their connections: the old client is closed at the end
            if self._client is not None and self._client_pid == os.getpid():
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
        self._turns.open()
        streams = [lines.close for lines in self._in_flight.streams()]
        await end_each([*streams, self._close_connections])

    async def _close_connections(self) -> None:
        if self._client_pid == os.getpid():
            with self._lock:
                connections = list(self._connections)
            for connection in connections:
                # closing it would not wake up who waits for an answer
                shut_down(connection, self._client_pid)
            check_home_async(self._client_home)  # it alone can close them
            await self._give_back_forgotten()
        clients = [*self._retired, *([self._client] if self._client is not None else [])]
        self._retired, self._client = [], None
        self._heads.clear()
        if self._client_pid == os.getpid():
            await end_each(client.aclose for client in clients)

    async def _give_back_forgotten(self) -> None:
        for answer, _, call in self._in_flight.take_forgotten():
            call.cancel("forgotten")
            try:
                with contextlib.suppress(httpx.HTTPError, OSError):
                    await answer.aclose()
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
        if self._client_pid == os.getpid():
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
        request = self._http_request(call)
        call.begin_attempt(request.headers)
        await self._wait_for_turn(call, request)
        before = sent_now.set(call)
        try:
            response = await self._http_client().send(request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            self._server.suspect()
            connections = self._settings.client.max_connections
            raise call.lost(error, answering=False, connections=connections) from error
        finally:
            sent_now.reset(before)  # a thread would keep the last call, and its images
        self._server.note_answer()
        call.context_length = self._server.context_length
        if not response.is_success:
            body = await self._read(call, response)
            call.note_error(response.status_code, response.headers, body)
            raise error_from_status(response.status_code, response.headers, body, **call.context)
        return response

    async def _wait_for_turn(self, call: Call[Any], request: httpx.Request) -> None:
        call.turn = turn = self._turns.ask()
        if turn.granted is None:
            return
        limit = call.within(call.timeouts.first_token)
        try:
            # whoever has a turn may be forgotten meanwhile
            await wait_working_async(turn.granted, limit, self._give_back_forgotten)
        except TimeoutError:
            full, connections = httpx.PoolTimeout(""), self._settings.client.max_connections
            raise call.lost(full, answering=False, connections=connections) from None
        if self._closed:
            raise self._is_closed(call)
        request.extensions["timeout"].update(_limits(call))

    def _http_request(self, call: Call[T]) -> httpx.Request:
        client, method, path = self._http_client(), call.request.method, call.request.path
        extensions: dict[str, Any] = {
            "trace": partial(self._note_step, call),
            "timeout": _limits(call),
        }
        if (content := call.request.content) is not None:
            headers = {"content-type": "application/octet-stream"}
            return client.build_request(
                method, path, content=content, headers=headers, extensions=extensions
            )
        if (body := call.body) is None:
            return client.build_request(method, path, extensions=extensions)
        url, fields = self._head_of(client, method, path)
        return httpx.Request(
            method,
            url,
            headers=[*fields, (b"Content-Length", b"%d" % len(body))],
            cookies=client.cookies or None,
            stream=httpx.ByteStream(body),
            extensions=extensions,
        )

    def _head_of(self, client: httpx.AsyncClient, method: str, path: str) -> _Head:
        """Return what the requests of an operation with a JSON body have in common.

        Merging it anew for each request would take httpx a sixth of a round trip.
        """
        head = self._heads.get((client, method, path))
        if head is None:
            url = client.build_request(method, path).url
            headers = httpx.Headers(client.headers)
            headers["content-type"] = "application/json"
            fields = httpx.Request(method, url, headers=headers).headers
            fields.pop("content-length", None)
            head = self._heads[client, method, path] = (url, fields.raw)
        return head

    async def _note_step(self, call: Call[Any], event: str, info: Mapping[str, Any]) -> None:
        if event == _SENDING:
            call.head_waits = call.body is not None and len(call.body) <= _SMALL
        elif event == _ASKED:
            call.hold.asked()
            call.hold.limit(call.left_for_head)
            self._in_flight.asked(call)
        elif event == _ANSWERED:
            call.hold.limit(None if call.timeouts.total is None else call.left)
        elif event == _RETURNED:
            call.hold.let_go()
        elif event in _CONNECTED:
            connection = info["return_value"]
            AsyncWire(connection)
            with self._lock:
                self._connections.add(connection)
            if self._closed:  # while it was being made
                shut_down(connection, os.getpid())

    async def _read(self, call: Call[T], response: httpx.Response) -> bytes:
        try:
            content = await response.aread()
            call.hold.answered()
            call.remaining()
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            self._server.suspect()
            raise call.lost(error, answering=False) from error
        finally:
            await response.aclose()
        return content

    async def _pause(self, call: Call[T], error: OllamaManagerError) -> None:
        """Wait until the request may be sent again; raise ``error`` if it may not."""
        delay = call.delay_after(error, supervised=self._server.is_supervised)
        if delay:
            await pause_async(delay)

    def _http_client(self) -> httpx.AsyncClient:
        """Return the client, a new one in a forked child: sockets must not be shared."""
        client = self._client
        if client is None or self._client_pid != os.getpid():
            with self._lock:
                if self._client is None or self._client_pid != os.getpid():
                    self._client = _make_client(self._settings.client)
                    self._turns = Turns(self._settings.client.max_connections)
                    if self._client_pid != os.getpid():  # else the settings have changed
                        self._client_pid = os.getpid()
                        self._client_home = home_async()
                client = self._client
        check_home_async(self._client_home)
        return client


def _limits(call: Call[Any]) -> dict[str, float | None]:
    """Return the limits of httpx for a request that is sent now."""
    silence = call.within(call.timeouts.first_token)
    connect = call.within(call.timeouts.connect)
    return {"connect": connect, "read": silence, "write": silence, "pool": silence}


def _make_client(settings: ClientSettings) -> httpx.AsyncClient:
    try:
        client = httpx.AsyncClient(
            base_url=settings.base_url,
            headers=settings.headers,
            verify=settings.ssl_context(),
            proxy=settings.proxy,
            trust_env=settings.trust_env,
            limits=httpx.Limits(
                max_connections=settings.max_connections,
                max_keepalive_connections=settings.max_keepalive,
            ),
        )
    except ImportError as error:
        raise ConfigError(
            "a SOCKS proxy needs the package socksio, which is not installed",
            hint="pip install 'httpx[socks]'",
            key="client.proxy",
        ) from error
    with contextlib.suppress(ImportError):  # an httpx that does without httpcore
        from manager._async.network import connect_in_time, join_chunks

        connect_in_time(client)
        if settings.joins_chunks:
            join_chunks(client)
    return client
