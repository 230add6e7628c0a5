# generated from manager/_async/http_client.py by codegen.sh - do not edit
"""The HTTP client of a manager: a request, sent once, and its answer."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

from manager._sync.wire import Wire, sent_now
from manager.connections import shut_down
from manager.errors import ConfigError
from manager.lean_httpx import httpx
from manager.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from manager.calls import Call
    from manager.in_flight import InFlight
    from manager.transport.settings import ClientSettings

__all__ = ["HttpClient", "limits_now"]

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


class HttpClient:
    """An httpx client, and what of its work needs to be done only once.

    Requests are all to one server, with headers that stay, without redirects, hooks and what httpx
    calls auth. So they are handed to httpx's transport directly: the client's own share is a sixth
    of a round trip, and more of what an open stream keeps in memory.

    Args:
        settings: What the client is made with.
        in_flight: Hears of each request that has been sent.

    Raises:
        ConfigError: A package is missing that the settings ask for.
    """

    def __init__(self, settings: ClientSettings, in_flight: InFlight[Any]) -> None:
        self.settings = settings
        self.turns = Turns(settings.max_connections)
        self._in_flight = in_flight
        self._client = _make_client(settings)
        self._transport = _transport_of(self._client)
        self._heads: dict[tuple[str, str], tuple[httpx.URL, httpx.Headers]] = {}
        self._connections: weakref.WeakSet[Any] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._closed = False

    def request_of(self, call: Call[Any]) -> httpx.Request:
        """Return the HTTP request of a call, with the limits of one that is sent now."""
        client, method, path = self._client, call.request.method, call.request.path
        extensions: dict[str, Any] = {
            "trace": partial(self._note_step, call),
            "timeout": limits_now(call),
        }
        if (content := call.request.content) is not None:
            headers = {"content-type": "application/octet-stream"}
            return client.build_request(
                method, path, content=content, headers=headers, extensions=extensions
            )
        if (body := call.body) is None:
            return client.build_request(method, path, extensions=extensions)
        url, fields = self._head_of(method, path)
        request = httpx.Request(
            method,
            url,
            headers=fields,
            cookies=client.cookies or None,
            stream=httpx.ByteStream(body),
            extensions=extensions,
        )
        request.headers["Content-Length"] = str(len(body))
        return request

    def _head_of(self, method: str, path: str) -> tuple[httpx.URL, httpx.Headers]:
        """Return what the requests of an operation with a JSON body have in common.

        Merging it anew for each request would take httpx a sixth of a round trip.
        """
        head = self._heads.get((method, path))
        if head is None:
            url = self._client.build_request(method, path).url
            headers = httpx.Headers(self._client.headers)
            headers["content-type"] = "application/json"
            fields = httpx.Request(method, url, headers=headers).headers
            fields.pop("content-length", None)
            head = self._heads[method, path] = (url, fields)
        return head

    def send(self, call: Call[Any], request: httpx.Request) -> httpx.Response:
        """Send the request of a call and return the answer, its body unread.

        Raises:
            httpx.HTTPError: There is no answer.
        """
        before = sent_now.set(call)
        try:
            response: httpx.Response = self._transport.handle_request(request)
        except httpx.RequestError as error:
            error.request = request
            raise
        finally:
            sent_now.reset(before)  # a thread would keep the last call, and its images
        response.request = request
        if "set-cookie" in response.headers:
            self._client.cookies.extract_cookies(response)
        return response

    def _note_step(self, call: Call[Any], event: str, info: Mapping[str, Any]) -> None:
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
            Wire(connection)
            with self._lock:
                self._connections.add(connection)
            if self._closed:  # while it was being made
                shut_down(connection, os.getpid())

    def hang_up(self) -> None:
        """End each connection, from any thread: whoever waits for an answer wakes up.

        Closing it would not wake them.
        """
        self._closed = True
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            shut_down(connection, os.getpid())

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def limits_now(call: Call[Any]) -> dict[str, float | None]:
    """Return the limits of httpx for a request that is sent now.

    Raises:
        RequestTimeoutError: Nothing is left of the total one.
    """
    silence = call.within(call.timeouts.first_token)
    connect = call.within(call.timeouts.connect)
    return {"connect": connect, "read": silence, "write": silence, "pool": silence}


def _make_client(settings: ClientSettings) -> httpx.Client:
    context = settings.ssl_context() if settings.secure else None
    proxy, source = None, ""
    if settings.proxy is not None:
        source, by_tls = settings.proxy.source, settings.proxy.scheme == "https"
        proxy = httpx.Proxy(settings.proxy.url, ssl_context=context if by_tls else None)
    try:
        client = httpx.Client(
            base_url=settings.base_url,
            headers=settings.headers,
            verify=context or False,
            proxy=proxy,
            trust_env=False,  # the settings have what it says
            limits=httpx.Limits(
                max_connections=settings.max_connections,
                max_keepalive_connections=settings.max_keepalive,
            ),
        )
    except ImportError as error:
        raise ConfigError(
            f"{source} names a SOCKS proxy, which needs the package socksio: it is not installed",
            hint="pip install 'httpx[socks]'",
        ) from error
    with contextlib.suppress(ImportError):  # an httpx that does without httpcore
        from manager._sync.network import connect_in_time, join_chunks

        connect_in_time(client)
        if settings.transport == "auto":
            join_chunks(client)
    return client


class _WholeClient:
    """A client as the transport of its requests."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._client.send(request, stream=True)


def _transport_of(client: httpx.Client) -> Any:
    """Return the transport by which ``client`` sends, which has but one server.

    Which proxy the environment wants for that is httpx's to find out; should it keep the answer
    elsewhere one day, the client itself sends.
    """
    transport_for: Any = getattr(client, "_transport_for_url", None)
    return _WholeClient(client) if transport_for is None else transport_for(client.base_url)
