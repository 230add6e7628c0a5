"""Real TLS: with a CA of one's own, with certificates of clients, with a proxy."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from manager import ConfigError, ServerUnavailableError

from .either import until
from .hostile_server import Hostile, chat_line, fine, silent_after
from .tls_servers import CA, CERTIFICATES, TlsServer, leads_to

if TYPE_CHECKING:
    from .either import Make

pytestmark = pytest.mark.usefixtures("each_transport")

CLIENT = str(CERTIFICATES / "client.pem")
ENCRYPTED = str(CERTIFICATES / "client_encrypted.pem")


@pytest.fixture(autouse=True)
def no_certificates(own_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"):
        monkeypatch.delenv(name, raising=False)


async def ask(make: Make, server: TlsServer, **settings: Any) -> str:
    """Ask a server that is taken for one on another machine; return the request line."""
    with Hostile(leads_to(server)) as proxy:
        url = proxy.host.removesuffix("/x")
        settings = {"proxy": url, "retry": {"max_attempts": 1}, **settings}
        async with make(host="https://ollama.example/x", **settings) as m:
            answer = await m.chat("m", "hi", timeout=20)
        assert answer.message.content == "fine"
        assert proxy.requests == ["CONNECT ollama.example:443 HTTP/1.1"]
    return server.requests[-1]


async def test_a_ca_of_ones_own(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    with TlsServer(fine) as server:
        assert await ask(make, server, verify=CA) == "POST /x/api/chat HTTP/1.1"
        for name, path in (("SSL_CERT_FILE", CA), ("SSL_CERT_DIR", str(CERTIFICATES / "folder"))):
            with monkeypatch.context() as patch:
                patch.setenv(name, path)
                assert await ask(make, server) == "POST /x/api/chat HTTP/1.1"


async def test_a_server_that_nobody_vouches_for(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TlsServer(fine) as server:
        with pytest.raises(ServerUnavailableError, match=r"(?i)certificate"):
            await ask(make, server)
        monkeypatch.setenv("SSL_CERT_FILE", CA)
        with pytest.raises(ServerUnavailableError, match=r"(?i)certificate"):
            await ask(make, server, trust_env=False)
        assert server.requests == []
        await ask(make, server, verify=False)


async def test_a_certificate_of_the_client(make: Make) -> None:
    with TlsServer(fine, wants_certificate=True) as server:
        with pytest.raises(ServerUnavailableError):
            await ask(make, server, verify=CA)
        assert server.requests == []
        await ask(make, server, verify=CA, cert=CLIENT)
        await ask(make, server, verify=CA, cert=(CLIENT, CLIENT))
        with pytest.raises(ConfigError, match="encrypted") as caught:
            await ask(make, server, verify=CA, cert=ENCRYPTED)
        assert caught.value.details["key"] == "client.cert"


async def test_a_proxy_that_speaks_tls(make: Make) -> None:
    with TlsServer(fine) as proxy:
        settings = {"proxy": f"https://me:s3cret@127.0.0.1:{proxy.port}", "verify": CA}
        async with make(host="http://far.invalid:11434", **settings) as m:
            await m.chat("m", "hi", timeout=20)
    assert proxy.requests == ["POST http://far.invalid:11434/api/chat HTTP/1.1"]
    assert "Proxy-Authorization: Basic bWU6czNjcmV0" in proxy.heads[0]


async def test_a_server_on_this_machine(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    with TlsServer(fine) as server:
        async with make(host=f"https://127.0.0.1:{server.port}/x", verify=CA) as m:
            await m.chat("m", "hi", timeout=20)
        assert server.requests == ["POST /x/api/chat HTTP/1.1"]


async def test_streams_that_are_closed_from_elsewhere(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirty readers wait, or are about to; none is handed what is not a line of its stream."""
    monkeypatch.setenv("OLLAMA_MANAGER_CLIENT_TRANSPORT", "auto")  # what the engine promises
    with TlsServer(silent_after(chat_line("one"), chat_line("two"))) as server:
        async with make(host=f"https://127.0.0.1:{server.port}/x", verify=CA) as m:
            streams = [await m.chat("m", "hi", stream=True, timeout=30) for _ in range(30)]
            readers = [asyncio.ensure_future(contents(stream)) for stream in streams]
            await until(lambda: all(stream.partial for stream in streams))
            for stream in streams:
                await stream.close()
            for reader in readers:
                assert await asyncio.wait_for(reader, 30) == ["one", "two"]
            await until(server.is_left)


async def contents(stream: Any) -> list[str]:
    return [chunk.message.content async for chunk in stream]
