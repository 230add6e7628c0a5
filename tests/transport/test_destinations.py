"""Where connections lead: IPv6, names with several addresses, and what the server is told of it."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Any

import pytest

from manager.config.proxy_url import parse_proxy
from manager.transport.exceptions import ConnectFailed, ConnectTimedOut

from .both import deadlines, over_both
from .certified import CA, secure
from .peers import OK, Peer, serves
from .test_through_a_proxy import fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .both import Shell
    from .peers import Wire


def has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@ipv6
@over_both
async def test_ipv6(shell: Shell) -> None:
    for peer in (Peer(serves(OK), host="::1"), secure(serves(OK), host="::1")):
        with peer:
            engine = shell.engine(f"{peer.origin}/prefix", verify=CA)
            assert await shell.get(engine) == (200, b"ok")
            assert peer.heads[0].startswith(b"POST /prefix/x HTTP/1.1\r\n")
            assert fields(peer.heads[0])[b"host"] == f"[::1]:{peer.port}".encode()


@ipv6
@over_both
async def test_ipv6_through_a_proxy(shell: Shell) -> None:
    refusal = b"HTTP/1.1 403 X\r\nContent-Length: 0\r\n\r\n"
    with Peer(serves(refusal), host="::1") as peer:
        proxy = parse_proxy(f"http://[::1]:{peer.port}", "the test")
        assert (await shell.get(shell.engine("http://[2001:db8::1]/a", proxy=proxy)))[0] == 403
        with pytest.raises(ConnectFailed):
            await shell.get(shell.engine("https://[2001:db8::1]/a", proxy=proxy))
        plain, tunnel = peer.heads
    assert plain.startswith(b"POST http://[2001:db8::1]/a/x HTTP/1.1\r\n")
    assert fields(plain)[b"host"] == b"[2001:db8::1]"
    assert tunnel.startswith(b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\n")
    assert fields(tunnel)[b"host"] == b"[2001:db8::1]:443"


# Names


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, list[str]]], None]:
    """Has names mean these addresses."""
    names: dict[str, list[str]] = {}

    def getaddrinfo(host: bytes | str, port: int, *args: Any, **kwargs: Any) -> list[Any]:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in names:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        families = [socket.AF_INET6 if ":" in ip else socket.AF_INET for ip in names[name]]
        return [
            (family, socket.SOCK_STREAM, 6, "", (ip, port) if "." in ip else (ip, port, 0, 0))
            for family, ip in zip(families, names[name], strict=True)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return names.update


@pytest.fixture
def silent_port() -> Iterator[tuple[str, int]]:
    """An address at which connections are neither made nor refused."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.2", 0))
        listener.listen(0)
        for _ in range(4):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        yield listener.getsockname()


@over_both
async def test_a_name_with_an_address_that_refuses(shell: Shell, resolve: Any) -> None:
    for peer in (Peer(serves(OK)), secure(serves(OK))):
        resolve({"ollama.example": ["127.0.0.2", "127.0.0.1"]})
        with peer:
            scheme = peer.origin.partition(":")[0]
            engine = shell.engine(f"{scheme}://ollama.example:{peer.port}", verify=CA)
            assert await shell.get(engine) == (200, b"ok")
            assert fields(peer.heads[0])[b"host"] == f"ollama.example:{peer.port}".encode()


@over_both
async def test_a_name_with_an_address_that_is_dead(
    shell: Shell, resolve: Any, silent_port: tuple[str, int]
) -> None:
    dead, port = silent_port
    resolve({"ollama.example": [dead, "127.0.0.1"]})
    with socket.create_server(("127.0.0.1", port)) as listener:
        listener.settimeout(30)
        engine = shell.engine(f"http://ollama.example:{port}")
        connection = await shell.connection(engine)
        listener.accept()[0].close()
        connection.close()


