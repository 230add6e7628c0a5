"""What the environment says of proxies and certificates, and what it is not to say."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from manager import ConfigError, OllamaManagerError

from .hostile_server import Hostile, fine, says

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .either import Make
    from .hostile_server import Exchange

pytestmark = pytest.mark.usefixtures("each_transport")

ONCE = {"max_attempts": 1}
FAR = "http://far.invalid:11434"
ASKED = ["POST http://far.invalid:11434/api/chat HTTP/1.1"]
NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
SECRET = "s3cret"


@pytest.fixture(autouse=True)
def no_proxies(own_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)


def url_of(proxy: Hostile) -> str:
    return proxy.host.removesuffix("/x")


def tunnels(exchange: Exchange) -> None:
    """Agree to connect to the server, and leave it at that."""
    exchange.write(b"HTTP/1.1 200 Connected\r\n\r\n")


async def ask(make: Make, host: str, **settings: Any) -> None:
    async with make(host=host, retry=ONCE, connect_timeout=5, **settings) as m:
        await m.chat("m", "hi", timeout=10)


# Proxies


@pytest.mark.parametrize(
    "exceptions",
    ["[::1]", "10.0.0.0/8", "[::1]:80, fd00::/8 ,,. 300.1.1.1 http://[ [ ] ::/200 other.invalid"],
)
async def test_exceptions_that_do_not_apply(
    make: Make, exceptions: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", exceptions)
    with Hostile(fine) as proxy:
        monkeypatch.setenv("HTTP_PROXY", url_of(proxy))
        await ask(make, FAR)
        assert proxy.requests == ASKED


@pytest.mark.parametrize(
    ("host", "exceptions"),
    [
        ("http://192.0.2.1:11434", "10.0.0.0/8,192.0.2.0/24"),
        ("http://[2001:db8::1]:11434", "[2001:db8:0::1]"),
        (FAR, "near.invalid INVALID."),
    ],
)
async def test_exceptions_that_apply(
    make: Make, host: str, exceptions: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", exceptions)
    with Hostile(fine) as proxy:
        monkeypatch.setenv("HTTP_PROXY", url_of(proxy))
        with pytest.raises(OllamaManagerError) as caught:  # there is no such server
            async with make(host=host, retry=ONCE, connect_timeout=0.2) as m:
                await m.chat("m", "hi", timeout=2)
        assert not isinstance(caught.value, ConfigError)
        assert proxy.requests == []


@pytest.mark.parametrize(
    ("written", "credentials"),
    [
        (" {scheme}://{at}\n", None),
        ("{at}", None),
        ("{scheme}://me:s3#cr/e?t@{at}", b"me:s3#cr/e?t"),
        ("{scheme}://me:s3@cr%40et@{at}/", b"me:s3@cr@et"),
    ],
)
async def test_a_proxy_is_written_as_people_write_it(
    make: Make, written: str, credentials: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hostile(fine) as proxy:
        at = url_of(proxy).removeprefix("http://")
        monkeypatch.setenv("HTTP_PROXY", written.format(scheme="http", at=at))
        await ask(make, FAR)
        (head,) = proxy.heads
    assert proxy.requests == ASKED
    fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:])
    if credentials is None:
        assert "proxy-authorization" not in fields
    else:
        value = f"basic {base64.b64encode(credentials).decode().lower()}"
        assert fields["proxy-authorization"] == value


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_a_variable_that_is_no_proxy(
    make: Make, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wrong in (
        "ftp://me:s3cret@proxy:3128",
        "http://",
        "http://me:s3cret@",
        "http://me:s3cret",
        "http://me:s3cret@proxy:99999",
        "http://me:s3cret@proxy:31 28",
        "http://me:s3cret@[::1",
        "http://me:s3cret@pr oxy:3128",
        "me:s3cret@proxy:port",
        "://me:s3cret@proxy",
    ):
        monkeypatch.setenv(name, wrong)
        with pytest.raises(ConfigError, match=f"^{name} ") as caught:
            await ask(make, FAR)
        assert caught.value.hint
        assert name in caught.value.hint
        assert SECRET not in str(caught.value.to_dict())
        error: BaseException | None = caught.value
        while error is not None:
            assert SECRET not in repr(error)
            error = error.__context__


async def test_a_proxy_of_the_configuration_that_is_none(make: Make) -> None:
    with pytest.raises(ConfigError, match="proxy") as caught:
        await ask(make, FAR, proxy="http://me:s3cret@proxy:99999")
    assert caught.value.details["key"] == "client.proxy"
    assert SECRET not in str(caught.value.to_dict())


async def test_nothing_of_it_matters_for_a_server_on_this_machine(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NAMES:
        monkeypatch.setenv(name.upper(), "ftp://me:s3cret@[")
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"):
        monkeypatch.setenv(name, "/nowhere/at/all")
    with Hostile(fine) as server:
        await ask(make, server.host)
        assert server.requests == ["POST /x/api/chat HTTP/1.1"]


async def test_nothing_of_it_matters_where_the_environment_is_not_trusted(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NAMES:
        monkeypatch.setenv(name.upper(), "ftp://me:s3cret@[")
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"):
        monkeypatch.setenv(name, "/nowhere/at/all")
    with Hostile(fine, tunnels) as proxy:
        await ask(make, FAR, trust_env=False, proxy=url_of(proxy))
        with pytest.raises(OllamaManagerError) as caught:
            await ask(make, "https://far.invalid", trust_env=False, proxy=url_of(proxy))
        assert not isinstance(caught.value, ConfigError)
        assert proxy.requests == [*ASKED, "CONNECT far.invalid:443 HTTP/1.1"]


async def test_a_reload_sees_another_proxy(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    with Hostile(fine) as first, Hostile(fine) as second:
        monkeypatch.setenv("HTTP_PROXY", url_of(first))
        async with make(host=FAR, retry=ONCE) as m:
            await m.chat("m", "hi")
            monkeypatch.setenv("HTTP_PROXY", url_of(second))
            await m.reload_config()
            await m.chat("m", "hi")
            monkeypatch.setenv("HTTP_PROXY", "ftp://me:s3cret@proxy")
            with pytest.raises(ConfigError, match="HTTP_PROXY"):
                await m.reload_config()
            await m.chat("m", "hi")  # as before
        assert first.requests == ASKED
        assert second.requests == ASKED * 2


# Certificates


def missing(folder: Path) -> str:
    return str(folder / "missing.pem")


def wrong(folder: Path) -> str:
    (folder / "wrong.pem").write_text("no certificate")
    return str(folder / "wrong.pem")


def broken(folder: Path) -> str:
    begin, end = (f"-----{word} CERTIFICATE-----\n" for word in ("BEGIN", "END"))
    (folder / "broken.pem").write_text(f"{begin}aGVsbG8=\n{end}")
    return str(folder / "broken.pem")


def a_folder(folder: Path) -> str:
    return str(folder)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SSL_CERT_FILE", missing),
        ("SSL_CERT_FILE", wrong),
        ("SSL_CERT_FILE", broken),
        ("SSL_CERT_FILE", a_folder),
        ("SSL_CERT_DIR", missing),
        ("SSL_CERT_DIR", wrong),
        ("SSLKEYLOGFILE", a_folder),
    ],
)
async def test_a_variable_that_names_no_certificates(
    make: Make,
    name: str,
    value: Callable[[Path], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = value(tmp_path)
    monkeypatch.setenv(name, path)
    with Hostile(tunnels) as proxy, pytest.raises(ConfigError, match=f"^{name} ") as caught:
        await ask(make, "https://far.invalid", proxy=url_of(proxy))
    assert path in str(caught.value)
    assert caught.value.hint
    assert name in caught.value.hint


@pytest.mark.parametrize("key", ["verify", "cert"])
async def test_a_key_that_names_no_certificates(make: Make, key: str, tmp_path: Path) -> None:
    for path in (missing(tmp_path), wrong(tmp_path), broken(tmp_path), str(tmp_path)):
        with Hostile(tunnels) as proxy, pytest.raises(ConfigError) as caught:
            await ask(make, "https://far.invalid", proxy=url_of(proxy), **{key: path})
        assert caught.value.details["key"] == f"client.{key}"
        assert path in str(caught.value)


# Headers


async def test_a_header_is_sent_once(make: Make) -> None:
    headers = {"User-Agent": "mine", "ACCEPT": "text/plain", "X-Padded": " \tvalue "}
    with Hostile(says(b'{"version": "1"}')) as server:
        async with make(host=server.host, retry=ONCE, headers=headers) as m:
            await m.version()
    lines = [line.lower() for line in server.heads[0].split("\r\n")[1:]]
    for field in ("user-agent: mine", "accept: text/plain", "x-padded: value"):
        name = field.partition(":")[0]
        assert [line for line in lines if line.partition(":")[0] == name] == [field]
