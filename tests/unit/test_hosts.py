from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.errors import ConfigError
from manager.hosts import Address, parse_host


def go_host(text: str) -> tuple[str, str, str, str]:
    """Ollama's own reading (envconfig.Host), for what we accept: scheme, host, port, path."""
    text = text.strip().strip("\"'").strip()
    scheme, found, hostport = text.partition("://")
    default = "11434"
    if not found:
        scheme, hostport = "http", text
        if text == "ollama.com":
            scheme, hostport = "https", "ollama.com:443"
    elif scheme in ("http", "https"):
        default = "80" if scheme == "http" else "443"
    hostport, _, path = hostport.partition("/")
    bare = hostport.strip("[]")
    is_ip = ":" in bare and _is_ip(bare)
    if is_ip or ":" not in hostport:
        return scheme, bare, default, path
    host, _, port = hostport.rpartition(":")
    return scheme, host.strip("[]"), port, path


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "origin", "path"),
    [
        ("127.0.0.1", "http://127.0.0.1:11434", ""),
        ("127.0.0.1:1234", "http://127.0.0.1:1234", ""),
        (' "gpu-box:8080" ', "http://gpu-box:8080", ""),
        ("'gpu_box'", "http://gpu_box:11434", ""),
        ("http://example.com", "http://example.com:80", ""),
        ("https://example.com", "https://example.com:443", ""),
        ("https://example.com:8443/ollama/", "https://example.com:8443", "/ollama"),
        ("example.com/a/b", "http://example.com:11434", "/a/b"),
        ("ollama.com", "https://ollama.com:443", ""),
        ("http://ollama.com", "http://ollama.com:80", ""),
        ("ollama.com:11434", "http://ollama.com:11434", ""),
        ("::1", "http://[::1]:11434", ""),
        ("[::1]", "http://[::1]:11434", ""),
        ("[::1]:80", "http://[::1]:80", ""),
        ("[0:0:0:0:0:0:0:1]:80", "http://[::1]:80", ""),
        ("::ffff:127.0.0.1", "http://127.0.0.1:11434", ""),
        ("0.0.0.0", "http://0.0.0.0:11434", ""),
        (":8080", "http://0.0.0.0:8080", ""),
        ("http://localhost:00080/", "http://localhost:80", ""),
    ],
)
def test_reads_what_ollama_reads(text: str, origin: str, path: str) -> None:
    address = parse_host(text)
    assert (address.origin, address.path) == (origin, path)


@pytest.mark.parametrize(
    ("text", "base_url"),
    [
        ("0.0.0.0:1", "http://127.0.0.1:1"),
        (":1", "http://127.0.0.1:1"),
        ("[::]:1", "http://[::1]:1"),
        ("gpu:1", "http://gpu:1"),
        ("https://h/p", "https://h:443/p"),
    ],
)
def test_connects_where_something_can_be_connected_to(text: str, base_url: str) -> None:
    assert parse_host(text).base_url == base_url


@pytest.mark.parametrize(
    ("text", "is_local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9:1", True),
        ("LOCALHOST:1", True),
        ("localhost.", True),
        ("::1", True),
        ("0.0.0.0", True),
        ("[::]:1", True),
        ("http://localhost", True),
        ("https://localhost", False),
        ("http://localhost/path", False),
        ("192.168.0.2", False),
        ("localhost.example.com", False),
        ("ollama.com", False),
    ],
)
def test_is_local(text: str, is_local: bool) -> None:
    assert parse_host(text).is_local is is_local


@pytest.mark.parametrize("text", ["http://127.0.0.1/path", "https://localhost", "[::1]/path", "::"])
def test_is_loopback(text: str) -> None:
    assert parse_host(text).is_loopback


@pytest.mark.parametrize(
    "text", ["http://192.168.0.2/path", "https://gpu-box", "localhost.example"]
)
def test_is_not_loopback(text: str) -> None:
    assert not parse_host(text).is_loopback


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("  '' ", "empty"),
        ("127.0.0.1:0", "1 to 65535"),
        ("127.0.0.1:65536", "1 to 65535"),
        ("127.0.0.1:", "1 to 65535"),
        ("127.0.0.1:+80", "1 to 65535"),
        ("127.0.0.1:٣", "1 to 65535"),
        ("127.0.0.1:" + "9" * 5000, "1 to 65535"),
        ("11434", "write 127.0.0.1:11434"),
        ("127.1", "no IPv4"),
        ("1.2.3.256", "no IPv4"),
        ("0x7f000001", "no IPv4"),
        ("ftp://h", "scheme"),
        ("HTTP://h", "scheme"),
        ("://h", "scheme"),
        ("http://", "no host"),
        ("/path", "no host"),
        ("[::1", "brackets"),
        ("[::1]80", "brackets"),
        ("fe80::1%eth0", "zone"),
        ("a b", "no host name"),
        ("-a", "no host name"),
        ("bücher.example", "no host name"),
        ("h/p?q=1", "path"),
        ("h/p\r\nX: y", "path"),
        ("http://user:hunter2@h", "password"),
    ],
)
def test_refuses_with_the_reason_and_the_source(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match="OLLAMA_HOST must be") as caught:
        parse_host(text, source="OLLAMA_HOST")
    assert reason in caught.value.message
    assert caught.value.hint
    assert "hunter2" not in str(caught.value.to_dict())


pieces = st.sampled_from(
    ["http://", "https://", "127.0.0.1", "::1", "[::1]", "host", ":", "1", "80", "/", "p", " ", '"']
)


@given(st.one_of(st.text(max_size=40), st.lists(pieces, max_size=7).map("".join)))
def test_agrees_with_ollama_or_refuses(text: str) -> None:
    try:
        address = parse_host(text)
    except ConfigError:
        return
    scheme, host, port, path = go_host(text)
    assert (address.scheme, address.port) == (scheme, int(port))
    assert address.path.strip("/") == path.strip("/")
    if host and not _is_ip(host):
        assert address.host == host
    assert 0 < address.port < 65536


@given(st.one_of(st.text(max_size=40), st.lists(pieces, max_size=7).map("".join)))
def test_text_of_an_address_reads_back(text: str) -> None:
    try:
        address = parse_host(text)
    except ConfigError:
        return
    assert parse_host(str(address)) == address
    assert parse_host(address.base_url).base_url == address.base_url


def test_is_a_value() -> None:
    assert parse_host("localhost") == Address("http", "localhost", 11434)
    assert len({parse_host("h"), parse_host(" h ")}) == 1
