from __future__ import annotations

import base64
import subprocess
import sys
from typing import TYPE_CHECKING, TypeVar

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.config import ClientConfig
from manager.config.keys import keys_of, masked
from manager.errors import ConfigError
from manager.hosts import parse_host
from manager.transport.proxies import proxy_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from manager.hosts import Address
    from manager.transport.proxies import Proxy

T = TypeVar("T")

FAR = parse_host("http://gpu.example.com:11434")
SECURE = parse_host("https://gpu.example.com")
LOCAL = [
    "127.0.0.1",
    "localhost:1",
    "[::1]:1",
    "0.0.0.0",
    "https://localhost",
    "http://127.9.9.9/x",
]
VARIABLES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY")
SECRET = "s3cret"


def nothing_stored() -> Mapping[str, str]:
    return {}


def found(
    environ: Mapping[str, str],
    server: str = "http://gpu.example.com:11434",
    configured: str | None = None,
    *,
    trust_env: bool = True,
    stored: Mapping[str, str] | None = None,
) -> str | None:
    proxy = proxy_for(
        parse_host(server),
        configured,
        trust_env=trust_env,
        environ=environ,
        stored=lambda: stored or {},
    )
    return proxy and proxy.host


def read(text: str) -> Proxy:
    environ = {"http_proxy": text}
    proxy = proxy_for(FAR, None, trust_env=True, environ=environ, stored=nothing_stored)
    assert proxy is not None
    return proxy


def credentials(proxy: Proxy) -> bytes | None:
    if proxy.authorization is None:
        return None
    scheme, _, encoded = proxy.authorization.partition(" ")
    assert scheme == "Basic"
    return base64.b64decode(encoded, validate=True)


# Which variable


@pytest.mark.parametrize(
    ("environ", "plain", "secure"),
    [
        ({}, None, None),
        ({"HTTP_PROXY": "a"}, "a", None),
        ({"HTTPS_PROXY": "a"}, None, "a"),
        ({"ALL_PROXY": "a"}, "a", "a"),
        ({"HTTP_PROXY": "a", "HTTPS_PROXY": "b", "ALL_PROXY": "c"}, "a", "b"),
        ({"http_proxy": "a", "HTTP_PROXY": "b"}, "a", None),
        ({"all_proxy": "a", "ALL_PROXY": "b"}, "a", "a"),
        ({"HTTP_PROXY": "a", "all_proxy": "b"}, "a", "b"),
        ({"http_proxy": "", "HTTP_PROXY": "b"}, None, None),
        ({"http_proxy": "", "HTTP_PROXY": "b", "ALL_PROXY": "c"}, "c", "c"),
        ({"HTTP_PROXY": " ", "ALL_PROXY": "c"}, "c", "c"),
        ({"Http_Proxy": "a", "FTP_PROXY": "b"}, None, None),
        # a CGI program: HTTP_PROXY is a header of the request
        ({"HTTP_PROXY": "a", "REQUEST_METHOD": "GET"}, None, None),
        ({"HTTP_PROXY": "a", "REQUEST_METHOD": "GET", "ALL_PROXY": "c"}, "c", "c"),
        ({"http_proxy": "a", "REQUEST_METHOD": "GET"}, "a", None),
        ({"HTTPS_PROXY": "a", "REQUEST_METHOD": "GET"}, None, "a"),
        # exceptions
        ({"ALL_PROXY": "a", "NO_PROXY": "example.com"}, None, None),
        ({"ALL_PROXY": "a", "no_proxy": "example.com:443"}, "a", None),
        ({"ALL_PROXY": "a", "no_proxy": "", "NO_PROXY": "*"}, "a", "a"),
    ],
)
def test_which_variable_decides(
    environ: Mapping[str, str], plain: str | None, secure: str | None
) -> None:
    assert found(environ) == plain
    assert found(environ, "https://gpu.example.com") == secure
    assert found(environ, trust_env=False) is None


def test_what_is_configured_comes_first() -> None:
    environ = {"HTTP_PROXY": "a", "NO_PROXY": "*"}
    assert found(environ, configured="http://b") == "b"
    assert found(environ, configured="http://b", trust_env=False) == "b"


def test_the_settings_of_the_platform_come_last() -> None:
    stored = {"http": "http://a", "https": "http://b"}
    assert found({}, stored=stored) == "a"
    assert found({}, "https://gpu.example.com", stored=stored) == "b"
    assert found({}, stored={"all": "socks5://c"}) == "c"
    assert found({"HTTP_PROXY": "d"}, stored=stored) == "d"
    assert found({"NO_PROXY": "*"}, stored=stored) is None
    assert found({}, stored=stored, trust_env=False) is None
    with pytest.raises(ConfigError, match="system's settings"):
        found({}, stored={"http": "ftp://a"})


