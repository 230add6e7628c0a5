"""How a proxy is asked for a tunnel, and what its answers mean."""

from __future__ import annotations

import pytest

from manager.transport.exceptions import InvalidAnswer, ProxyFailed
from manager.transport.http1 import field_lines
from manager.transport.tunnel import Tunnel


def test_the_request() -> None:
    fields = field_lines([("Proxy-Authorization", "Basic YTpi")])
    assert Tunnel("server:443", fields).request == (
        b"CONNECT server:443 HTTP/1.1\r\nHost: server:443\r\n"
        b"Proxy-Authorization: Basic YTpi\r\n\r\n"
    )
    assert Tunnel("[::1]:443", b"").request.startswith(b"CONNECT [::1]:443 HTTP/1.1\r\n")


@pytest.mark.parametrize("target", ["", "a b:443", "a:443\r\nX: y", "b\xfccher:443", "a:443\n"])
def test_targets_that_cannot_be_sent(target: str) -> None:
    with pytest.raises(ValueError, match="cannot be sent"):
        Tunnel(target, b"")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 Connection established\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_the_tunnel_is_there_at_the_end_of_the_head(answer: bytes) -> None:
    tunnel = Tunnel("server:443", b"")
    tunnel.answer.feed(answer[:-1])
    assert not tunnel.answer.has_head
    tunnel.answer.feed(answer[-1:])
    assert tunnel.answer.has_head
    tunnel.check()


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (403, "403: it does not allow"),
        (407, "407: it wants credentials"),
        (502, "502: it cannot reach"),
        (504, "504: it cannot reach"),
        (302, "status 302$"),
        (500, "status 500$"),
    ],
)
def test_refusals(status: int, reason: str) -> None:
    tunnel = Tunnel("server:443", b"")
    tunnel.answer.feed(b"HTTP/1.1 %d X\r\nContent-Length: 5\r\n\r\nsorry" % status)
    with pytest.raises(ProxyFailed, match=reason):
        tunnel.check()


def test_bytes_behind_the_answer_cannot_be_of_the_server() -> None:
    """The client speaks first in TLS, and what was read with the answer would be lost."""
    tunnel = Tunnel("server:443", b"")
    tunnel.answer.feed(b"HTTP/1.1 200 OK\r\n\r\nhello")
    with pytest.raises(ProxyFailed, match="before the tunnel was used"):
        tunnel.check()


def test_an_answer_that_is_not_http() -> None:
    with pytest.raises(InvalidAnswer):
        Tunnel("server:443", b"").answer.feed(b"\x05\x00")


def test_without_an_answer_there_is_no_tunnel() -> None:
    with pytest.raises(ProxyFailed):
        Tunnel("server:443", b"").check()
