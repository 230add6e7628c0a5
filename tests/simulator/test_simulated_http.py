"""The HTTP side: routes, connections, bodies, origins."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx

    from manager.simulator import SimulatedServer


def exchange(server: SimulatedServer, data: bytes) -> bytes:
    """Send bytes, and read until the server hangs up."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        received = b""
        while piece := sock.recv(65536):
            received += piece
    return received


def request(head: str, body: bytes = b"") -> bytes:
    return (head + "\n\n").replace("\n", "\r\n").encode() + body


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_root_says_that_it_runs(client: httpx.Client, method: str) -> None:
    response = client.request(method, "/")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.headers["content-length"] == "17"
    assert response.text == ("Ollama is running" if method == "GET" else "")


def test_the_version_says_that_it_is_a_simulation(client: httpx.Client) -> None:
    response = client.get("/api/version")
    assert "simulated" in response.json()["version"]
    assert response.headers["server"] == "ollama-simulator"


@pytest.mark.parametrize(
    ("method", "path", "status", "allow", "text"),
    [
        ("GET", "/nope", 404, None, "404 page not found"),
        ("GET", "/api", 404, None, "404 page not found"),
        ("GET", "/v1/models", 404, None, "404 page not found"),
        ("POST", "/api/tags", 405, "HEAD, GET", "405 method not allowed"),
        ("GET", "/api/chat", 405, "POST", "405 method not allowed"),
        ("GET", "/api/blobs/x", 405, "HEAD, POST", "405 method not allowed"),
    ],
)
def test_unknown_paths_and_methods_are_plain_text(
    client: httpx.Client, method: str, path: str, status: int, allow: str | None, text: str
) -> None:
    response = client.request(method, path)
    assert (response.status_code, response.text) == (status, text)
    assert response.headers["content-type"] == "text/plain"
    assert response.headers.get("allow") == allow


@pytest.mark.parametrize(
    ("method", "path", "status", "location"),
    [
        ("GET", "/api/tags/", 301, "/api/tags"),
        ("POST", "/api/chat/", 307, "/api/chat"),
        ("GET", "//api/tags", 307, "/api/tags"),
    ],
)
def test_untidy_paths_are_redirected(
    server: SimulatedServer,
    client: httpx.Client,
    method: str,
    path: str,
    status: int,
    location: str,
) -> None:
    response = client.request(method, server.base_url + path)
    assert (response.status_code, response.headers["location"]) == (status, location)


def test_queries_are_ignored(client: httpx.Client) -> None:
    assert client.get("/api/tags?ts=1").status_code == 200


def test_many_requests_share_a_connection(server: SimulatedServer) -> None:
    one = request("GET /api/version HTTP/1.1\nHost: localhost")
    received = exchange(server, one * 3)
    assert received.count(b"HTTP/1.1 200 OK") == 3


def test_a_chunked_body_is_read(server: SimulatedServer) -> None:
    head = "POST /api/show HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked"
    body = b'8;x=y\r\n{"model"\r\n9\r\n:"plain"}\r\n0\r\nTrailer: x\r\n\r\n'
    following = request("GET / HTTP/1.1\nHost: localhost")
    received = exchange(server, request(head, body) + following)
    assert received.count(b"HTTP/1.1 200 OK") == 2


def test_expect_continue_is_answered_before_the_body(server: SimulatedServer) -> None:
    body = json.dumps({"model": "plain"}).encode()
    head = (
        f"POST /api/show HTTP/1.1\nHost: x.local\nExpect: 100-continue\nContent-Length: {len(body)}"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as sock:
        sock.sendall(request(head))
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(body)
        assert sock.recv(100).startswith(b"HTTP/1.1 200 OK")


def test_a_large_body_that_nobody_reads_ends_the_connection(server: SimulatedServer) -> None:
    head = "POST /nope HTTP/1.1\nHost: localhost\nContent-Length: 2000000"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as sock:
        sock.sendall(request(head, b"x" * 400_000))
        received = b""
        try:
            while piece := sock.recv(65536):
                received += piece
        except ConnectionResetError:
            pass
    assert received.startswith(b"HTTP/1.1 404")
    assert b"Connection: close" in received


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"hello\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n",
        b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused_and_cut(server: SimulatedServer, data: bytes) -> None:
    received = exchange(server, data)
    assert received.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"Connection: close" in received


def test_http_1_0_closes_after_the_answer(server: SimulatedServer) -> None:
    received = exchange(server, request("GET / HTTP/1.0") * 2)
    assert received.count(b"HTTP/1.1 200 OK") == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "localhost:11434"}, 200),
        ({"Host": "ollama.internal"}, 200),
        ({"Host": "192.168.1.5"}, 200),
        ({"Host": "evil.example.com"}, 403),
        ({"Origin": "http://localhost:3000"}, 200),
        ({"Origin": "app://obsidian.md"}, 200),
        ({"Origin": "http://evil.example.com"}, 403),
    ],
)
def test_strangers_are_turned_away(
    client: httpx.Client, headers: dict[str, str], status: int
) -> None:
    response = client.get("/api/tags", headers=headers)
    assert response.status_code == status
    if status == 200 and "Origin" in headers:
        assert response.headers["access-control-allow-origin"] == headers["Origin"]


def test_a_preflight_is_answered(client: httpx.Client) -> None:
    response = client.options("/api/chat", headers={"Origin": "http://localhost:3000"})
    assert response.status_code == 204
    assert "POST" in response.headers["access-control-allow-methods"]