@pytest.mark.parametrize("host", LOCAL)
def test_nothing_is_read_for_a_server_on_this_machine(host: str) -> None:
    wrong = dict.fromkeys(VARIABLES, "ftp://[")

    def fails() -> Mapping[str, str]:
        raise AssertionError("asked")

    for configured in (None, "ftp://["):
        proxy = proxy_for(parse_host(host), configured, trust_env=True, environ=wrong, stored=fails)
        assert proxy is None


@pytest.mark.parametrize(
    "environ",
    [
        {"HTTP_PROXY": "good", "ALL_PROXY": "ftp://["},
        {"http_proxy": "good", "HTTP_PROXY": "ftp://["},
        {"HTTP_PROXY": "good", "HTTPS_PROXY": "ftp://["},
    ],
)
def test_what_does_not_decide_is_not_read(environ: Mapping[str, str]) -> None:
    assert found(environ) == "good"
    assert found({**environ, "NO_PROXY": "gpu.example.com", "HTTP_PROXY": "ftp://["}) is None


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="there it keeps proxies")
def test_the_platform_is_not_asked_where_it_keeps_no_proxies() -> None:
    code = (
        "import sys; from manager.hosts import parse_host\n"
        "from manager.transport.proxies import proxy_for\n"
        "proxy_for(parse_host('http://far'), None, trust_env=True, environ={'http_proxy': 'a'})\n"
        "assert proxy_for(parse_host('http://far'), None, trust_env=True, environ={}) is None\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {"urllib.request", "httpx", "ssl"} & set(done.stdout.split())


# What is written


@pytest.mark.parametrize(
    ("text", "scheme", "host", "port"),
    [
        ("proxy", "http", "proxy", 80),
        ("proxy:3128", "http", "proxy", 3128),
        ("  http://proxy:3128\r\n", "http", "proxy", 3128),
        ("HTTP://Proxy.Example.:3128/", "http", "Proxy.Example.", 3128),
        ("https://proxy", "https", "proxy", 443),
        ("socks5://proxy", "socks5", "proxy", 1080),
        ("socks5h://proxy:9", "socks5h", "proxy", 9),
        ("http://10.0.0.1:3128", "http", "10.0.0.1", 3128),
        ("http://[fd00::1]:3128", "http", "fd00::1", 3128),
        ("[fd00:0::1]", "http", "fd00::1", 80),
        ("http://proxy:3128/path?query#fragment", "http", "proxy", 3128),
        ("http://@proxy", "http", "proxy", 80),
        ("http://:@proxy", "http", "proxy", 80),
    ],
)
def test_proxies_as_people_write_them(text: str, scheme: str, host: str, port: int) -> None:
    proxy = read(text)
    assert (proxy.scheme, proxy.host, proxy.port) == (scheme, host, port)
    assert proxy.authorization is None
    bracketed = f"[{host}]" if ":" in host else host
    assert proxy.url == f"{scheme}://{bracketed}:{port}"
    assert proxy.source == "http_proxy"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("me:s3cret", b"me:s3cret"),
        ("me", b"me:"),
        ("me:", b"me:"),
        (":s3cret", b":s3cret"),
        ("me:s3%20c%3Aret%2f", b"me:s3 c:ret/"),
        ("me:s3:cret", b"me:s3:cret"),
        ("me:s3#cret", b"me:s3#cret"),
        ("me:s3/cret", b"me:s3/cret"),
        ("me:s3?cret", b"me:s3?cret"),
        ("me:s3@cret", b"me:s3@cret"),
        ("me:s3 cret", b"me:s3 cret"),
        ("me:s3[cret]", b"me:s3[cret]"),
        ("me:s3\\cret", b"me:s3\\cret"),
        ("me:100%", b"me:100%"),
        ("me:50%of", b"me:50%of"),
        ("me:s3+cret", b"me:s3+cret"),
        ("me:s3crét", "me:s3crét".encode()),
        ("me:s3\udcffcret", b"me:s3\xffcret"),
        ("m%40e:http://s3cret", b"m@e:http://s3cret"),
    ],
)
def test_credentials(written: str, expected: bytes) -> None:
    proxy = read(f"http://{written}@proxy:3128")
    assert (proxy.host, proxy.port) == ("proxy", 3128)
    assert credentials(proxy) == expected
    assert "s3" not in repr(proxy)
    if b"\xff" not in expected:  # httpx has text only
        by_httpx = httpx.Proxy(proxy.url)
        assert b":".join(by_httpx.raw_auth or ()) == expected
        assert (by_httpx.url.host, by_httpx.url.port) == ("proxy", 3128)