@over_both
async def test_a_name_whose_addresses_are_all_dead(
    shell: Shell, resolve: Any, silent_port: tuple[str, int]
) -> None:
    dead, port = silent_port
    resolve({"ollama.example": [dead, dead], "other.example": ["127.0.0.3", "127.0.0.4"]})
    with pytest.raises(ConnectTimedOut):
        await shell.ask(shell.engine(f"http://ollama.example:{port}"), connect=0.6)
    with pytest.raises(ConnectFailed, match=r"127\.0\.0\.3.*127\.0\.0\.4"):
        await shell.ask(shell.engine(f"http://other.example:{port}"))
    with pytest.raises(ConnectFailed, match="no such name"):
        await shell.ask(shell.engine("http://nobody.example"))


# What the server is told


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://ollama.example", b"ollama.example"),
        ("http://ollama.example:80", b"ollama.example"),
        ("http://ollama.example:443", b"ollama.example:443"),
        ("http://ollama.example:11434", b"ollama.example:11434"),
        ("http://127.0.0.1", b"127.0.0.1"),
    ],
)
@over_both
async def test_the_host_and_the_prefix(shell: Shell, url: str, host: bytes) -> None:
    """Seen by a proxy, which listens at none of these ports."""
    with Peer(serves(OK)) as peer:
        proxy = parse_proxy(f"http://127.0.0.1:{peer.port}", "the test")
        for prefix in ("", "/a", "/a/b"):
            engine = shell.engine(url + prefix, proxy=proxy)
            assert await shell.get(engine) == (200, b"ok")
            head = peer.heads[-1]
            assert head.startswith(b"POST http://%b%b/x HTTP/1.1\r\n" % (host, prefix.encode()))
            assert fields(head)[b"host"] == host


@over_both
async def test_the_headers(shell: Shell) -> None:
    headers = {"user-agent": "ours", "accept": "application/json", "x-own": "\xe9 value"}
    with Peer(serves(OK)) as peer:
        engine = shell.engine(f"{peer.origin}/p", headers=headers)
        exchange = engine.exchange("GET", "/x?a=b%20c", "application/json")
        assert exchange.sent_headers["user-agent"] == "ours"
        await exchange.open(b"{}", deadlines())
        await exchange.read_all(deadlines().reading())
        await exchange.release()
        (head,) = peer.heads
    assert head.startswith(b"GET /p/x?a=b%20c HTTP/1.1\r\n")
    names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:]]
    assert len(set(names)) == len(names)
    assert fields(head) == {
        b"host": f"127.0.0.1:{peer.port}".encode(),
        b"user-agent": b"ours",
        b"accept": b"application/json",
        b"x-own": b"\xe9 value",
        b"content-type": b"application/json",
        b"content-length": b"2",
    }


@over_both
async def test_a_request_without_a_body(shell: Shell) -> None:
    """A length of zero: RFC 9110 section 8.6 wants it for POST."""
    with Peer(serves(OK)) as peer:
        await shell.get(shell.engine(peer.origin))
        assert fields(peer.heads[0])[b"content-length"] == b"0"


@over_both
async def test_a_body_in_pieces(shell: Shell) -> None:
    def script(wire: Wire) -> None:
        wire.head()
        data = wire.rest
        while not data.endswith(b"0\r\n\r\n"):
            data += wire.socket.recv(65536)
        bodies.append(data)
        wire.rest = b""
        wire.send(OK)
        serves(OK)(wire)

    async def pieces() -> Any:
        for piece in (b"one", b"", b"two"):
            yield piece

    bodies: list[bytes] = []
    with Peer(script) as peer:
        engine = shell.engine(peer.origin)
        exchange = engine.exchange("POST", "/x", None)
        await exchange.open(iter([b"one", b"", b"two"]) if shell.is_sync else pieces(), deadlines())
        await exchange.read_all(deadlines().reading())
        await exchange.release()
        assert await shell.get(engine) == (200, b"ok")
        assert peer.accepted == 1
        assert fields(peer.heads[0])[b"transfer-encoding"] == b"chunked"
    assert bodies == [b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"]
