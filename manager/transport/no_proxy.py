"""Which servers ``NO_PROXY`` excepts from the use of a proxy.

The rules are those that curl and Go share, with the union where they differ: ``*``; a host with
its subdomains, with or without a leading dot; an IP address, with or without brackets; a network
in CIDR notation, for servers that are given by an IP address; each host or address also with a
port. Entries that are none of these are ignored.

Source: curl ``lib/noproxy.c``, Go ``golang.org/x/net/http/httpproxy``.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TypeAlias

__all__ = ["is_excepted"]

_IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_SEPARATORS = re.compile(r"[\s,]+")
_PORT = re.compile(r"[0-9]{1,5}")


def is_excepted(host: str, port: int, no_proxy: str) -> bool:
    """Return whether a server is to be reached without a proxy.

    Args:
        host: The host of the server: a name, or an IP address without brackets.
        port: Its port.
        no_proxy: The value of ``NO_PROXY``.
    """
    name = host.rstrip(".").lower()
    ip = _ip_of(name)
    entries = _SEPARATORS.split(no_proxy.lower())
    return any(_covers(entry, name, ip, port) for entry in entries)


def _covers(entry: str, name: str, ip: _IpAddress | None, port: int) -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        return ip is not None and _has_member(entry, ip)
    host, wanted = _split_port(entry)
    if wanted and not (_PORT.fullmatch(wanted) and int(wanted) == port):
        return False
    if ip is not None:  # never a part of one: "0.0.1" is no domain of 10.0.0.1
        return _ip_of(host) == ip
    domain = host.removeprefix("*.").strip(".")
    return bool(domain) and (name == domain or name.endswith(f".{domain}"))


def _split_port(entry: str) -> tuple[str, str]:
    """Return the host, without brackets, and the port, which may be missing."""
    if entry.startswith("["):
        host, closed, rest = entry[1:].partition("]")
        return (host, rest[1:]) if closed and rest[:1] in ("", ":") else ("", "")
    host, _, port = entry.partition(":")
    return (entry, "") if ":" in port else (host, port)  # bare IPv6


def _has_member(network: str, ip: _IpAddress) -> bool:
    try:
        return ip in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _ip_of(text: str) -> _IpAddress | None:
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return mapped or ip
