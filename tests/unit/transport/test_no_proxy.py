from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.transport.no_proxy import is_excepted

NAME, PORT = "gpu.example.com", 11434


@pytest.mark.parametrize(
    "entry",
    [
        "*",
        "gpu.example.com",
        "GPU.Example.COM",
        "gpu.example.com.",
        "example.com",
        ".example.com",
        "*.example.com",
        "com",
        "gpu.example.com:11434",
        ".example.com:11434",
        "gpu.example.com:",
        "other,gpu.example.com",
        "other gpu.example.com",
        " ,, other\t\n,gpu.example.com ,",
    ],
)
def test_names_that_are_excepted(entry: str) -> None:
    assert is_excepted(NAME, PORT, entry)
    assert is_excepted(NAME.upper() + ".", PORT, entry)


@pytest.mark.parametrize(
    "entry",
    [
        "",
        " , ",
        ".",
        "..",
        "*.",
        "**",
        "pu.example.com",
        "sub.gpu.example.com",
        "example",
        "example.org",
        "gpu.example.com:80",
        "gpu.example.com:port",
        "gpu.example.com:-1",
        "gpu.example.com:11434:11434",
        "gpu.example.com/24",
        "http://gpu.example.com",
        "gpu.*.com",
        "[gpu.example.com]x",
        "[",
        "]",
        "[]",
        ":",
        ":11434",
        "10.0.0.0/8",
        "0.0.0.0/0",
    ],
)
def test_names_that_are_not(entry: str) -> None:
    assert not is_excepted(NAME, PORT, entry)


@pytest.mark.parametrize(
    ("host", "entry"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("10.1.2.3", "10.1.2.3:11434"),
        ("10.1.2.3", "[10.1.2.3]"),
        ("10.1.2.3", "10.0.0.0/8"),
        ("10.1.2.3", "10.1.2.99/24"),
        ("10.1.2.3", "0.0.0.0/0"),
        ("10.1.2.3", "::ffff:10.1.2.3"),
        ("10.1.2.3", "*"),
        ("fd00::1", "fd00::1"),
        ("fd00::1", "FD00:0:0::1"),
        ("fd00::1", "[fd00::1]"),
        ("fd00::1", "[fd00::1]:11434"),
        ("fd00::1", "fd00::/8"),
        ("fd00::1", "bad/cidr 300.0.0.0/8 fd00::/8"),
    ],
)
def test_addresses_that_are_excepted(host: str, entry: str) -> None:
    assert is_excepted(host, PORT, entry)


@pytest.mark.parametrize(
    ("host", "entry"),
    [
        ("10.1.2.3", "10.1.2.4"),
        ("10.1.2.3", "1.2.3"),
        ("10.1.2.3", ".2.3"),
        ("10.1.2.3", "3"),
        ("10.1.2.3", "10.1.2.3:80"),
        ("10.1.2.3", "10.1.2.3/33"),
        ("10.1.2.3", "11.0.0.0/8"),
        ("10.1.2.3", "10/8"),
        ("10.1.2.3", "::/0"),
        ("10.1.2.3", "10.0.0.0/8:11434"),
        ("fd00::1", "fd00::2"),
        ("fd00::1", "[fd00::1]:80"),
        ("fd00::1", "[fd00::1"),
        ("fd00::1", "[fd00::1]11434"),
        ("fd00::1", "fd00::/200"),
        ("fd00::1", "0.0.0.0/0"),
        ("fd00::1", "fd00::1%eth0"),
    ],
)
def test_addresses_that_are_not(host: str, entry: str) -> None:
    assert not is_excepted(host, PORT, entry)


HOSTS = st.sampled_from([NAME, "gpu", "10.1.2.3", "fd00::1"])


@given(HOSTS, st.integers(1, 65535), st.text() | st.text("*.,:[]/0123456789abcdef "))
def test_nothing_is_an_error(host: str, port: int, text: str) -> None:
    is_excepted(host, port, text)


@given(HOSTS, st.text("[]:/.0123456789xyz "), st.text("[]:/.0123456789xyz "))
def test_what_cannot_be_read_changes_nothing_of_the_rest(host: str, one: str, other: str) -> None:
    both = f"{one},{host},{other}"
    assert is_excepted(host, PORT, both)
    assert is_excepted(host, PORT, f"{one} {other}") == any(
        is_excepted(host, PORT, entry) for entry in (one, other)
    )


@given(st.ip_addresses(), st.ip_addresses(v=4) | st.ip_addresses(v=6), st.integers(0, 128))
def test_networks_are_those_of_ipaddress(
    host: ipaddress.IPv4Address | ipaddress.IPv6Address,
    base: ipaddress.IPv4Address | ipaddress.IPv6Address,
    length: int,
) -> None:
    entry = f"{base}/{min(length, base.max_prefixlen)}"
    expected = host in ipaddress.ip_network(entry, strict=False)
    if not (isinstance(host, ipaddress.IPv6Address) and host.ipv4_mapped):
        assert is_excepted(str(host), PORT, entry) == expected