def test_credentials_of_a_socks_proxy_are_no_header() -> None:
    proxy = read("socks5://me:s3#cret@proxy")
    assert proxy.authorization is None
    assert proxy.url == "socks5://me:s3%23cret@proxy:1080"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ftp://me:s3cret@proxy", "scheme is ftp"),
        ("socks://me:s3cret@proxy", "socks5"),
        ("://me:s3cret@proxy", "scheme"),
        ("//me:s3cret@proxy", "scheme"),
        ("http:/me:s3cret@proxy", "scheme"),
        ("http:me/s3cret", "host or port"),
        ("http://", "no host"),
        ("http:///", "no host"),
        ("http://me:s3cret@", "no host"),
        ("http://me:s3cret@:3128", "no host"),
        ("http://me:s3cret", "host or port"),
        ("http://me:s3cret@proxy:0", "host or port"),
        ("http://me:s3cret@proxy:65536", "host or port"),
        ("http://me:s3cret@proxy:", "host or port"),
        ("http://me:s3cret@proxy:31x", "host or port"),
        ("http://me:s3cret@proxy:٣", "host or port"),
        ("http://me:s3cret@pr oxy", "host or port"),
        ("http://me:s3cret@pröxy", "host or port"),
        ("http://me:s3cret@[::1", "host or port"),
        ("http://me:s3cret@[proxy]", "host or port"),
        ("http://me:s3cret@::1:3128", "no host"),
        ("http://me:s3cret@fd00::1", "in brackets"),
        ("http://me:s3cret@3128", "host or port"),
        ("http://me:s3cr\net@proxy", "control character"),
        ("http://me:s3cr\0et@proxy", "control character"),
        ("http://me:s3cr\ud800et@proxy", "control character"),
        # the proxy "proxy", or the user "proxy" of another one
        ("http://proxy:3128/s3cret@other", "two ways"),
        ("http://me:12#s3cret@proxy:3128", "two ways"),
        ("http://me:s3cret@proxy:3128/x@other", "two ways"),
        ("http://me:s3@cr#et@proxy:3128", "two ways"),
    ],
)
def test_what_is_refused(text: str, reason: str) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        with pytest.raises(ConfigError, match=f"{name} is not the URL of a proxy: .*{reason}") as (
            caught
        ):
            found({name: text})
        check_hidden(caught.value)
        assert caught.value.details["variable"] == name
        assert f"correct {name}, or unset it" in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        ClientConfig(proxy=text)
    assert caught.value.details["key"] == "client.proxy"
    check_hidden(caught.value)


def check_hidden(error: BaseException | None) -> None:
    """Fail if an error, or one that it came from, shows the password."""
    while error is not None:
        for part in (repr(error), str(error), str(vars(error))):
            assert "s3" not in part
        error = error.__context__


def test_the_configuration_wants_a_scheme() -> None:
    for text in ("proxy:3128", "me:s3cret@proxy:3128", "me:s3/cret@proxy:3128", "s3cret"):
        with pytest.raises(ConfigError, match="no scheme") as caught:
            ClientConfig(proxy=text)
        check_hidden(caught.value)


# Any text


TEXTS = st.text() | st.text(st.characters(codec=None)) | st.text("htps5:/@#?%[].0123456789a ")


def outcome(act: Callable[[], T]) -> T | ConfigError:
    try:
        return act()
    except ConfigError as error:
        return error


@given(st.dictionaries(st.sampled_from(VARIABLES), TEXTS), st.sampled_from([FAR, SECURE]))
def test_any_text_is_a_proxy_or_none_or_a_mistake(environ: dict[str, str], server: Address) -> None:
    proxy = outcome(
        lambda: proxy_for(server, None, trust_env=True, environ=environ, stored=nothing_stored)
    )
    if isinstance(proxy, ConfigError):
        assert proxy.details["variable"] in VARIABLES
    elif proxy is not None:
        assert 0 < proxy.port < 65536
        assert read(proxy.url) == proxy
        httpx.Proxy(proxy.url)


@given(
    st.sampled_from(["http://", "https://", "socks5://", "ftp://", "socks://", " http://", ""]),
    TEXTS,
    TEXTS,
    st.sampled_from(["proxy:3128", "proxy", "", "proxy:99999", "[::1", "pr oxy", "3128"]),
)
def test_no_password_is_shown(scheme: str, before: str, after: str, host: str) -> None:
    text = f"{scheme}me:{before}{SECRET}{after}@{host}"
    for made in (outcome(lambda: read(text)), outcome(lambda: ClientConfig(proxy=text))):
        assert SECRET not in repr(made)
        if isinstance(made, ConfigError):
            assert SECRET not in str(made.to_dict())
            check_hidden(made)


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1))
def test_an_encoded_password_arrives(password: str) -> None:
    encoded = "".join(f"%{byte:02x}" for byte in password.encode())
    proxy = read(f"http://me:{encoded}@proxy")
    assert credentials(proxy) == f"me:{password}".encode()
    assert masked_proxy(f"http://me:{password}@proxy:1") in ("http://***@proxy:1", None)


def masked_proxy(text: str) -> object:
    """How the configuration shows a proxy; None where it refuses it."""
    try:
        config = ClientConfig(proxy=text)
    except ConfigError:
        return None
    (about,) = [key for key in keys_of(ClientConfig) if key.name == "proxy"]
    return masked(about, config.proxy)
