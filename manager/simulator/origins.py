"""Who may ask: Ollama's rules for the ``Origin`` and ``Host`` headers."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

from manager.simulator.exchange import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOCAL_ORIGIN = re.compile(r"https?://(localhost|127\.0\.0\.1|0\.0\.0\.0)(:[^/]*)?")
_APPLICATIONS = ("app://", "file://", "tauri://", "vscode-webview://", "vscode-file://")
_LOCAL_ENDINGS = (".localhost", ".local", ".internal")
_HEADERS = "Authorization,Content-Type,User-Agent,Accept,X-Requested-With"

Headers = tuple[tuple[str, str], ...]


def check(
    method: str, headers: Mapping[str, str], origins: tuple[str, ...], is_local: bool
) -> Reply | Headers:
    """Decide on a request by where it says that it comes from.

    Args:
        method: The HTTP method.
        headers: Names in lower case.
        origins: Further origins that are allowed, ``*`` matching anything.
        is_local: Whether the server listens on the loopback address only.

    Returns:
        The answer, if that settles it; otherwise the headers to add to the answer.
    """
    origin = headers.get("origin", "")
    host = headers.get("host", "")
    extra: Headers = ()
    if origin and origin not in (f"http://{host}", f"https://{host}"):
        if not _is_allowed(origin, origins):
            return Reply(403)
        extra = (("Access-Control-Allow-Origin", origin), ("Vary", "Origin"))
        if method == "OPTIONS":
            preflight = (
                ("Access-Control-Allow-Headers", _HEADERS),
                ("Access-Control-Allow-Methods", "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS"),
                ("Access-Control-Max-Age", "43200"),
            )
            return Reply(204, headers=(*extra, *preflight))
    if is_local and not _is_local_host(host):
        return Reply(403, headers=extra)
    return extra


def _is_allowed(origin: str, origins: tuple[str, ...]) -> bool:
    if _LOCAL_ORIGIN.fullmatch(origin) or origin.startswith(_APPLICATIONS):
        return True
    return any(
        re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), origin) for pattern in origins
    )


def _is_local_host(host: str) -> bool:
    name = host.rpartition(":")[0] if re.search(r":\d*$", host) else host
    name = name.strip("[]").lower()
    if name in ("127.0.0.1", "localhost"):
        return True
    import ipaddress  # It takes a while, and is hardly ever needed.

    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name in ("", "localhost", socket.gethostname().lower()) or name.endswith(
            _LOCAL_ENDINGS
        )
    return address.is_loopback or address.is_private or address.is_unspecified
